// How the library connects to a bridge's API.
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { MESSAGE_MAX } from "./codec.js";
import { type ClientTls, type Pem, pem } from "./tls.js";
import { bearer } from "./token.js";
import { VERSION } from "./version.js";

/** The pauses between tries. */
export const SHORTEST_MS = 100;
export const LONGEST_MS = 10_000;
const WINDOW = 1024 * 1024;

/** Host and port of `host:port`, IPv6 in brackets; undefined when it is none. */
export function parseAddress(address: string): { host: string; port: string } | undefined {
  const [, bracketed, plain, port = ""] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  return host === undefined ? undefined : { host, port };
}

/** Connects to an address when it is first used; `host` is the name that its certificate must have, unless `tls` names another. */
export function dial(address: string, host: string, tls: ClientTls | undefined): Client {
  const name = tls?.serverName ?? host;
  return new Client(address, channelCredentials(tls), {
    "grpc.primary_user_agent": `agi-bridge-typescript/${VERSION}`,
    "grpc.enable_channelz": 0,
    "grpc.max_receive_message_length": MESSAGE_MAX,
    "grpc.max_send_message_length": MESSAGE_MAX,
    "grpc.keepalive_time_ms": 20_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.initial_reconnect_backoff_ms": SHORTEST_MS,
    "grpc.max_reconnect_backoff_ms": LONGEST_MS,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    // A worker looks addresses up itself, so no proxy could be chosen by its name.
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc-node.flow_control_window": WINDOW,
    ...(tls !== undefined && { "grpc.ssl_target_name_override": name, "grpc.default_authority": name }),
  });
}

/** What shows a token. */
export function credentialsOf(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", bearer(token));
  return metadata;
}

/** A growing pause, a little by chance. */
export function pauseMs(failures: number): number {
  return Math.min(SHORTEST_MS * 2 ** failures, LONGEST_MS) * (0.5 + Math.random() / 2);
}

function channelCredentials(tls: ClientTls | undefined) {
  if (tls === undefined) return credentials.createInsecure();
  const { ca, cert, key } = tls;
  const maybe = (value: Pem | undefined) => (value === undefined ? null : pem(value));
  return credentials.createSsl(maybe(ca), maybe(key), maybe(cert));
}

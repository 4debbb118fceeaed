// Serves calls over gRPC: the bridge connects, and each call is one stream.
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerErrorResponse,
  status,
} from "@grpc/grpc-js";
import type { EventEmitter } from "node:events";
import type { ServerHttp2Session } from "node:http2";
import { encodeControl, decodeEvent, MESSAGE_MAX } from "./codec.js";
import type { CallControl, CallEvent } from "./gen/agibridge/v1/call_pb.js";
import { Health, reflection, reflectionDefinitions } from "./grpc-services.js";
import { Host, type HostOptions, run } from "./host.js";
import type { Close, Transport } from "./machine.js";
import type { Handler, Undecodable } from "./session.js";
import { pem, type ServerTls } from "./tls.js";
import { permits } from "./token.js";

export interface ServerOptions extends HostOptions {
  /** Unset: `127.0.0.1`. Use `0.0.0.0` or `::` to be reached from other machines. */
  readonly host?: string;
  /** Unset: 50051. 0: any free one; see `address`. */
  readonly port?: number;
  /** Unset: plain text. */
  readonly tls?: ServerTls;
}

export interface GrpcServerOptions extends ServerOptions {
  /** Whether tools may ask what is served here. Unset: true. */
  readonly reflection?: boolean;
}

export interface ServeOptions {
  /** Called once calls are taken, with `host:port`. */
  readonly onListening?: (address: string) => void;
  /** Drains when it aborts, as SIGTERM does. */
  readonly signal?: AbortSignal;
}

type Stream = ServerDuplexStream<CallEvent | Undecodable, Uint8Array>;

const WINDOW = 1024 * 1024;

const definition = {
  handleCall: {
    path: "/agibridge.v1.CallService/HandleCall",
    requestStream: true,
    responseStream: true,
    requestSerialize: () => Buffer.alloc(0),
    requestDeserialize: decodeEvent,
    responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    responseDeserialize: (bytes: Buffer) => bytes,
  },
} as const;

/**
 * Serves calls over gRPC until SIGTERM or SIGINT, which drain: no new calls, and running ones go on for `drainTimeoutMs`.
 *
 * ```ts
 * await serve({ port: 50051 }, async (call) => {
 *   await call.answer();
 *   await call.streamFile("hello-world");
 * });
 * ```
 *
 * @returns once it has stopped
 * @throws when the address cannot be listened on
 */
export async function serve(options: GrpcServerOptions & ServeOptions, handler: Handler): Promise<void> {
  const server = new GrpcServer(options, handler);
  await run(server, options.signal, () => options.onListening?.(server.address));
}

/** A gRPC server of calls, for programs that care for signals and the port themselves; else see `serve`. */
export class GrpcServer extends Host {
  private readonly server: Server;
  private readonly health = new Health();
  private bound: string | undefined;

  constructor(
    private readonly settings: GrpcServerOptions,
    handler: Handler,
  ) {
    super(handler, settings, settings.maxCalls ?? Infinity);
    this.server = new Server({
      "grpc.enable_channelz": 0,
      "grpc.max_receive_message_length": MESSAGE_MAX,
      "grpc.max_send_message_length": MESSAGE_MAX,
    });
    this.server.addService(definition, {
      handleCall: (stream: Stream) => {
        this.take(stream);
      },
    });
    this.server.addService(Health.definition, this.health.implementation);
    if (settings.reflection ?? true) {
      for (const each of reflectionDefinitions) this.server.addService(each, reflection);
    }
  }

  /** `host:port`, once it has started. */
  get address(): string {
    if (this.bound === undefined) throw new Error("the server has not started; await start() first");
    return this.bound;
  }

  override async start(): Promise<void> {
    const { host = "127.0.0.1", port = 50051, tls } = this.settings;
    const name = host.includes(":") ? `[${host}]` : host;
    const found = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(`${name}:${port}`, credentials(tls), (error, got) => {
        if (error === null) resolve(got);
        else reject(new Error(`cannot listen on ${name}:${port}: ${error.message}; is another program there?`));
      });
    });
    widen(this.server);
    this.bound = `${name}:${found}`;
  }

  protected override onDraining(): void {
    this.health.notServing();
  }

  protected override async shutDown(): Promise<void> {
    this.health.end();
    const closed = new Promise<void>((resolve) => {
      this.server.tryShutdown(() => {
        resolve();
      });
    });
    // What is left are connections without calls, and peers that do not read.
    const timer = setTimeout(() => {
      this.server.forceShutdown();
    }, 1_000);
    await closed;
    clearTimeout(timer);
  }

  private take(stream: Stream): void {
    // A stream that breaks says so by `cancelled`; without a listener the error would end the process.
    stream.on("error", () => undefined);
    const refused = this.refusal(stream);
    if (refused !== undefined) {
      stream.emit("error", refused);
      return;
    }
    stream.sendMetadata(new Metadata());
    const session = this.open(new GrpcTransport(stream), carrierOf(stream.metadata));
    stream.on("data", (message: CallEvent | Undecodable) => {
      session.onMessage(message);
    });
    stream.on("drain", () => {
      session.onReady();
    });
    stream.on("end", () => {
      session.onEnd("the bridge ended the stream without `ended`");
    });
    stream.on("cancelled", () => {
      session.onEnd("the stream broke");
    });
  }

  private refusal(stream: Stream): Partial<ServerErrorResponse> | undefined {
    const [shown] = stream.metadata.get("authorization");
    if (!permits(this.settings.token, typeof shown === "string" ? shown : undefined)) {
      return {
        code: status.UNAUTHENTICATED,
        details: "show the token of this service as `authorization: Bearer …`",
      };
    }
    if (this.draining) return { code: status.UNAVAILABLE, details: "this instance is stopping" };
    if (this.full) return { code: status.RESOURCE_EXHAUSTED, details: "this instance has as many calls as it takes" };
    return undefined;
  }
}

/** Controls over the response stream. */
class GrpcTransport implements Transport {
  constructor(private readonly stream: Stream) {}

  get ready(): boolean {
    return !this.stream.writableNeedDrain;
  }

  send(control: CallControl): void {
    this.stream.write(encodeControl(control));
  }

  close({ how, detail }: Close): void {
    if (how === "done") this.stream.end();
    else
      this.stream.emit("error", {
        code: how === "released" ? status.UNAVAILABLE : status.INTERNAL,
        details: detail,
      });
  }
}

function carrierOf(metadata: Metadata): Record<string, string> {
  const carrier: Record<string, string> = {};
  for (const name of ["traceparent", "tracestate", "baggage"]) {
    const values = metadata.get(name).map(String);
    if (values.length > 0) carrier[name] = values.join(",");
  }
  return carrier;
}

function credentials(tls: ServerTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const pair = { private_key: pem(tls.key), cert_chain: pem(tls.cert) };
  return ServerCredentials.createSsl(
    tls.clientCa === undefined ? null : pem(tls.clientCa),
    [pair],
    tls.clientCa !== undefined,
  );
}

/** Gives each connection a window for many calls. grpc-js has no option for it on servers, so its HTTP/2 servers are told. */
function widen(server: Server): void {
  const { http2Servers } = server as unknown as { http2Servers?: Map<EventEmitter, unknown> };
  for (const each of http2Servers?.keys() ?? []) {
    each.on("session", (session: ServerHttp2Session) => {
      session.settings({ initialWindowSize: WINDOW });
      session.setLocalWindowSize(WINDOW);
    });
  }
}

// A worker: dials in to bridges, is offered calls, and takes them while it has room.
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { StatusObject } from "@grpc/grpc-js";
import { encodeControl } from "./codec.js";
import { deferred } from "./deferred.js";
import { parseAddress } from "./dial.js";
import { AgiBridgeError } from "./errors.js";
import type { CallControl, CallEvent } from "./gen/agibridge/v1/call_pb.js";
import type { CallOffer } from "./gen/agibridge/v1/worker_pb.js";
import { Host, type HostOptions, run } from "./host.js";
import type { Close, Transport } from "./machine.js";
import type { Handler, Undecodable } from "./session.js";
import type { ClientTls } from "./tls.js";
import { type CallStream, Link, type LinkOwner } from "./worker-link.js";

export interface WorkerOptions extends Omit<HostOptions, "token"> {
  /**
   * Shown to bridges. A function is called for every registration and every call, so that a token that expires can be
   * renewed: as a rule it is `tokenFile`. While it throws no bridge is asked, and calls are declined; a bridge that refuses
   * what it gave is asked again with what it gives then, for as long as it takes.
   */
  readonly token?: string | (() => string);
  /** Where the bridges' `api` is, as `bridge:4575`: all addresses of the name, or of each name of a list. */
  readonly bridge: string | readonly string[];
  /** The groups to serve, as routes name them: `sales` of `worker://sales`. 1 to 64. */
  readonly groups: readonly string[];
  /** So many calls at once over all bridges, and no more. Unset: 100. */
  readonly maxCalls?: number;
  /** Stable over reconnects, and no other worker's. Unset: the machine's name (in Kubernetes, the pod's) and the process. */
  readonly workerId?: string;
  /** For people: shown by the bridge. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Unset: plain text. `{}`: TLS, with the authorities that Node knows. */
  readonly tls?: ClientTls;
}

export interface WorkOptions {
  /** Called whenever a bridge has registered this worker, with the bridge's name. */
  readonly onRegistered?: (bridgeId: string) => void;
  /** Drains when it aborts, as SIGTERM does. */
  readonly signal?: AbortSignal;
}

const MAX_CALLS = 100;
const LOOKUP_MS = 30_000;
/** How long a bridge may take to see that a stream is broken. */
const BREAK_MS = 2_000;
/** A tag that protobuf does not have. */
const NO_MESSAGE = Uint8Array.of(7);
let workers = 0;

/**
 * Works for bridges until SIGTERM or SIGINT, which drain: no new calls, and running ones go on for `drainTimeoutMs`. Connects
 * again, with growing pauses, when a bridge goes away.
 *
 * ```ts
 * await work({ bridge: "bridge:4575", groups: ["sales"], token }, handler);
 * ```
 *
 * @returns once it has stopped
 * @throws {AgiBridgeError} when a bridge refuses it for good: a wrong token that is no function's, a group that is not permitted, a name that is taken
 */
export async function work(options: WorkerOptions & WorkOptions, handler: Handler): Promise<void> {
  const worker = new Worker(options, handler);
  await run(worker, options.signal, () => undefined);
}

/** A worker, for programs that care for signals themselves; else see `work`. */
export class Worker extends Host {
  private readonly links = new Map<string, Link>();
  private readonly registered = deferred<undefined>();
  private readonly lookups = new AbortController();
  private readonly owner: LinkOwner;

  constructor(
    private readonly settings: WorkerOptions & Pick<WorkOptions, "onRegistered">,
    handler: Handler,
  ) {
    const maxCalls = settings.maxCalls ?? MAX_CALLS;
    super(handler, settings, maxCalls);
    workers += 1;
    const name = `${hostname()}-${process.pid}${workers === 1 ? "" : `-${workers}`}`;
    const { workerId = name, groups, labels, token, tls } = settings;
    this.owner = {
      hello: { workerId, groups: [...groups], maxCalls, labels: { ...labels } },
      token,
      tls,
      logger: this.logger,
      onRegistered: ({ bridgeId = "" }) => {
        this.registered.resolve(undefined);
        settings.onRegistered?.(bridgeId);
      },
      onOffer: (link, offer) => this.onOffer(link, offer),
      isTwin: (link, bridgeId) =>
        [...this.links.values()].some(
          (other) => other !== link && other.bridgeId !== undefined && other.bridgeId === bridgeId,
        ),
      onRefused: (error) => {
        this.fail(error);
      },
    };
  }

  /** Resolves once the first bridge has registered it. */
  override async start(): Promise<void> {
    void this.keepLooking();
    await Promise.race([this.registered.promise, this.stopped]);
  }

  protected override onDraining(): void {
    this.lookups.abort();
    for (const link of this.links.values()) link.drain();
  }

  protected override async shutDown(): Promise<void> {
    this.lookups.abort();
    for (const link of this.links.values()) link.stop();
    await Promise.all([...this.links.values()].map(({ stopped }) => stopped));
  }

  private onOffer(link: Link, { token }: CallOffer): string | undefined {
    if (this.draining) return "this worker is stopping";
    if (this.full) return "this worker has as many calls as it takes";
    let stream: CallStream;
    try {
      stream = link.take(token);
    } catch (error) {
      this.logger.warn(`worker: a call is declined: ${String(error)}`);
      return "this worker has no token now";
    }
    const session = this.open(new TakenCall(stream), {}); // the call's trace context is in `started`
    stream.on("data", (message: CallEvent | Undecodable) => {
      session.onMessage(message);
    });
    stream.on("drain", () => {
      session.onReady();
    });
    stream.on("error", () => undefined); // `status` has it too.
    stream.on("status", ({ details }: StatusObject) => {
      session.onEnd(details === "" || details === "OK" ? "the bridge ended the stream without `ended`" : details);
    });
    return undefined;
  }

  private async keepLooking(): Promise<void> {
    const { signal } = this.lookups;
    const { bridge } = this.settings;
    const names = typeof bridge === "string" ? [bridge] : bridge;
    while (!signal.aborted) {
      const found = await Promise.all(names.map((name) => this.look(name)));
      this.use(found.flat());
      const all = found.every((addresses) => addresses.length > 0);
      await sleep(all ? LOOKUP_MS : 1_000, undefined, { signal }).catch(() => undefined);
    }
  }

  private async look(name: string): Promise<{ address: string; host: string }[]> {
    const { host, port } = parseAddress(name) ?? {};
    if (host === undefined || port === undefined) {
      this.fail(new AgiBridgeError(`worker: ${name} is no address; write it as host:port`));
      return [];
    }
    try {
      const addresses = isIP(host) > 0 ? [{ address: host }] : await lookup(host, { all: true });
      return addresses.map(({ address }) => ({
        address: `${isIP(address) === 6 ? `[${address}]` : address}:${port}`,
        host,
      }));
    } catch (error) {
      this.logger.warn(`worker: the name ${host} was not found; looking again`, error);
      return [];
    }
  }

  /** Keeps a link to each address, also to those that the name has no longer while they answer. */
  private use(found: readonly { address: string; host: string }[]): void {
    if (this.draining) return;
    for (const { address, host } of found) {
      if (!this.links.has(address)) this.links.set(address, new Link(this.owner, address, host));
    }
    for (const [address, link] of this.links) {
      if (found.length === 0 || link.bridgeId !== undefined || found.some((each) => each.address === address)) continue;
      link.stop();
      this.links.delete(address);
    }
  }
}

/** Controls over the stream of a call that was taken. */
class TakenCall implements Transport {
  private closed = false;

  constructor(private readonly stream: CallStream) {}

  get ready(): boolean {
    return !this.stream.writableNeedDrain;
  }

  send(control: CallControl): void {
    this.stream.write(encodeControl(control));
  }

  close({ how }: Close): void {
    if (this.closed) return;
    this.closed = true;
    if (how === "done") {
      this.stream.end();
      return;
    }
    // Node ends a stream before it resets it, so to cancel this one would look like a handler that is done. A message that is
    // none breaks the stream as the contract has it: another worker takes the call.
    this.stream.write(NO_MESSAGE);
    const timer = setTimeout(() => {
      this.stream.cancel();
    }, BREAK_MS);
    this.stream.on("status", () => {
      clearTimeout(timer);
    });
  }
}

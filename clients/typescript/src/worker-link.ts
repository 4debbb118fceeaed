// A worker's connection to one address: it registers there, hands on offers, and connects again when the bridge goes away.
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Client, type ClientDuplexStream, Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { decodeEvent } from "./codec.js";
import { credentialsOf, dial, LONGEST_MS, pauseMs } from "./dial.js";
import { AgiBridgeError } from "./errors.js";
import type { CallEvent } from "./gen/agibridge/v1/call_pb.js";
import {
  type CallOffer,
  type WorkerHelloSchema,
  type WorkerOffer,
  WorkerOfferSchema,
  type WorkerReport,
  WorkerReportSchema,
} from "./gen/agibridge/v1/worker_pb.js";
import type { Logger } from "./logger.js";
import type { Undecodable } from "./session.js";
import type { ClientTls } from "./tls.js";
import { type Token, tokenNow } from "./token.js";

/** The stream of a call that was taken. */
export type CallStream = ClientDuplexStream<Uint8Array, CallEvent | Undecodable>;

/** What a link needs of its worker. */
export interface LinkOwner {
  readonly hello: MessageInitShape<typeof WorkerHelloSchema>;
  readonly token: Token;
  readonly tls: ClientTls | undefined;
  readonly logger: Logger;
  onRegistered(link: Link): void;
  /** Takes a call by `link.take`, or gives the reason not to. */
  onOffer(link: Link, offer: CallOffer): string | undefined;
  /** Whether another link is registered at the bridge of this one. */
  isTwin(link: Link, bridgeId: string | undefined): boolean;
  /** No retry can cure this. */
  onRefused(error: Error): void;
}

type Registration = ClientDuplexStream<WorkerReport, WorkerOffer>;

/** How long a bridge may take to end a registration. */
const STOP_MS = 2_000;

const STALE =
  "see that the bridge's jwt and api.workers have its issuer, audience and claims, and that the clocks agree";

const bytesOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export class Link {
  /** Resolves once it has stopped. */
  readonly stopped: Promise<void>;
  /** The bridge that it is registered at now. */
  bridgeId: string | undefined;

  private readonly stopping = new AbortController();
  private client: Client | undefined;
  private registration: Registration | undefined;
  private draining = false;
  /** Registrations and calls of each connection, which is closed after the last one. */
  private readonly holds = new Map<Client, number>();

  constructor(
    private readonly owner: LinkOwner,
    /** The address, as `10.0.0.7:4575`. */
    readonly address: string,
    /** The name it was found by. */
    private readonly serverName: string,
  ) {
    this.stopped = this.keep();
  }

  /** No more offers. */
  drain(): void {
    this.draining = true;
    this.report({ case: "status", value: { draining: true } });
  }

  /** Withdraws the worker here. Calls that run go on. */
  stop(): void {
    this.stopping.abort();
    const { registration } = this;
    if (registration === undefined) return;
    if (this.bridgeId === undefined) {
      registration.cancel();
      return;
    }
    registration.end();
    const timer = setTimeout(() => {
      registration.cancel();
    }, STOP_MS);
    registration.on("status", () => {
      clearTimeout(timer);
    });
  }

  /** Takes an offered call. */
  take(token: string): CallStream {
    const { client } = this;
    if (client === undefined) throw new Error("there is no connection");
    const metadata = this.metadata();
    metadata.set("agibridge-offer-token", token);
    const stream = client.makeBidiStreamRequest("/agibridge.v1.WorkerService/TakeCall", bytesOf, decodeEvent, metadata);
    // The connection is kept for as long as a call is on it.
    this.hold(client, 1);
    stream.on("status", () => {
      this.hold(client, -1);
    });
    return stream;
  }

  private hold(client: Client, change: 1 | -1): void {
    const count = (this.holds.get(client) ?? 0) + change;
    if (count > 0) {
      this.holds.set(client, count);
      return;
    }
    this.holds.delete(client);
    client.close();
  }

  private async keep(): Promise<void> {
    let failures = 0;
    let told = "";
    while (!this.isStopping()) {
      const ended = await this.register();
      const { bridgeId } = this;
      const twin = ended.code === status.ABORTED && this.owner.isTwin(this, bridgeId);
      this.bridgeId = undefined;
      if (this.isStopping() || this.draining) return;
      const refusal = twin ? undefined : this.refusal(ended);
      if (refusal !== undefined) {
        this.owner.onRefused(refusal);
        return;
      }
      if (twin) {
        // Two addresses of one bridge: the other link is enough, for as long as it lives.
        do await this.pause(LONGEST_MS * (0.5 + Math.random() / 2));
        while (this.owner.isTwin(this, bridgeId) && !this.isStopping());
        continue;
      }
      failures = bridgeId === undefined ? failures + 1 : 0;
      // It may be so for hours, and this is said of each try.
      const why = this.isStale(ended)
        ? `the token is refused (${ended.details}), and the next one is tried: ${STALE}`
        : ended.details;
      if (failures === 0 || why !== told) {
        this.owner.logger.warn(`worker: not registered at ${this.address} (${why}); trying again`);
      }
      told = why;
      await this.pause(pauseMs(failures));
    }
  }

  private isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }

  /** Registers, and resolves when that is over. */
  private register(): Promise<StatusObject> {
    let metadata: Metadata;
    try {
      metadata = this.metadata();
    } catch (error) {
      const details = error instanceof Error ? error.message : String(error);
      return Promise.resolve({ code: status.UNAVAILABLE, details, metadata: new Metadata() });
    }
    const client = dial(this.address, this.serverName, this.owner.tls);
    this.client = client;
    this.hold(client, 1);
    const stream: Registration = client.makeBidiStreamRequest(
      "/agibridge.v1.WorkerService/Register",
      (report: WorkerReport) => Buffer.from(toBinary(WorkerReportSchema, report)),
      (bytes: Buffer) => fromBinary(WorkerOfferSchema, bytes),
      metadata,
    );
    this.registration = stream;
    stream.on("data", ({ offer }: WorkerOffer) => {
      if (offer.case === "registered") {
        this.bridgeId = offer.value.bridgeId;
        if (this.draining) this.drain();
        this.owner.onRegistered(this);
      } else if (offer.case === "call") {
        const reason = this.owner.onOffer(this, offer.value);
        if (reason !== undefined) this.report({ case: "declined", value: { token: offer.value.token, reason } });
      } else if (offer.case === "heartbeat") {
        this.report({ case: "heartbeat", value: {} });
      }
      // An offer that was withdrawn cannot be taken: its call ends with NOT_FOUND.
    });
    this.report({ case: "hello", value: this.owner.hello });
    return new Promise((resolve) => {
      stream.on("error", () => undefined); // `status` has it too.
      stream.on("status", (ended: StatusObject) => {
        this.registration = undefined;
        this.hold(client, -1);
        resolve(ended);
      });
    });
  }

  private report(report: MessageInitShape<typeof WorkerReportSchema>["report"]): void {
    const stream = this.registration;
    if (stream?.writable !== true) return;
    // Offers are not read while answers to them wait.
    if (stream.write(create(WorkerReportSchema, { report }))) return;
    stream.pause();
    stream.once("drain", () => stream.resume());
  }

  /** Throws when there is no token to be had. */
  private metadata(): Metadata {
    return credentialsOf(tokenNow(this.owner.token));
  }

  /** Whether the token was refused, and the next one may be better. */
  private isStale({ code }: StatusObject): boolean {
    return code === status.UNAUTHENTICATED && typeof this.owner.token === "function";
  }

  /** The error to end with, when no retry can cure how a registration ended. */
  private refusal(ended: StatusObject): Error | undefined {
    if (this.isStale(ended)) return undefined;
    const { code, details } = ended;
    const { workerId = "", groups = [] } = this.owner.hello;
    const advice: Partial<Record<status, string>> = {
      [status.UNAUTHENTICATED]: "set `token` to one that stands in the bridge's api.workers",
      [status.PERMISSION_DENIED]: `let the bridge's api.workers permit the groups ${groups.join(", ")} to this token or certificate`,
      [status.ALREADY_EXISTS]: `set \`workerId\` to another name than ${workerId}`,
      [status.ABORTED]: `another process has registered as ${workerId}; give each its own \`workerId\``,
      [status.INVALID_ARGUMENT]: "correct what the bridge names",
    };
    const what = advice[code];
    return what === undefined
      ? undefined
      : new AgiBridgeError(`the bridge at ${this.address} refused this worker: ${status[code]} (${details}); ${what}`);
  }
}

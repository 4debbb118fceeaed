// A subscription to events, which comes back by itself when the bridge went away.
import { setTimeout as sleep } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { type ClientReadableStream, type StatusObject, status } from "@grpc/grpc-js";
import { deferred } from "./deferred.js";
import { pauseMs } from "./dial.js";
import { ManagerError, type StatusName, textOf } from "./errors.js";
import { type WatchEventsResponse, WatchEventsResponseSchema } from "./gen/agibridge/v1/manager_pb.js";
import type { Logger } from "./logger.js";
import { ManagerEvent, stateOf, type Told } from "./manager-facts.js";

/** Called with one thing at a time, in order; the next one waits for the promise that it gives. */
export type EventHandler = (told: Told) => unknown;

export interface SubscribeOptions {
  /** Names of events. Unset: `*`, all of them. */
  readonly names?: readonly string[];
  /** Only events whose headers have these values. */
  readonly match?: Readonly<Record<string, string>>;
  /** Unset: every Asterisk that the client may use. */
  readonly server?: string;
}

/** Asks the bridge for the events. */
export type Watch = () => ClientReadableStream<WatchEventsResponse>;

/** What no retry cures. */
const REFUSALS: ReadonlySet<StatusName> = new Set<StatusName>([
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "FAILED_PRECONDITION",
  "UNIMPLEMENTED",
]);

/** Made by `Manager.subscribe`. */
export class Subscription {
  /** Resolves once it is closed; rejects with what ended it: a ManagerError that is a refusal, or the handler's own error. */
  readonly closed: Promise<void>;
  private readonly closing = new AbortController();
  private stream: ClientReadableStream<WatchEventsResponse> | undefined;

  /** @internal */
  constructor(
    private readonly watch: Watch,
    private readonly handler: EventHandler,
    private readonly logger: Logger,
  ) {
    const { promise, resolve, reject } = deferred<undefined>();
    this.closed = promise;
    this.run().then(
      () => {
        resolve(undefined);
      },
      (error: unknown) => {
        logger.error(`a subscription to events ended: ${textOf(error)}`);
        reject(error);
      },
    );
  }

  /** Ends it: the handler is not called any more. One that runs goes on, and `closed` waits for it. */
  close(): void {
    this.closing.abort();
    this.stream?.cancel();
  }

  private async run(): Promise<void> {
    const { signal } = this.closing;
    let failures = 0;
    let lost = false;
    while (!signal.aborted) {
      const stream = this.watch();
      this.stream = stream;
      let detail = "the bridge ended the stream";
      stream.on("status", ({ code, details }: StatusObject) => {
        if (code !== status.OK) detail = `${status[code]}: ${details}`;
      });
      for await (const message of received(stream)) {
        if (this.isClosing()) break;
        failures = 0;
        lost = false;
        const told = toldBy(message);
        if (told !== undefined) await this.handler(told);
      }
      if (this.isClosing()) return;
      if (!lost) {
        lost = true;
        this.logger.warn(`manager: the events are lost (${detail}); coming back`);
        await this.handler({ kind: "lost", detail });
      }
      await sleep(pauseMs(failures), undefined, { signal }).catch(() => undefined);
      failures += 1;
    }
  }

  private isClosing(): boolean {
    return this.closing.signal.aborted;
  }
}

/** @internal */
export function decodeTold(bytes: Buffer): WatchEventsResponse {
  return fromBinary(WatchEventsResponseSchema, bytes);
}

/**
 * What comes until the stream ends, however it ends.
 * @throws {ManagerError} when asking again is of no use
 */
async function* received(stream: ClientReadableStream<WatchEventsResponse>): AsyncGenerator<WatchEventsResponse> {
  try {
    for await (const message of stream) yield message as WatchEventsResponse;
  } catch (error) {
    const { code = status.UNKNOWN, details = "" } = error as Partial<StatusObject>;
    const name = status[code] as StatusName;
    if (REFUSALS.has(name)) throw new ManagerError(name, details, "WatchEvents");
  } finally {
    stream.cancel();
  }
}

function toldBy({ item }: WatchEventsResponse): Told | undefined {
  switch (item.case) {
    case "event":
      return new ManagerEvent(item.value);
    case "missed":
      return { kind: "missed", count: Number(item.value) };
    case "serverState":
      return stateOf(item.value);
    case undefined:
      return undefined; // Of a newer contract.
  }
}

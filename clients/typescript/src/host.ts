// What the ways of serving share: the calls they have, how many they may have, and how they stop.
import { deferred } from "./deferred.js";
import { type Logger, stderrLogger } from "./logger.js";
import type { Transport } from "./machine.js";
import { type Handler, type HandlerOptions, Session } from "./session.js";
import type { Carrier } from "./tracing.js";

/** What every way of serving takes. */
export interface HostOptions extends HandlerOptions {
  /** How long running calls may go on once this stops, in milliseconds. What is left then is released. Unset: 1 h. */
  readonly drainTimeoutMs?: number;
  /** So many calls at once, and no more. */
  readonly maxCalls?: number;
  /** The bearer token of both sides: a server asks for it, a worker shows it. */
  readonly token?: string;
}

const DRAIN_MS = 3_600_000;

export abstract class Host {
  /** Resolves once this has stopped and its last call is over; rejects when it could not go on. */
  readonly stopped: Promise<void>;

  protected readonly logger: Logger;
  protected readonly sessions = new Set<Session>();
  protected draining = false;
  private readonly end = deferred<undefined>();
  private failure: Error | undefined;
  private timer: NodeJS.Timeout | undefined;

  protected constructor(
    protected readonly handler: Handler,
    protected readonly options: Omit<HostOptions, "token">,
    private readonly maxCalls: number,
  ) {
    this.logger = options.logger ?? stderrLogger;
    this.stopped = this.end.promise;
  }

  /** How many calls are running. */
  get calls(): number {
    return this.sessions.size;
  }

  /**
   * Stops: no new calls from now on; running ones go on, and are released to other instances after `timeoutMs`. Once more
   * with another time: that one counts.
   * @returns once the last call is over
   */
  drain(timeoutMs = this.options.drainTimeoutMs ?? DRAIN_MS): Promise<void> {
    if (!this.draining) {
      this.draining = true;
      this.onDraining();
    }
    clearTimeout(this.timer);
    if (timeoutMs <= 0) this.releaseAll();
    else this.timer = setTimeout(this.releaseAll.bind(this), Math.min(timeoutMs, 2 ** 31 - 1));
    void this.stopWhenIdle();
    return this.stopped;
  }

  /** Begins to serve. */
  abstract start(): Promise<void>;
  /** No new calls, and tell so whoever asks. */
  protected abstract onDraining(): void;
  /** The last call is over. */
  protected abstract shutDown(): Promise<void>;

  protected get full(): boolean {
    return this.sessions.size >= this.maxCalls;
  }

  protected open(transport: Transport, carrier: Carrier): Session {
    const session = new Session(transport, this.handler, this.options, carrier);
    this.sessions.add(session);
    void session.finished.then(() => {
      this.sessions.delete(session);
      void this.stopWhenIdle();
    });
    return session;
  }

  /** Stops because of an error, which `stopped` then gives. */
  protected fail(error: Error): void {
    this.failure ??= error;
    void this.drain();
  }

  private releaseAll(): void {
    for (const session of this.sessions) session.release("this instance is stopping");
  }

  private stopping = false;

  private async stopWhenIdle(): Promise<void> {
    if (!this.draining || this.sessions.size > 0 || this.stopping) return;
    this.stopping = true;
    clearTimeout(this.timer);
    try {
      await this.shutDown();
    } catch (error) {
      this.logger.warn("stopping was not clean", error);
    }
    if (this.failure === undefined) this.end.resolve(undefined);
    else this.end.reject(this.failure);
  }
}

/**
 * Runs a host until it has stopped. SIGTERM and SIGINT drain it; a second one releases its calls at once.
 * @throws what made it stop, when that was no signal
 */
export async function run(host: Host, signal: AbortSignal | undefined, onStarted: () => void): Promise<void> {
  let signals = 0;
  const onSignal = () => {
    signals += 1;
    void host.drain(signals > 1 ? 0 : undefined);
  };
  const stop = () => {
    void host.drain();
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  signal?.addEventListener("abort", stop);
  try {
    if (signal?.aborted === true) return;
    await host.start();
    onStarted();
    await host.stopped;
  } finally {
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
    signal?.removeEventListener("abort", stop);
  }
}

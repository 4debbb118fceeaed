// Keys that the caller presses between commands: they wait here, in order, until the handler takes them.
import { deferred, type Deferred } from "./deferred.js";
import type { Digit } from "./gen/agibridge/v1/call_pb.js";
import { durationFromMs, msFromDuration } from "./time.js";

/** A key that the caller pressed, on a route with `digits: true`. */
export interface PressedDigit {
  /** One of 0-9, *, # and A-D. */
  readonly digit: string;
  /** How long it was held, as Asterisk says. */
  readonly durationMs: number;
}

export interface NextDigitOptions {
  /** How long the caller may take once no command runs, in milliseconds. Unset: no limit. */
  readonly timeoutMs?: number;
  /** Gives up waiting; the key stays for who asks next. */
  readonly signal?: AbortSignal;
}

interface Waiter {
  readonly pressed: Deferred<PressedDigit | undefined>;
  readonly timeoutMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** As many as the bridge keeps. A caller presses some ten a second at most. */
const WAITING_MAX = 64;
/** The longest time of a timer: 24 days, which are for ever here. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export class PressedDigits {
  private digits: PressedDigit[] = [];
  private readonly waiters = new Set<Waiter>();
  private dropped = false;

  /** @param warn is called once, when a key is dropped */
  constructor(private readonly warn: (text: string) => void) {}

  add({ digit, duration }: Digit): void {
    const pressed = { digit, durationMs: Math.max(0, msFromDuration(duration)) };
    const [first] = this.waiters;
    if (first !== undefined) first.pressed.resolve(pressed);
    else if (this.digits.length < WAITING_MAX) this.digits.push(pressed);
    else if (!this.dropped) {
      this.dropped = true;
      this.warn(
        `${WAITING_MAX} keys of the caller wait to be taken, and newer ones are dropped; ` +
          "take them by nextDigit or takeDigits, or set no `digits` on the route",
      );
    }
    if (first !== undefined) this.leave(first);
  }

  /**
   * The oldest key, or the next one; undefined when none came in time.
   * @param idle whether no command runs
   * @param refusal why none can come any more
   */
  next({ timeoutMs, signal }: NextDigitOptions, idle: boolean, refusal: Error | undefined) {
    durationFromMs(timeoutMs, "timeoutMs");
    signal?.throwIfAborted();
    const pressed = deferred<PressedDigit | undefined>();
    const oldest = this.digits.shift();
    if (oldest !== undefined) pressed.resolve(oldest);
    else if (refusal !== undefined) pressed.reject(refusal);
    else if (timeoutMs === 0 && idle) pressed.resolve(undefined);
    else {
      const waiter: Waiter = { pressed, timeoutMs: timeoutMs ?? Infinity, timer: undefined };
      this.waiters.add(waiter);
      if (idle) this.count(waiter);
      const giveUp = () => {
        this.leave(waiter);
        pressed.reject(signal?.reason);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      const settled = () => {
        signal?.removeEventListener("abort", giveUp);
      };
      pressed.promise.then(settled, settled);
    }
    return pressed.promise;
  }

  /** All that wait. */
  take(): string {
    const taken = this.digits.map(({ digit }) => digit).join("");
    this.digits = [];
    return taken;
  }

  /** A command was sent: no time counts. */
  onBusy(): void {
    for (const { timer } of this.waiters) clearTimeout(timer);
  }

  /** No command runs any more: the time of who waits begins. */
  onIdle(): void {
    for (const waiter of this.waiters) this.count(waiter);
  }

  /** No key comes any more. */
  fail(error: Error): void {
    for (const waiter of [...this.waiters]) {
      this.leave(waiter);
      waiter.pressed.reject(error);
    }
  }

  private count(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    if (waiter.timeoutMs > TIMER_MAX_MS) return;
    waiter.timer = setTimeout(() => {
      this.leave(waiter);
      waiter.pressed.resolve(undefined);
    }, waiter.timeoutMs);
  }

  private leave(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.waiters.delete(waiter);
  }
}

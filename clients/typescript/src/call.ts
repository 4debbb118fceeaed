// A call, as its handler has it.
import { AsyncLocalStorage } from "node:async_hooks";
import { Batch, type BatchOptions, type BatchOutcomes, type BatchValues } from "./batch.js";
import { type CommandFields, type CommandOptions, Commands } from "./commands.js";
import { deferred, quiet } from "./deferred.js";
import type { NextDigitOptions, PressedDigit } from "./digits.js";
import { CallLostError, CommandError, HungUpError, MisuseError } from "./errors.js";
import {
  type Channel,
  channelOf,
  type Draining,
  type Ended,
  type EndOptions,
  type Hangup,
  type Progress,
  type Resumption,
  resumptionOf,
} from "./facts.js";
import type { CallStarted } from "./gen/agibridge/v1/call_pb.js";
import type { Logger } from "./logger.js";
import type { Machine } from "./machine.js";
import * as prompts from "./prompts.js";
import type { CommandName, ResultOf } from "./results.js";
import { dateFromTimestamp } from "./time.js";

/** What `on` and `waitFor` tell. */
export interface CallEvents {
  /** The caller is gone. */
  hangup: Hangup;
  /** The bridge would like the call to end. */
  draining: Draining;
  /** The session is over. */
  ended: Ended;
  /** GOSUB reported something before its result. */
  progress: Progress;
}

/** What a call needs from the session that runs its handler. @internal */
export interface CallOwner {
  readonly machine: Machine;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly closed: Promise<void>;
  release(reason: string): void;
}

/** The call whose handler this code belongs to. */
const current = new AsyncLocalStorage<Call>();

/** One call: its facts, and every AGI command as a method. Handlers get it, and it is over when they return. */
export class Call extends Commands {
  /** Names this call in the bridge's logs and traces; the same after a resumption. */
  readonly callId: string;
  /** The route that matched, by its name in the bridge's configuration. */
  readonly route: string;
  /** What the route's path captured: `/ivr/{tenant}` gives `tenant`. */
  readonly pathParameters: Readonly<Record<string, string>>;
  /** The query of the AGI URL; a repeated key keeps every value. */
  readonly queryParameters: URLSearchParams;
  /** agi_arg_1, agi_arg_2, … */
  readonly arguments: readonly string[];
  readonly channel: Channel;
  /** Every `agi_` line as Asterisk sent it, the prefix kept. */
  readonly environment: Readonly<Record<string, string>>;
  /** When Asterisk connected. */
  readonly acceptedAt: Date;
  /** So many commands may be unanswered at once; more wait here. */
  readonly maxQueuedCommands: number;
  /** Undefined for a new call; set when another handler had it before. */
  readonly resumption: Resumption | undefined;

  private drainingBy: Draining | undefined;
  private over: string | undefined;
  private gone: Error | undefined;
  private readonly waiters = new Set<(reason: unknown) => void>();
  private readonly listeners: { [E in keyof CallEvents]: Set<(told: CallEvents[E]) => void> } = {
    hangup: new Set(),
    draining: new Set(),
    ended: new Set(),
    progress: new Set(),
  };

  /** @internal */
  constructor(
    private readonly owner: CallOwner,
    started: CallStarted,
  ) {
    super();
    this.callId = started.callId;
    this.route = started.route;
    this.pathParameters = started.pathParameters;
    this.queryParameters = new URLSearchParams(
      started.queryParameters.map(({ key, value }): [string, string] => [key, value]),
    );
    this.arguments = started.arguments;
    this.channel = channelOf(started.channel);
    this.environment = started.environment;
    this.acceptedAt = dateFromTimestamp(started.acceptedAt) ?? new Date();
    this.maxQueuedCommands = started.maxQueuedCommands;
    this.resumption = resumptionOf(started, (id, name) => owner.machine.expect(id, name));
  }

  /** True once the caller is gone. */
  get hungUp(): boolean {
    return this.owner.machine.hungUp;
  }

  /** The hangup, once this handler was told of it. */
  get hangup(): Hangup | undefined {
    return this.owner.machine.hangup;
  }

  /** Set once the bridge would like the call to end, and by when. */
  get draining(): Draining | undefined {
    return this.drainingBy;
  }

  /** Set once the session is over. */
  get ended(): Ended | undefined {
    return this.owner.machine.ended;
  }

  /**
   * Aborts when this handler should stop: the hangup's grace or the time for cleaning up is over. Not at the hangup itself:
   * for that see `on` and `waitFor`. Pass it to whatever waits for something else (`fetch`, timers).
   */
  get signal(): AbortSignal {
    return this.owner.signal;
  }

  /** Resolves when the handler is over and the stream is closed: nothing is told after that. Never rejects. */
  get closed(): Promise<void> {
    return this.owner.closed;
  }

  /**
   * Sends commands in one go: one round trip for all. Each but the first runs only when the one before succeeded, unless
   * `independent` is set.
   *
   * ```ts
   * const [, pin] = await call.batch((b) => [b.answer(), b.getData("enter-pin", { maxDigits: 4 })]);
   * ```
   *
   * @returns what each command gave
   * @throws the first error of a command, once all have their results; see `batchSettled` to have each one's own
   */
  batch<T extends readonly Promise<unknown>[]>(
    build: (batch: Batch) => readonly [...T],
    options: BatchOptions = {},
  ): Promise<BatchValues<T>> {
    return quiet(
      this.batchSettled<T>(build, options).then((outcomes: readonly PromiseSettledResult<unknown>[]) => {
        const values = outcomes.map((outcome) => {
          if (outcome.status === "rejected") throw outcome.reason;
          return outcome.value;
        });
        return values as BatchValues<T>;
      }),
    );
  }

  /** As `batch`, but gives each command's own value or error, as `Promise.allSettled` does. */
  batchSettled<T extends readonly Promise<unknown>[]>(
    build: (batch: Batch) => readonly [...T],
    { independent = false }: BatchOptions = {},
  ): Promise<BatchOutcomes<T>> {
    const settle = async () => {
      this.check("batch");
      const batch = new Batch(independent);
      const promises = build(batch);
      // Not so when the function is async, which only the compiler of TypeScript finds out.
      if (!Array.isArray(promises)) {
        throw new MisuseError(
          "batch: the function must return an array of commands, and must not be async; await the batch",
        );
      }
      batch.flush((requests) => this.owner.machine.run(requests));
      return Promise.allSettled<T>(promises) as Promise<BatchOutcomes<T>>;
    };
    return quiet(settle());
  }

  /**
   * Ends the session once the commands before have run: the dialplan goes on after AGI(), or as `options` say.
   * @returns how it ended
   * @throws {HungUpError} and others as for commands, when the session was over before
   */
  end(options: EndOptions = {}): Promise<Ended> {
    return this.doing("end", async () => {
      const { variables, gotoDialplan, hangUp, failDialplan } = options;
      const next = [
        gotoDialplan && { case: "gotoDialplan" as const, value: gotoDialplan },
        hangUp === true && { case: "hangUp" as const, value: {} },
        failDialplan && { case: "failDialplan" as const, value: failDialplan },
      ].filter((found) => typeof found === "object");
      if (next.length > 1) throw new MisuseError("end: set one of gotoDialplan, hangUp and failDialplan");
      return this.owner.machine.end({ variables: { ...variables }, next: next[0] ?? { case: undefined } });
    });
  }

  /**
   * Gives the call to another route, with the channel kept as it is. What had not run yet is cancelled. Any command after it
   * is misuse.
   * @param route the name of a route, or a path as a new call's: `/sales/eu?lang=de`
   * @param state for the next handler, as its `resumption.checkpoint`; at most the route's limit (64 KiB unless set)
   * @returns when the call is with the other route
   */
  handoff(route: string, state?: Uint8Array | string): Promise<void> {
    return this.doing("handoff", async () => {
      await this.owner.machine.handoff(route, state === undefined ? undefined : bytes(state));
    });
  }

  /**
   * Keeps `state` for whoever resumes the call; it accounts for every result that this handler has received. Send it before the
   * commands that follow from it.
   * @param state at most the route's limit (64 KiB unless set); text is kept as UTF-8
   * @returns when it is on its way
   */
  checkpoint(state: Uint8Array | string): Promise<void> {
    return this.doing("checkpoint", () => this.owner.machine.checkpoint(bytes(state)));
  }

  /** Lets the call go: another instance takes it, with the checkpoint. Any command after it is misuse. */
  release(reason = "the handler released the call"): Promise<void> {
    return this.doing("release", () => {
      this.over = "its handler has released it";
      this.owner.release(reason);
      return Promise.resolve();
    });
  }

  /**
   * Calls `listener` when it happens; for `hangup`, `draining` and `ended` also when it has happened already.
   * @returns what stops it
   */
  on<E extends keyof CallEvents>(event: E, listener: (told: CallEvents[E]) => void): () => void {
    const told = this.past(event);
    const listeners = this.listeners[event];
    listeners.add(listener);
    if (told !== undefined) {
      queueMicrotask(() => {
        if (listeners.has(listener)) this.call(listener, told);
      });
    }
    return () => {
      listeners.delete(listener);
    };
  }

  /**
   * Waits until it happens; at once when it has happened already.
   * @throws {HungUpError}, {CommandError} (CALL_ENDED) or {CallLostError} when it cannot happen any more; the signal's reason
   */
  waitFor<E extends keyof CallEvents>(event: E, { signal }: { signal?: AbortSignal } = {}): Promise<CallEvents[E]> {
    const happened = deferred<CallEvents[E]>();
    const told = this.past(event) ?? (event === "hangup" && this.hungUp ? (GONE_BEFORE as CallEvents[E]) : undefined);
    if (told !== undefined) happened.resolve(told);
    if (signal?.aborted === true) happened.reject(signal.reason);
    if (this.gone !== undefined) happened.reject(this.gone);
    const giveUp = () => {
      happened.reject(signal?.reason);
    };
    const stop = this.on(event, happened.resolve);
    this.waiters.add(happened.reject);
    signal?.addEventListener("abort", giveUp);
    const clear = () => {
      stop();
      this.waiters.delete(happened.reject);
      signal?.removeEventListener("abort", giveUp);
    };
    happened.promise.then(clear, clear);
    return happened.promise;
  }

  /**
   * Takes the oldest key that the caller pressed and nobody took, or waits for one, on a route with `digits: true`. Up to 64 keys
   * wait, in order, from the begin of this handler; newer ones are dropped, with a warning. A key that a command took is among
   * them too.
   * @returns the key; undefined when none was pressed for `timeoutMs` while no command ran
   * @throws {HungUpError}, {CommandError} (CALL_ENDED) or {CallLostError} once none waits and none can come; the signal's reason
   */
  nextDigit(options: NextDigitOptions = {}): Promise<PressedDigit | undefined> {
    return this.doing("nextDigit", () => this.owner.machine.nextDigit(options));
  }

  /** The keys as `nextDigit` gives them, until the caller is gone or the session is over. */
  async *digits({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<PressedDigit, void, undefined> {
    for (;;) {
      try {
        const pressed = await this.nextDigit({ signal });
        if (pressed !== undefined) yield pressed;
      } catch (error) {
        if (error instanceof HungUpError || error instanceof CommandError || error instanceof CallLostError) return;
        throw error;
      }
    }
  }

  /**
   * Takes all keys that wait, without waiting for more: what was typed ahead.
   * @returns them; empty when none wait
   * @throws {MisuseError} as for a command
   */
  takeDigits(): string {
    this.check("takeDigits");
    return this.owner.machine.digits.take();
  }

  /**
   * Takes back what was sent and is not written to Asterisk yet (CANCELLED), and stops the command that runs there: its result comes
   * as if it had ended by itself, a prompt's with no digit, that of `getData` with what was typed so far. Prompts, `say…`,
   * `recordFile`, `waitForDigit` and `getData` can be stopped, where the bridge has a link to Asterisk's manager; others go on.
   * It waits for nothing, asks once for each command, and does nothing when the session is over.
   * @throws {MisuseError} as for a command
   */
  interrupt(): void {
    this.check("interrupt");
    this.owner.machine.interrupt();
  }

  /**
   * Plays files, one after the other, until a digit of `escapeDigits` is pressed.
   * @returns that digit, or undefined
   */
  play(files: string | readonly string[], options: prompts.PlayOptions = {}): Promise<string | undefined> {
    return quiet(prompts.play(this, files, options));
  }

  /**
   * Asks for digits (GET DATA), up to `tries` times (3), until there are some and `validate` accepts them. `invalid` is played
   * after digits that it does not accept.
   * @throws {NoInputError} after the last try
   */
  ask(prompt: string, options: prompts.AskOptions = {}): Promise<string> {
    return quiet(prompts.ask(this, prompt, options));
  }

  /**
   * Plays a prompt that any digit stops (GET OPTION), up to `tries` times (3), until a digit of `choices` is pressed. `invalid`
   * is played after another digit.
   *
   * ```ts
   * const department = await call.menu("main-menu", { 1: "sales", 2: "support" } as const);
   * ```
   *
   * @returns what `choices` has for the digit
   * @throws {NoInputError} after the last try
   */
  menu<const T>(prompt: string, choices: Readonly<Record<string, T>>, options: prompts.PromptOptions = {}): Promise<T> {
    return quiet(prompts.menu(this, prompt, choices, options));
  }

  /**
   * A menu of two, `yes` (`1`) and `no` (`2`).
   * @throws {NoInputError} after the last try
   */
  confirm(prompt: string, options: prompts.ConfirmOptions = {}): Promise<boolean> {
    return quiet(prompts.confirm(this, prompt, options));
  }

  /** Runs the handler, which knows this call as its own. @internal */
  handle(handler: (call: Call) => unknown): Promise<unknown> {
    return current.run(this, () => Promise.resolve(this).then(handler));
  }

  /** No handler may use the call any more. @internal */
  leave(why: string): void {
    this.over ??= why;
  }

  /** @internal */
  tell<E extends keyof CallEvents>(event: E, told: CallEvents[E]): void {
    if (event === "draining") this.drainingBy = told as Draining;
    for (const listener of [...this.listeners[event]]) this.call(listener, told);
  }

  /** Nothing else will be told. @internal */
  abandon(reason: Error): void {
    this.gone ??= reason;
    for (const reject of [...this.waiters]) reject(reason);
  }

  protected override run<K extends CommandName>(
    name: K,
    build: () => CommandFields[K],
    options: CommandOptions | undefined,
  ): Promise<ResultOf<K>> {
    return this.doing(name, () => {
      const requiresSuccess = options?.requiresSuccess ?? false;
      const [result] = this.owner.machine.run([{ name, build, options, requiresSuccess }]);
      return result as Promise<ResultOf<K>>;
    });
  }

  /** Does it unless that would be misuse. Whatever it rejects with may go unheard. */
  private doing<T>(name: string, action: () => Promise<T>): Promise<T> {
    try {
      this.check(name);
    } catch (error) {
      return quiet(Promise.reject(error as Error));
    }
    return quiet(action());
  }

  private check(name: string): void {
    const own = current.getStore();
    if (own !== undefined && own !== this) {
      throw new MisuseError(
        `${name}: this is call ${this.callId}, but the handler of call ${own.callId} uses it; ` +
          "use the Call that the handler was given, and keep none in a variable that handlers share",
      );
    }
    if (this.over !== undefined) {
      throw new MisuseError(
        `${name}: call ${this.callId} cannot be used, since ${this.over}; await every command before that`,
      );
    }
  }

  private past<E extends keyof CallEvents>(event: E): CallEvents[E] | undefined {
    const { hangup, draining, ended } = this;
    return ({ hangup, draining, ended, progress: undefined } as { [K in keyof CallEvents]: CallEvents[K] | undefined })[
      event
    ];
  }

  private call<T>(listener: (told: T) => void, told: T): void {
    try {
      listener(told);
    } catch (error) {
      this.owner.logger.error(`call ${this.callId}: a listener threw; catch its errors`, error);
    }
  }
}

/** For who waits for the hangup of a call that was resumed after it. */
const GONE_BEFORE: Hangup = { source: "UNSPECIFIED", graceMs: 0 };

function bytes(state: Uint8Array | string): Uint8Array {
  return typeof state === "string" ? new TextEncoder().encode(state) : state;
}

// The call as a machine: ids, order, room, pending results, hangup and the end. It knows no transport: it is told events, and
// gives controls to whatever carries them.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { CommandInit, CommandOptions } from "./commands.js";
import { type Deferred, deferred } from "./deferred.js";
import { type NextDigitOptions, type PressedDigit, PressedDigits } from "./digits.js";
import { CallLostError, CommandError, HungUpError, MisuseError, textOf } from "./errors.js";
import type { Ended, Hangup } from "./facts.js";
import {
  type CallControl,
  CallControlSchema,
  type CallStarted,
  type EndCallSchema,
} from "./gen/agibridge/v1/call_pb.js";
import type { CommandResult } from "./gen/agibridge/v1/command_pb.js";
import { type CommandName, KINDS, outcomeOf } from "./results.js";
import { durationFromMs } from "./time.js";
import { traceContext } from "./tracing.js";

/** How a stream is closed: well, as broken, or so that another instance takes the call. */
export interface Close {
  readonly how: "done" | "failed" | "released";
  readonly detail: string;
}

/** What carries a call's controls to the bridge. */
export interface Transport {
  /** False while what was sent waits for the network; `Machine.pump` is to be called when that is over. */
  readonly ready: boolean;
  /** @throws when the control cannot be encoded; nothing was sent then */
  send(control: CallControl): void;
  /** Ends this side of the stream. Later calls do nothing. */
  close(close: Close): void;
}

/** A command to send. */
export interface Request {
  readonly name: CommandName;
  /** @throws {RangeError} for an argument that cannot be sent */
  readonly build: () => CommandInit["value"];
  readonly options: CommandOptions | undefined;
  readonly requiresSuccess: boolean;
}

type ControlInit = NonNullable<MessageInitShape<typeof CallControlSchema>["control"]>;

interface Pending {
  readonly id: number;
  /** Undefined: a command of a newer contract. */
  readonly name: CommandName | undefined;
  readonly result: Deferred<unknown>;
  sent: boolean;
  interrupted: boolean;
}

interface Queued {
  readonly control: CallControl;
  /** Of a command. */
  readonly pending?: Pending;
  /** Of anything else: called once it is sent, or cannot be. */
  readonly done?: Deferred<undefined>;
}

/** So much may wait here before it is called a fault: nobody awaits those commands. */
const QUEUE_LIMIT = 1_000;

export class Machine {
  hungUp: boolean;
  hangup: Hangup | undefined;
  ended: Ended | undefined;
  /** Keys that nobody took. */
  readonly digits: PressedDigits;

  private lastId: number;
  /** The newest result that the handler has: a checkpoint accounts for it. */
  private lastResultId: number;
  private readonly room: number;
  private unanswered = 0;
  private readonly pending = new Map<number, Pending>();
  private readonly queue: Queued[] = [];
  private asked: "end" | "handoff" | undefined;
  private finished = false;
  private readonly ending = deferred<Ended>();
  private closed: ((command: string) => Error) | undefined;

  constructor(
    private readonly transport: Transport,
    started: CallStarted,
    warn: (text: string) => void,
  ) {
    this.digits = new PressedDigits(warn);
    this.room = started.maxQueuedCommands > 0 ? started.maxQueuedCommands : 32;
    const { resumption } = started;
    this.lastId = Math.max(resumption?.lastCommandId ?? 0, resumption?.running?.id ?? 0);
    this.lastResultId = Math.max(0, ...(resumption?.results ?? []).map(({ id }) => id));
    this.hungUp = resumption?.hungUp ?? false;
  }

  /** True while the bridge takes controls. */
  get open(): boolean {
    return this.closed === undefined;
  }

  /** True once the end, or a handoff, was asked for. */
  get ends(): boolean {
    return this.asked !== undefined;
  }

  /** Why a command would fail now, if it would. */
  refusal(command: string): Error | undefined {
    return this.closed?.(command);
  }

  /** Takes a key, or waits for one. */
  async nextDigit(options: NextDigitOptions): Promise<PressedDigit | undefined> {
    const gone = this.hungUp ? new HungUpError("nextDigit", "no key comes any more") : undefined;
    return this.digits.next(options, !this.busy, this.refusal("nextDigit") ?? gone);
  }

  /** Takes back what was not sent, or not written to Asterisk yet, and stops what runs there. */
  interrupt(): void {
    // The newest first: else the end of one would have the next one written.
    for (const pending of [...this.pending.values()].reverse()) {
      if (!pending.sent) {
        this.withdraw(pending);
        pending.result.reject(
          new CommandError("CANCELLED", "taken back before it was sent", pending.name ?? `command ${pending.id}`),
        );
      } else if (!pending.interrupted && this.open) {
        pending.interrupted = true;
        const cancel = { case: "cancel" as const, value: { id: pending.id, interrupt: true } };
        this.send(create(CallControlSchema, { control: cancel }), "interrupt");
      }
    }
  }

  /** Sends commands in one go, as far as there is room for them. */
  run(requests: readonly Request[]): Promise<unknown>[] {
    const results = requests.map((request) => this.enqueue(request));
    if (this.busy) this.digits.onBusy();
    this.pump();
    return results;
  }

  /** Expects the result of a command that an earlier service sent. */
  expect(id: number, name: CommandName | undefined): Promise<unknown> {
    const pending: Pending = { id, name, result: deferred(), sent: true, interrupted: false };
    this.pending.set(id, pending);
    this.unanswered += 1;
    return pending.result.promise;
  }

  /** Keeps `state` for whoever resumes the call. Resolves when the transport has it. */
  checkpoint(state: Uint8Array): Promise<undefined> {
    return this.control("checkpoint", { case: "checkpoint", value: { state, lastResultId: this.lastResultId } });
  }

  /** Ends the session behind what was sent before. Resolves when it has ended. */
  async end(value: MessageInitShape<typeof EndCallSchema>): Promise<Ended> {
    if (this.asked !== undefined) throw new MisuseError("end: the call is already ended or handed over; do it once");
    const sent = this.control("end", { case: "end", value });
    if (this.open) this.asked = "end";
    await sent.catch((error: unknown) => {
      this.asked = undefined;
      if (this.finished) this.finish();
      throw error;
    });
    return this.ending.promise;
  }

  /** Gives the call away. What was not sent yet is not going to be. Resolves when the other route has it. */
  async handoff(route: string, state: Uint8Array | undefined): Promise<Ended> {
    if (this.asked !== undefined)
      throw new MisuseError("handoff: the call is already ended or handed over; do it once");
    if (this.closed !== undefined) throw this.closed("handoff");
    this.send(create(CallControlSchema, { control: { case: "handoff", value: { route, state } } }), "handoff");
    this.asked = "handoff";
    this.fail((command) => new CommandError("CANCELLED", "the call was handed over", command));
    this.closed = (command) =>
      new MisuseError(`${command}: the call was handed to ${route}; this handler has it no longer`);
    return this.ending.promise;
  }

  /** The handler is over: asks for the end unless something else was asked for. */
  finish(): void {
    this.finished = true;
    if (this.asked !== undefined || !this.open) return;
    this.asked = "end";
    this.queue.push({ control: create(CallControlSchema, { control: { case: "end", value: {} } }) });
    this.pump();
  }

  /** Every command fails from now on, the unanswered ones included. */
  shut(closed: (command: string) => Error): void {
    this.closed = closed;
    this.fail(closed);
    this.ending.reject(closed(this.asked ?? "end"));
  }

  onResult(result: CommandResult): void {
    if (result.hungUp) this.hungUp = true;
    const pending = this.pending.get(result.id);
    // For an id that was never sent, or of a service before: nobody waits for it.
    if (pending === undefined) return;
    this.pending.delete(result.id);
    this.unanswered -= 1;
    this.lastResultId = Math.max(this.lastResultId, result.id);
    const command = pending.name ?? `command ${result.id}`;
    const outcome = outcomeOf(result, command);
    if (outcome?.kind === "error") {
      const { value: error } = outcome;
      const gone = this.hungUp && error instanceof CommandError && error.code === "CALL_ENDED";
      pending.result.reject(gone ? new HungUpError(command, error.detail) : error);
    } else if (outcome === undefined || (pending.name !== undefined && outcome.kind !== KINDS[pending.name])) {
      const detail = `the bridge answered with ${outcome?.kind ?? "a result"} that this library does not expect; update it`;
      pending.result.reject(new CommandError("PROTOCOL_ERROR", detail, command));
    } else {
      pending.result.resolve(outcome.value);
    }
    this.pump();
    if (!this.busy) this.digits.onIdle();
  }

  onHangup(hangup: Hangup): void {
    this.hungUp = true;
    this.hangup ??= hangup;
    this.digits.fail(new HungUpError("nextDigit", "no key comes any more"));
  }

  onEnded(ended: Ended): void {
    if (ended.reason === "HANGUP") this.hungUp = true;
    this.ended = ended;
    const over = (command: string) =>
      this.hungUp
        ? new HungUpError(command, "the session has ended")
        : new CommandError("CALL_ENDED", `${ended.reason}${ended.detail === "" ? "" : `: ${ended.detail}`}`, command);
    if (this.asked === "end" || (this.asked === "handoff" && ended.reason === "HANDOFF")) this.ending.resolve(ended);
    else this.ending.reject(over(this.asked ?? "end"));
    if (this.asked === "handoff" && ended.reason === "HANDOFF") return;
    this.closed = over;
    this.fail(over);
  }

  onLost(detail: string): void {
    this.shut(
      (command) =>
        new CallLostError(
          `${command}: ${detail}; another instance may have the call now, so stop working on it and return`,
        ),
    );
  }

  /** Answers a heartbeat. Where anything waits to be sent, proxies on the way see traffic enough. */
  onHeartbeat(): void {
    if (this.open && this.transport.ready) {
      this.transport.send(create(CallControlSchema, { control: { case: "heartbeat", value: {} } }));
    }
  }

  /** Sends what waits, as far as there is room for it at the bridge and in the transport. */
  pump(): void {
    while (this.open && this.transport.ready) {
      const next = this.queue[0];
      if (next === undefined || (next.pending !== undefined && this.unanswered >= this.room)) return;
      this.queue.shift();
      try {
        this.send(next.control, next.pending?.name ?? "end");
      } catch (error) {
        if (next.pending !== undefined) {
          this.pending.delete(next.pending.id);
          next.pending.result.reject(error);
        }
        next.done?.reject(error);
        continue;
      }
      if (next.pending !== undefined) {
        next.pending.sent = true;
        this.unanswered += 1;
      }
      next.done?.resolve(undefined);
    }
  }

  /** True while a command runs, or waits to. */
  private get busy(): boolean {
    return this.pending.size > 0;
  }

  private enqueue({ name, build, options, requiresSuccess }: Request): Promise<unknown> {
    const result = deferred<unknown>();
    const { signal } = options ?? {};
    try {
      signal?.throwIfAborted();
      if (this.closed !== undefined) throw this.closed(name);
      this.checkRoom(name);
      const id = this.lastId + 1;
      const control = create(CallControlSchema, {
        control: {
          case: "command",
          value: {
            id,
            timeout: durationFromMs(options?.replyTimeoutMs, "replyTimeoutMs"),
            requiresSuccess,
            traceContext: traceContext(),
            command: { case: name, value: build() } as CommandInit,
          },
        },
      });
      this.lastId = id;
      const pending: Pending = { id, name, result, sent: false, interrupted: false };
      this.pending.set(id, pending);
      this.queue.push({ control, pending });
      if (signal !== undefined) this.watch(signal, pending);
    } catch (error) {
      const refused = error instanceof RangeError || error instanceof TypeError;
      result.reject(refused ? new CommandError("INVALID_ARGUMENT", error.message, name) : error);
    }
    return result.promise;
  }

  private watch(signal: AbortSignal, pending: Pending): void {
    const giveUp = () => {
      this.withdraw(pending);
      pending.result.reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    const settled = () => {
      signal.removeEventListener("abort", giveUp);
    };
    pending.result.promise.then(settled, settled);
  }

  private withdraw(pending: Pending): void {
    if (!this.open || !this.pending.has(pending.id)) return;
    if (pending.sent) {
      // Its result still comes, and frees its room.
      this.send(create(CallControlSchema, { control: { case: "cancel", value: { id: pending.id } } }), "cancel");
      return;
    }
    this.pending.delete(pending.id);
    this.queue.splice(
      this.queue.findIndex((queued) => queued.pending === pending),
      1,
    );
  }

  private async control(name: string, control: ControlInit): Promise<undefined> {
    if (this.closed !== undefined) throw this.closed(name);
    this.checkRoom(name);
    const done = deferred<undefined>();
    this.queue.push({ control: create(CallControlSchema, { control }), done });
    this.pump();
    return done.promise;
  }

  private checkRoom(name: string): void {
    if (this.queue.length < QUEUE_LIMIT) return;
    throw new MisuseError(`${name}: ${QUEUE_LIMIT} commands wait to be sent; await the ones before you send more`);
  }

  private send(control: CallControl, name: string): void {
    try {
      this.transport.send(control);
    } catch (error) {
      const detail = textOf(error);
      throw new CommandError("INVALID_ARGUMENT", detail, name);
    }
  }

  private fail(reason: (command: string) => Error): void {
    this.digits.fail(reason("nextDigit"));
    for (const { done } of this.queue.splice(0)) done?.reject(reason("checkpoint"));
    for (const { id, name, result } of this.pending.values()) result.reject(reason(name ?? `command ${id}`));
    this.pending.clear();
    this.unanswered = 0;
  }
}

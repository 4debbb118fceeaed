// Runs a handler for one stream: from `started` until the handler is over and the stream is closed.
import { Call } from "./call.js";
import { deferred } from "./deferred.js";
import {
  AgiBridgeError,
  CallLostError,
  CommandError,
  HungUpError,
  MisuseError,
  NoInputError,
  textOf,
} from "./errors.js";
import { endedOf, hangupOf } from "./facts.js";
import type { CallEvent, CallStarted } from "./gen/agibridge/v1/call_pb.js";
import { type Logger, stderrLogger } from "./logger.js";
import { type Close, Machine, type Transport } from "./machine.js";
import { dateFromTimestamp } from "./time.js";
import { type CallSpan, type Carrier, startSpan } from "./tracing.js";

/** Drives one call. What it returns is not looked at; when it is done, the session ends and the dialplan goes on. */
export type Handler = (call: Call) => unknown;

/** What every way of serving takes. */
export interface HandlerOptions {
  /** How long a handler may clean up after the session's end or the loss of its stream, in milliseconds. Unset: 10 s. */
  readonly cleanupTimeoutMs?: number;
  /** Unset: standard error. */
  readonly logger?: Logger;
}

/** A message that could not be decoded. */
export class Undecodable {
  constructor(readonly error: unknown) {}
}

const CLEANUP_MS = 10_000;
/** `started` follows the opening at once. */
const START_MS = 30_000;
/** From the cancelling of a handler to the report that it is still there. */
const ABANDON_MS = 1_000;

export class Session {
  /** Resolves when the handler is over and the stream is closed. */
  readonly finished: Promise<void>;
  /** What the handler threw, when that was a fault of its own. */
  fault: { readonly error: unknown } | undefined;

  private readonly done = deferred<undefined>();
  private readonly abort = new AbortController();
  private readonly logger: Logger;
  private readonly cleanupMs: number;
  private machine: Machine | undefined;
  private call: Call | undefined;
  private span: CallSpan | undefined;
  private timer: NodeJS.Timeout;
  private cancelTimerSet = false;
  private cancelling = false;
  private handled = false;
  private closed = false;
  /** True once the other side says no more. */
  private silent = false;

  constructor(
    private readonly transport: Transport,
    private readonly handler: Handler,
    options: HandlerOptions,
    private readonly carrier: Carrier,
  ) {
    this.logger = options.logger ?? stderrLogger;
    this.cleanupMs = options.cleanupTimeoutMs ?? CLEANUP_MS;
    this.finished = this.done.promise.then(() => undefined);
    this.timer = setTimeout(() => {
      this.fail("the bridge did not send `started`");
    }, START_MS);
  }

  /** Takes a message of the bridge. Whatever it holds, only this call may suffer. */
  onMessage(message: CallEvent | Undecodable): void {
    if (this.silent) return;
    if (message instanceof Undecodable) {
      this.fail(`a message of the bridge is none of the contract (${textOf(message.error)}); update this library`);
      return;
    }
    const { event } = message;
    // An event of a newer contract has no case here, and means nothing to this version.
    if (event.case === undefined) return;
    if (event.case === "heartbeat") {
      this.machine?.onHeartbeat();
      return;
    }
    if (event.case === "started") {
      if (this.call === undefined) this.start(event.value);
      else this.logger.warn(`call ${this.call.callId}: the bridge sent \`started\` twice; the second one is ignored`);
      return;
    }
    const { machine, call } = this;
    if (machine === undefined || call === undefined) {
      this.fail(`the bridge sent \`${event.case}\` before \`started\``);
      return;
    }
    switch (event.case) {
      case "result":
        machine.onResult(event.value);
        break;
      case "progress":
        call.tell("progress", { commandId: event.value.id, text: event.value.text });
        break;
      case "hangup": {
        const hangup = hangupOf(event.value);
        machine.onHangup(hangup);
        this.cancelIn(hangup.graceMs > 0 ? hangup.graceMs : this.cleanupMs);
        call.tell("hangup", hangup);
        break;
      }
      case "digit":
        machine.digits.add(event.value);
        break;
      case "draining":
        call.tell("draining", { deadline: dateFromTimestamp(event.value.deadline) ?? new Date() });
        break;
      case "ended": {
        const ended = endedOf(event.value);
        machine.onEnded(ended);
        call.tell("ended", ended);
        call.abandon(machine.refusal("waitFor") ?? new CommandError("CALL_ENDED", ended.reason, "waitFor"));
        this.cancelIn(this.cleanupMs);
        this.close({ how: "done", detail: "" });
        break;
      }
    }
  }

  /** The transport can take more. */
  onReady(): void {
    this.machine?.pump();
  }

  /** The stream is over, or the other side's part of it. Before `ended` that is a loss. */
  onEnd(detail: string): void {
    if (this.silent) return;
    if (this.call === undefined) {
      this.handled = true;
      this.close({ how: "failed", detail });
      return;
    }
    this.lose(detail, { how: "failed", detail });
  }

  /** Lets another instance take the call. */
  release(reason: string): void {
    if (this.silent) return;
    if (this.call === undefined) this.handled = true;
    this.lose(reason, { how: "released", detail: reason });
  }

  private start(started: CallStarted): void {
    clearTimeout(this.timer);
    const machine = new Machine(this.transport, started, (text) => {
      this.logger.warn(`call ${started.callId}: ${text}`);
    });
    this.machine = machine;
    const call = new Call(
      {
        machine,
        logger: this.logger,
        signal: this.abort.signal,
        closed: this.finished,
        release: (reason) => {
          this.release(reason);
        },
      },
      started,
    );
    this.call = call;
    this.span = startSpan(
      { ...this.carrier, ...started.traceContext },
      {
        "rpc.system.name": "grpc",
        "rpc.method": "agibridge.v1.CallService/HandleCall",
        "agibridge.call.id": call.callId,
        "agibridge.route": call.route,
        ...(call.resumption && {
          "agibridge.resumption.attempt": call.resumption.attempt,
          "agibridge.resumption.cause": call.resumption.cause.toLowerCase(),
        }),
      },
    );
    const handling = this.span.run(() => call.handle(this.handler));
    handling.then(
      () => {
        this.onReturn();
      },
      (error: unknown) => {
        this.onThrow(error);
      },
    );
  }

  private onReturn(): void {
    this.span?.end(undefined);
    this.leave();
    if (this.closed) this.finishIfOver();
    else if (this.cancelling) this.close({ how: "done", detail: "" });
    else this.machine?.finish();
  }

  private onThrow(error: unknown): void {
    const call = this.call?.callId ?? "";
    const outcome = this.judge(error);
    if (outcome === "fault") {
      this.fault = { error };
      this.logger.error(`call ${call}: the handler threw; another instance may take the call`, error);
    } else if (outcome !== undefined) {
      this.logger.info(`call ${call}: ${outcome}`);
    }
    this.span?.end(outcome === "fault" ? error : undefined);
    this.leave();
    if (outcome === "fault" && !this.closed) {
      const detail = textOf(error);
      this.close({ how: "failed", detail: `the handler threw: ${detail}` });
    } else if (this.closed) this.finishIfOver();
    else if (this.cancelling) this.close({ how: "done", detail: "" });
    else this.machine?.finish();
  }

  /** What is to be said of an error that a handler ended with; undefined when it ended well. */
  private judge(error: unknown): string | undefined {
    if (error instanceof HungUpError) return undefined;
    if (error instanceof NoInputError) return error.message;
    if (this.cancelling) return `the handler was cancelled (${textOf(error)})`;
    if (error instanceof MisuseError || !(error instanceof AgiBridgeError)) return "fault";
    if (error instanceof CallLostError && this.silent) return `the handler stopped: ${error.message}`;
    if (error instanceof CommandError && error.code === "CALL_ENDED" && this.machine?.ended !== undefined) {
      return `the handler stopped: ${error.message}`;
    }
    return "fault";
  }

  private leave(): void {
    this.handled = true;
    clearTimeout(this.timer);
    this.call?.leave("its handler has returned");
  }

  private fail(detail: string): void {
    this.logger.error(`call ${this.call?.callId ?? "(not started)"}: ${detail}`);
    if (this.call === undefined) this.handled = true;
    this.lose(detail, { how: "failed", detail });
  }

  private lose(detail: string, close: Close): void {
    const lost = new CallLostError(
      `${detail}; another instance may have the call now, so stop working on it and return`,
    );
    this.machine?.onLost(detail);
    this.call?.abandon(lost);
    if (!this.handled) this.cancelIn(this.cleanupMs);
    this.close(close);
  }

  /** Cancels the handler after that time, unless that is to happen already. */
  private cancelIn(ms: number): void {
    if (this.handled || this.cancelTimerSet) return;
    this.cancelTimerSet = true;
    this.timer = setTimeout(() => {
      this.cancel();
    }, ms);
  }

  private cancel(): void {
    this.cancelling = true;
    const { machine, call } = this;
    const why = machine?.refusal("signal") ?? new HungUpError(undefined, "the grace is over");
    if (machine?.open === true) machine.shut((command) => new HungUpError(command, "the grace is over"));
    call?.abandon(why);
    this.abort.abort(why);
    this.timer = setTimeout(() => {
      this.logger.error(
        `call ${call?.callId ?? ""}: the handler is still there after its time to clean up; the stream is closed without it. ` +
          "Let it stop when call.signal aborts",
      );
      this.span?.end(new Error("the handler did not stop"));
      this.leave();
      this.close({ how: "done", detail: "" });
      this.finishIfOver();
    }, ABANDON_MS);
  }

  private close(close: Close): void {
    this.silent = true;
    if (!this.closed) {
      this.closed = true;
      this.transport.close(close);
    }
    this.finishIfOver();
  }

  private finishIfOver(): void {
    if (!this.closed || !this.handled) return;
    clearTimeout(this.timer);
    this.done.resolve(undefined);
  }
}

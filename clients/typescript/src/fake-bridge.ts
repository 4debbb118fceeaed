// The bridge behind a fake call: it runs commands in order, as the real one does, and answers what it is told to.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CommandError, HungUpError } from "./errors.js";
import type { EndOptions } from "./facts.js";
import {
  type CallControl,
  CallEnded_Reason,
  type CallEvent,
  CallEventSchema,
  type EndCall,
  type Handoff,
  Hangup_Source,
} from "./gen/agibridge/v1/call_pb.js";
import {
  ChannelState,
  type Command,
  CommandError_Code,
  type CommandResultSchema,
  RecordingResult_End,
  SpeechResult_End,
} from "./gen/agibridge/v1/command_pb.js";
import type { Close, Transport } from "./machine.js";
import { valueOf } from "./names.js";
import { type CommandName, KINDS, type ResultKind, type ResultKinds, type ResultOf } from "./results.js";
import { durationFromMs, timestampFromDate } from "./time.js";

/** A command as it reached the bridge. */
export interface SentCommand {
  readonly name: CommandName;
  /** Its arguments by the contract's names; durations and moments are the contract's messages. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a command is to give. */
export type FakeReply<K extends CommandName> =
  ResultOf<K> | Error | ((fields: SentCommand["fields"]) => ResultOf<K> | Error | Promise<ResultOf<K> | Error>);

/** The reply of a command that runs until it is interrupted, or until the caller hangs up. */
export const NEVER = (): Promise<never> => new Promise<never>(() => undefined);

type Outcome = MessageInitShape<typeof CommandResultSchema>["outcome"];

/** Commands that a dead channel permits. */
const WITHOUT_CHANNEL = new Set<CommandName>([
  "noop",
  "verbose",
  "getVariable",
  "getFullVariable",
  "setVariable",
  "databaseDel",
  "databaseDelTree",
  "databaseGet",
  "databasePut",
  "exec",
  "asyncAgiBreak",
  "speechDestroy",
  "speechUnloadGrammar",
]);

/** What a command gives that was interrupted; others cannot be. */
const INTERRUPTED: { readonly [K in ResultKind]?: ResultKinds[K] } = {
  playback: { digit: undefined, endSamples: 0 },
  digit: undefined,
  digits: { digits: "", timedOut: false },
  recording: { end: "DIGIT", digit: undefined, endSamples: 0 },
};

const DEFAULTS: ResultKinds = {
  done: undefined,
  playback: { digit: undefined, endSamples: 0 },
  digit: undefined,
  digits: { digits: "", timedOut: true },
  value: undefined,
  channelStatus: "UP",
  exec: 0,
  recording: { end: "TIMEOUT", digit: undefined, endSamples: 0 },
  text: undefined,
  speech: { end: "TIMEOUT", matches: [], digit: undefined, endSamples: 0 },
  gosub: { abnormalExit: false, returnValue: "" },
  raw: { code: 200, result: "0", value: undefined, text: "200 result=0" },
};

export class FakeBridge implements Transport {
  readonly ready = true;
  readonly commands: SentCommand[] = [];
  readonly checkpoints: Uint8Array[] = [];
  end: EndOptions | undefined;
  handoff: Handoff | undefined;
  closed: Close["how"] | undefined;
  /** Tells the session. */
  tell: (event: CallEvent) => void = () => undefined;

  private readonly queue: (Command | EndCall)[] = [];
  private readonly cancelled = new Set<number>();
  private readonly replies = new Map<CommandName, FakeReply<CommandName>[]>();
  private readonly hangups = new Map<CommandName, number>();
  private hangupAfter = Infinity;
  private answered = 0;
  private working = false;
  private succeeded = true;
  private over = false;
  private current = 0;
  /** Ends the command that runs for ever. */
  private stop: ((how: "interrupted" | "hung up") => void) | undefined;
  /** Keys before the call; undefined once it has begun. */
  private pressed: string | undefined = "";

  constructor(
    private readonly graceMs: number,
    private hungUp: boolean,
  ) {}

  reply(name: CommandName, replies: readonly FakeReply<CommandName>[]): void {
    this.replies.set(name, [...replies]);
  }

  hangUpAt(name: CommandName, nth: number): void {
    this.hangups.set(name, nth);
  }

  hangUpAfter(count: number): void {
    this.hangupAfter = count;
  }

  hangUp(): void {
    if (this.hungUp || this.over) return;
    this.hungUp = true;
    const grace = durationFromMs(this.graceMs, "graceMs");
    this.event({ case: "hangup", value: { source: Hangup_Source.SIGNAL, grace } });
    this.stop?.("hung up");
  }

  press(digits: string): void {
    const wrong = /[^0-9*#A-D]/.exec(digits)?.[0];
    if (wrong !== undefined) throw new Error(`there is no key ${wrong}: press some of 0-9 * # A-D`);
    if (this.pressed !== undefined) {
      this.pressed += digits;
      return;
    }
    for (const digit of digits) {
      this.event({ case: "digit", value: { digit, duration: durationFromMs(100, "duration") } });
    }
  }

  /** The call has begun. */
  begin(): void {
    const digits = this.pressed ?? "";
    this.pressed = undefined;
    this.press(digits);
  }

  drain(deadline: Date): void {
    this.event({ case: "draining", value: { deadline: timestampFromDate(deadline, "deadline") } });
  }

  progress(text: string): void {
    this.event({ case: "progress", value: { id: this.current, text } });
  }

  /** The session is over. */
  finish(reason: keyof typeof CallEnded_Reason): void {
    if (this.over) return;
    this.event({ case: "ended", value: { reason: CallEnded_Reason[reason], commands: this.answered } });
    this.over = true;
  }

  send({ control }: CallControl): void {
    switch (control.case) {
      case "command":
      case "end":
        this.queue.push(control.value);
        void this.work();
        break;
      case "cancel":
        this.cancelled.add(control.value.id);
        if (control.value.interrupt && control.value.id === this.current) this.stop?.("interrupted");
        break;
      case "checkpoint":
        this.checkpoints.push(control.value.state);
        break;
      case "handoff":
        this.handoff = control.value;
        queueMicrotask(() => {
          this.finish("HANDOFF");
        });
        break;
    }
  }

  close({ how }: Close): void {
    this.closed = how;
    this.over = true;
  }

  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    // What the handler sends in one go is there before the first of it runs.
    await Promise.resolve();
    for (let next = this.queue.shift(); next !== undefined && !this.over; next = this.queue.shift()) {
      if (next.$typeName === "agibridge.v1.EndCall") this.ended(next);
      else await this.run(next);
    }
    this.working = false;
  }

  private ended({ variables, next }: EndCall): void {
    this.end = {
      ...(Object.keys(variables).length > 0 && { variables }),
      ...(next.case === "gotoDialplan" && {
        gotoDialplan: plain(next.value) as unknown as EndOptions["gotoDialplan"],
      }),
      ...(next.case === "hangUp" && { hangUp: true }),
      ...(next.case === "failDialplan" && { failDialplan: { reason: next.value.reason } }),
    };
    this.finish(this.hungUp ? "HANGUP" : "SERVICE");
  }

  private async run(command: Command): Promise<void> {
    const { id, requiresSuccess, command: sent } = command;
    if (sent.case === undefined) return;
    const name = sent.case;
    const fields = plain(sent.value);
    let outcome: Outcome;
    if (this.cancelled.has(id)) outcome = failed(new CommandError("CANCELLED", "", name));
    else if (requiresSuccess && !this.succeeded) outcome = failed(new CommandError("SKIPPED", "", name));
    else {
      this.commands.push({ name, fields });
      this.current = id;
      if (this.commands.filter((each) => each.name === name).length === this.hangups.get(name)) this.hangUp();
      outcome = await this.outcome(name, fields);
    }
    this.succeeded = outcome?.case !== "error";
    if (this.over) return;
    this.answered += 1;
    this.event({ case: "result", value: { id, hungUp: this.hungUp, outcome } });
    if (this.answered >= this.hangupAfter) this.hangUp();
  }

  private async outcome(name: CommandName, fields: SentCommand["fields"]): Promise<Outcome> {
    if (this.hungUp && !WITHOUT_CHANNEL.has(name)) return failed(new HungUpError(name));
    const kind = KINDS[name];
    const replies = this.replies.get(name);
    if (replies === undefined || replies.length === 0) return succeeded(kind, DEFAULTS[kind]);
    const reply = replies.length > 1 ? replies.shift() : replies[0];
    if (reply === NEVER) return this.runsOn(name);
    const value = typeof reply === "function" ? await reply(fields) : reply;
    return value instanceof Error ? failed(value) : succeeded(kind, value);
  }

  private runsOn(name: CommandName): Promise<Outcome> {
    const kind = KINDS[name];
    return new Promise((resolve) => {
      this.stop = (how) => {
        if (how === "interrupted" && !(kind in INTERRUPTED)) return;
        this.stop = undefined;
        const gone = how === "hung up" && !WITHOUT_CHANNEL.has(name);
        resolve(gone ? failed(new HungUpError(name)) : succeeded(kind, { ...DEFAULTS, ...INTERRUPTED }[kind]));
      };
      if (this.hungUp) this.stop("hung up");
    });
  }

  private event(event: MessageInitShape<typeof CallEventSchema>["event"]): void {
    if (!this.over) this.tell(create(CallEventSchema, { event }));
  }
}

function failed(error: Error): Outcome {
  const code = error instanceof HungUpError ? "HUNG_UP" : error instanceof CommandError ? error.code : "FAILED";
  const detail = error instanceof HungUpError || error instanceof CommandError ? error.detail : error.message;
  return { case: "error", value: { code: valueOf(CommandError_Code, code), detail } };
}

function succeeded(kind: ResultKind, value: ResultKinds[ResultKind]): Outcome {
  return OUTCOMES[kind](value as never);
}

const OUTCOMES: { [K in ResultKind]: (value: ResultKinds[K]) => Outcome } = {
  done: () => ({ case: "done", value: {} }),
  playback: ({ digit, endSamples, endMs }) => ({
    case: "playback",
    value: {
      digit,
      end:
        endSamples !== undefined
          ? { case: "endSamples", value: endSamples }
          : endMs !== undefined
            ? { case: "endMilliseconds", value: endMs }
            : undefined,
    },
  }),
  digit: (digit) => ({ case: "digit", value: { digit } }),
  digits: (value) => ({ case: "digits", value }),
  value: (value) => ({ case: "value", value: { value } }),
  channelStatus: (state) => ({ case: "channelStatus", value: { state: valueOf(ChannelState, state) } }),
  exec: (result) => ({ case: "exec", value: { result } }),
  recording: ({ end, digit, endSamples }) => ({
    case: "recording",
    value: { end: valueOf(RecordingResult_End, end), digit, endSamples },
  }),
  text: (text) => ({ case: "text", value: { text } }),
  speech: ({ end, matches, digit, endSamples }) => ({
    case: "speech",
    value: { end: valueOf(SpeechResult_End, end), matches: [...matches], digit, endSamples },
  }),
  gosub: (value) => ({ case: "gosub", value }),
  raw: (value) => ({ case: "raw", value }),
};

/** A message's fields, without its type. */
function plain(message: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(message).filter(([name]) => !name.startsWith("$")));
}

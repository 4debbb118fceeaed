// What commands give, in the library's types, and how each is read from the contract's result.
import {
  ChannelState as ChannelStateEnum,
  type Command,
  CommandError_Code,
  type CommandResult,
  RecordingResult_End,
  SpeechResult_End,
} from "./gen/agibridge/v1/command_pb.js";
import { type AgiBridgeError, CommandError, HungUpError } from "./errors.js";
import { nameOf, type Unknown } from "./names.js";
import { msFromDuration } from "./time.js";

/** A channel's state. `NO_SUCH_CHANNEL`: Asterisk knows no channel of that name. */
export type ChannelState = keyof typeof ChannelStateEnum | Unknown;

/** What STREAM FILE, CONTROL STREAM FILE and GET OPTION give. */
export interface Playback {
  /** The digit that stopped the prompt; undefined when it played to its end and nothing was pressed. */
  readonly digit: string | undefined;
  /** Where playback stopped, in samples of the file (8,000 a second for telephone audio). */
  readonly endSamples?: number;
  /** CONTROL STREAM FILE: where playback stopped; unset when it played to its end. */
  readonly endMs?: number;
}

/** What GET DATA gives. */
export interface Digits {
  /** As pressed, leading zeros kept, without the `#` that ends them. May be empty. */
  readonly digits: string;
  /** True when the time ran out before `#` or `maxDigits`. */
  readonly timedOut: boolean;
}

/** What RECORD FILE gives. */
export interface Recording {
  readonly end: keyof typeof RecordingResult_End | Unknown;
  /** Set when `end` is `DIGIT`. */
  readonly digit: string | undefined;
  /** Length of the file in samples. */
  readonly endSamples: number;
}

export interface SpeechMatch {
  /** How sure the engine is, 0 to 1000 with most. */
  readonly score: number;
  readonly text: string;
  readonly grammar: string;
}

/** What SPEECH RECOGNIZE gives. */
export interface Speech {
  readonly end: keyof typeof SpeechResult_End | Unknown;
  /** Best first, as the engine gives them. */
  readonly matches: readonly SpeechMatch[];
  /** Set when `end` is `DIGIT`. */
  readonly digit: string | undefined;
  /** Where the prompt stopped, in samples. */
  readonly endSamples: number;
}

/** What GOSUB gives. */
export interface GosubReturn {
  /** The subroutine was left by a jump or a hangup, and not by Return(). */
  readonly abnormalExit: boolean;
  /** GOSUB_RETVAL. */
  readonly returnValue: string;
}

/** What a raw command gives. */
export interface RawReply {
  /** 200, 510, 511 or 520. */
  readonly code: number;
  /** After `result=`, up to the next space. */
  readonly result: string;
  /** Inside the outer parentheses, if any. */
  readonly value: string | undefined;
  /** The reply as it came, several lines joined by LF. */
  readonly text: string;
}

/** Each kind of result, and its type. */
export interface ResultKinds {
  /** The command did its work and says no more. */
  done: undefined;
  playback: Playback;
  /** The digit that was pressed; undefined when none was. */
  digit: string | undefined;
  digits: Digits;
  /** Undefined when there is no such variable or key. */
  value: string | undefined;
  channelStatus: ChannelState;
  /** What the application returned; most give 0, and -1 when the channel hung up. */
  exec: number;
  recording: Recording;
  /** Undefined when no text came in time. */
  text: string | undefined;
  speech: Speech;
  gosub: GosubReturn;
  raw: RawReply;
}

export type ResultKind = keyof ResultKinds;

/** The kind of result that each command gives. */
export const KINDS = {
  answer: "done",
  asyncAgiBreak: "done",
  channelStatus: "channelStatus",
  controlStreamFile: "playback",
  databaseDel: "done",
  databaseDelTree: "done",
  databaseGet: "value",
  databasePut: "done",
  exec: "exec",
  getData: "digits",
  getFullVariable: "value",
  getOption: "playback",
  getVariable: "value",
  gosub: "gosub",
  hangUp: "done",
  noop: "done",
  receiveChar: "text",
  receiveText: "text",
  recordFile: "recording",
  sayAlpha: "digit",
  sayDate: "digit",
  sayDateTime: "digit",
  sayDigits: "digit",
  sayNumber: "digit",
  sayPhonetic: "digit",
  sayTime: "digit",
  sendImage: "done",
  sendText: "done",
  setAutoHangup: "done",
  setCallerId: "done",
  setContext: "done",
  setExtension: "done",
  setMusic: "done",
  setPriority: "done",
  setVariable: "done",
  speechActivateGrammar: "done",
  speechCreate: "done",
  speechDeactivateGrammar: "done",
  speechDestroy: "done",
  speechLoadGrammar: "done",
  speechRecognize: "speech",
  speechSet: "done",
  speechUnloadGrammar: "done",
  streamFile: "playback",
  tddMode: "done",
  verbose: "done",
  waitForDigit: "digit",
  raw: "raw",
} as const satisfies Record<NonNullable<Command["command"]["case"]>, ResultKind>;

/** Every command, by the name of its method. */
export type CommandName = keyof typeof KINDS;

/** What the command of this name gives. */
export type ResultOf<K extends CommandName> = ResultKinds[(typeof KINDS)[K]];

/** A result in the journal of a resumed call: which command gave it is known by its id only. */
export type JournalEntry = {
  [K in ResultKind | "error"]: {
    readonly id: number;
    /** From the write of the command to its reply; undefined when it was never written. */
    readonly elapsedMs: number | undefined;
    /** True when the caller was gone by then. */
    readonly hungUp: boolean;
    readonly kind: K;
    readonly value: K extends ResultKind ? ResultKinds[K] : AgiBridgeError;
  };
}[ResultKind | "error"];

/** A result as the library has it; undefined when this version knows no such kind. */
export function outcomeOf(
  result: CommandResult,
  command: string,
): { kind: ResultKind; value: ResultKinds[ResultKind] } | { kind: "error"; value: AgiBridgeError } | undefined {
  const { outcome } = result;
  switch (outcome.case) {
    case undefined:
      return undefined;
    case "error": {
      const code = nameOf(CommandError_Code, outcome.value.code);
      const gone = code === "HUNG_UP" || (code === "CALL_ENDED" && result.hungUp);
      const { detail } = outcome.value;
      return {
        kind: "error",
        value: gone ? new HungUpError(command, detail) : new CommandError(code, detail, command),
      };
    }
    case "done":
      return { kind: "done", value: undefined };
    case "playback": {
      const { digit, end } = outcome.value;
      const position =
        end.case === "endSamples"
          ? { endSamples: end.value }
          : end.case === "endMilliseconds"
            ? { endMs: end.value }
            : {};
      return { kind: "playback", value: { digit: pressed(digit), ...position } };
    }
    case "digit":
      return { kind: "digit", value: pressed(outcome.value.digit) };
    case "digits":
      return { kind: "digits", value: { digits: outcome.value.digits, timedOut: outcome.value.timedOut } };
    case "value":
      return { kind: "value", value: outcome.value.value };
    case "channelStatus":
      return { kind: "channelStatus", value: nameOf(ChannelStateEnum, outcome.value.state) };
    case "exec":
      return { kind: "exec", value: outcome.value.result };
    case "recording": {
      const { end, digit, endSamples } = outcome.value;
      return {
        kind: "recording",
        value: { end: nameOf(RecordingResult_End, end), digit: pressed(digit), endSamples },
      };
    }
    case "text":
      return { kind: "text", value: outcome.value.text };
    case "speech": {
      const { end, digit, endSamples } = outcome.value;
      const matches = outcome.value.matches.map(({ score, text, grammar }) => ({ score, text, grammar }));
      return {
        kind: "speech",
        value: { end: nameOf(SpeechResult_End, end), matches, digit: pressed(digit), endSamples },
      };
    }
    case "gosub": {
      const { abnormalExit, returnValue } = outcome.value;
      return { kind: "gosub", value: { abnormalExit, returnValue } };
    }
    case "raw": {
      const { code, result: text, value, text: whole } = outcome.value;
      return { kind: "raw", value: { code, result: text, value, text: whole } };
    }
  }
}

/** The journal of a resumed call; results of kinds that this version does not know are left out. */
export function journal(results: readonly CommandResult[]): readonly JournalEntry[] {
  return results.flatMap((result) => {
    const outcome = outcomeOf(result, `command ${result.id}`);
    if (outcome === undefined) return [];
    const elapsedMs = result.elapsed && msFromDuration(result.elapsed);
    return [{ id: result.id, elapsedMs, hungUp: result.hungUp, ...outcome } as JournalEntry];
  });
}

function pressed(digit: string): string | undefined {
  return digit === "" ? undefined : digit;
}

// What is known about a call: from its start, at a resumption, at hangup, while draining and at its end.
import {
  type CallEnded,
  CallEnded_Reason,
  type CallStarted,
  type Channel as ChannelMessage,
  type Hangup as HangupMessage,
  Hangup_Source,
  Resumption_Cause,
} from "./gen/agibridge/v1/call_pb.js";
import { nameOf, type Unknown } from "./names.js";
import { type CommandName, journal, type JournalEntry, KINDS, type ResultOf } from "./results.js";
import { msFromDuration } from "./time.js";

/** The channel, as Asterisk described it. What it did not know is empty. */
export interface Channel {
  readonly name: string;
  readonly uniqueId: string;
  /** The channel driver's type, as `PJSIP` or `Local`. */
  readonly type: string;
  readonly language: string;
  readonly callerIdNumber: string;
  readonly callerIdName: string;
  readonly dialedNumber: string;
  /** RDNIS: the number that redirected the call here. */
  readonly redirectingNumber: string;
  readonly context: string;
  readonly extension: string;
  readonly priority: number;
  readonly accountCode: string;
  readonly asteriskVersion: string;
}

/** The caller is gone. */
export interface Hangup {
  /** How the bridge knows. */
  readonly source: keyof typeof Hangup_Source | Unknown;
  /** How long the handler has to finish, in milliseconds. Zero: the connection is closed already, and no command runs any more. */
  readonly graceMs: number;
}

/** The bridge is shutting down, and would like the call to end. Nothing is cut before the deadline. */
export interface Draining {
  readonly deadline: Date;
}

/** What GOSUB reports before its result. */
export interface Progress {
  readonly commandId: number;
  readonly text: string;
}

/** The session is over. */
export interface Ended {
  readonly reason: keyof typeof CallEnded_Reason | Unknown;
  /** For people. */
  readonly detail: string;
  readonly durationMs: number;
  /** Commands that were written to Asterisk. */
  readonly commands: number;
}

/** The command that is at Asterisk as the call is resumed. Do not send it again: await its result. */
export type RunningCommand =
  | {
      [K in CommandName]: {
        readonly id: number;
        readonly name: K;
        readonly result: Promise<ResultOf<K>>;
      };
    }[CommandName]
  | {
      readonly id: number;
      /** A command of a newer contract. */
      readonly name: "unknown";
      readonly result: Promise<unknown>;
    };

/** What a handler needs to carry on with a call that another one had before. */
export interface Resumption {
  readonly cause: keyof typeof Resumption_Cause | Unknown;
  /** 1 for the first resumption of this call; handoffs count too. */
  readonly attempt: number;
  /** The last checkpoint, or the state of the handoff; undefined when there was none. */
  readonly checkpoint: Uint8Array | undefined;
  /** Undefined when no command is at Asterisk. */
  readonly running: RunningCommand | undefined;
  /** The results since the checkpoint, oldest first. */
  readonly results: readonly JournalEntry[];
  /** True when older results were dropped from `results`. */
  readonly resultsTruncated: boolean;
  /** True when the caller is already gone. */
  readonly hungUp: boolean;
  /** The highest id of the service before; this handler's go on above it. */
  readonly lastCommandId: number;
}

/** How a session ends: `variables` are set first. At most one of the others; none: the dialplan goes on after AGI(). */
export interface EndOptions {
  /** Channel variables to set first, by name. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Go on elsewhere in the dialplan. */
  readonly gotoDialplan?: { readonly context: string; readonly extension: string; readonly priority: number };
  /** Hang up the channel. */
  readonly hangUp?: boolean;
  /** Go on after AGI() with AGISTATUS=FAILURE; the reason is left in AGIBRIDGE_REASON. */
  readonly failDialplan?: { readonly reason: string };
}

export function channelOf(message: ChannelMessage | undefined): Channel {
  return {
    name: message?.name ?? "",
    uniqueId: message?.uniqueId ?? "",
    type: message?.type ?? "",
    language: message?.language ?? "",
    callerIdNumber: message?.callerIdNumber ?? "",
    callerIdName: message?.callerIdName ?? "",
    dialedNumber: message?.dialedNumber ?? "",
    redirectingNumber: message?.redirectingNumber ?? "",
    context: message?.context ?? "",
    extension: message?.extension ?? "",
    priority: message?.priority ?? 0,
    accountCode: message?.accountCode ?? "",
    asteriskVersion: message?.asteriskVersion ?? "",
  };
}

export function hangupOf(message: HangupMessage): Hangup {
  return { source: nameOf(Hangup_Source, message.source), graceMs: msFromDuration(message.grace) };
}

export function endedOf(message: CallEnded): Ended {
  const { reason, detail, duration, commands } = message;
  return { reason: nameOf(CallEnded_Reason, reason), detail, durationMs: msFromDuration(duration), commands };
}

/**
 * The resumption, if this is one.
 * @param expect takes the command at Asterisk into the ones whose result is expected
 */
export function resumptionOf(
  started: CallStarted,
  expect: (id: number, name: CommandName | undefined) => Promise<unknown>,
): Resumption | undefined {
  const message = started.resumption;
  if (message === undefined) return undefined;
  const { attempt, checkpoint, resultsTruncated, hungUp, lastCommandId, running } = message;
  const found = running?.command.case;
  const name = found !== undefined && found in KINDS ? found : undefined;
  return {
    cause: nameOf(Resumption_Cause, message.cause),
    attempt,
    checkpoint,
    running:
      running && ({ id: running.id, name: name ?? "unknown", result: expect(running.id, name) } as RunningCommand),
    results: journal(message.results),
    resultsTruncated,
    hungUp,
    lastCommandId,
  };
}

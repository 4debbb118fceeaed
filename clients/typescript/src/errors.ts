// The errors that a handler can meet. Each message says what to do.
import { inspect } from "node:util";

/** Every error of this library is one of these. */
export class AgiBridgeError extends Error {
  override name = "AgiBridgeError";
}

/**
 * The caller is gone, and the command needed a live channel. A handler may let it pass: it ends the call well.
 * Commands that a dead channel permits (variables, database, exec, noop, verbose) still work until the grace is over.
 */
export class HungUpError extends AgiBridgeError {
  override name = "HungUpError";

  constructor(
    /** The method that failed, as `getData`; undefined when it was none. */
    readonly command?: string,
    /** What the bridge said, for people. */
    readonly detail = "",
  ) {
    super(
      `${command === undefined ? "" : `${command}: `}the caller hung up${detail === "" ? "" : ` (${detail})`}; ` +
        "store what must be stored and return",
    );
  }
}

/** Why a command failed, named as the contract names it. A code of a newer bridge is `UNKNOWN(77)`. */
export type ErrorCode =
  | "UNSPECIFIED"
  | "INVALID_ARGUMENT"
  | "NOT_ALLOWED"
  | "QUEUE_FULL"
  | "SKIPPED"
  | "CANCELLED"
  | "TIMED_OUT"
  | "HUNG_UP"
  | "UNKNOWN_COMMAND"
  | "USAGE"
  | "FAILED"
  | "CALL_ENDED"
  | "NO_SUCH_APPLICATION"
  | "PROTOCOL_ERROR"
  | `UNKNOWN(${number})`;

const ADVICE: Partial<Record<ErrorCode, string>> = {
  INVALID_ARGUMENT: "correct the named argument",
  NOT_ALLOWED: "the route's policy forbids it; ask whoever runs the bridge",
  SKIPPED: "the command before it failed; look at that one's error",
  TIMED_OUT: "it may still run at Asterisk, and the next command waits for it",
  UNKNOWN_COMMAND: "this Asterisk does not have the command; load its module",
  USAGE: "Asterisk did not accept the arguments",
  FAILED: "Asterisk tried and failed with the channel up; see that the file, agent or grammar exists",
  CALL_ENDED: "the session is over; return from the handler",
  NO_SUCH_APPLICATION: "check the application's name and that its module is loaded",
};

/** Asterisk or the bridge refused a command, or it failed with the channel up. */
export class CommandError extends AgiBridgeError {
  override name = "CommandError";

  constructor(
    readonly code: ErrorCode,
    /** What the bridge said, for people: for INVALID_ARGUMENT the field, for USAGE Asterisk's usage text. */
    readonly detail: string,
    /** The method that failed, as `getData`. */
    readonly command: string,
  ) {
    const advice = code.startsWith("UNKNOWN(") ? "a newer version of this library would know this code" : ADVICE[code];
    super(`${command}: ${code}${detail === "" ? "" : ` (${detail})`}${advice === undefined ? "" : `; ${advice}`}`);
  }
}

/** The bridge is gone, or the stream broke, or this instance let the call go. Another instance may have the call now. */
export class CallLostError extends AgiBridgeError {
  override name = "CallLostError";
}

/** The caller entered nothing that would do, in all tries of `ask`, `menu` or `confirm`. */
export class NoInputError extends AgiBridgeError {
  override name = "NoInputError";
}

/** A fault in the handler's own program, as a command on another handler's call. */
export class MisuseError extends AgiBridgeError {
  override name = "MisuseError";
}

/** What was thrown, in words. */
export function textOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  return typeof thrown === "string" ? thrown : inspect(thrown);
}

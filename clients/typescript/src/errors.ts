// The errors that a handler can meet. Each message says what to do.
import { inspect } from "node:util";
import { status } from "@grpc/grpc-js";

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

/** gRPC's name of a status, as `PERMISSION_DENIED`. */
export type StatusName = keyof typeof status;

const MANAGER_ADVICE: Partial<Record<StatusName, string>> = {
  UNAUTHENTICATED: "show a token or a certificate that stands in the bridge's api.clients",
  PERMISSION_DENIED: "have it granted in the bridge's api.clients",
  INVALID_ARGUMENT: "correct the field that is named",
  NOT_FOUND: "name a server that stands in the bridge's managers",
  RESOURCE_EXHAUSTED: "ask less at a time, or have the limit raised in the bridge's api.clients",
  UNAVAILABLE: "the bridge, or its link to Asterisk, is away; ask again later",
  UNKNOWN: "it was sent, and may have been done",
  DEADLINE_EXCEEDED: "it may have been done",
  CANCELLED: "it may have been done",
  ALREADY_EXISTS: "this requestId belongs to another request; take a new one",
  FAILED_PRECONDITION: "grant the class system in manager.conf, or pass an empty requestId",
  UNIMPLEMENTED: "this bridge has no managers, or is older than this library",
};

/** The bridge refused what a manager client asked for, or could not be asked. */
export class ManagerError extends AgiBridgeError {
  override name = "ManagerError";

  constructor(
    readonly code: StatusName,
    /** What the bridge said, for people. */
    readonly detail: string,
    /** What was asked for, as `Originate`. */
    readonly method: string,
    /** Of an originate: with it, it is safe to ask again. */
    readonly requestId?: string,
  ) {
    const advice = MANAGER_ADVICE[code] ?? "see the bridge's log";
    super(`${method}: ${code}${detail === "" ? "" : ` (${detail})`}; ${advice}`);
  }
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

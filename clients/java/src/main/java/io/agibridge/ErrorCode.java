package io.agibridge;

import io.agibridge.internal.v1.CommandError;

/** Why a command failed. */
public enum ErrorCode {
  /** The bridge did not say. */
  UNSPECIFIED,
  /** The bridge refused the command and wrote nothing: {@code detail} names the field. */
  INVALID_ARGUMENT,
  /** The route does not allow the command, application or variable. */
  NOT_ALLOWED,
  /** Too many commands were unanswered. This library waits for room, so it does not happen. */
  QUEUE_FULL,
  /** The command before did not succeed, and this one asked for that. */
  SKIPPED,
  /** Taken back before Asterisk had it. */
  CANCELLED,
  /** Not answered within the reply timeout. */
  TIMED_OUT,
  /** The caller is gone: you get a {@link HungUpException} instead. */
  HUNG_UP,
  /** This Asterisk does not know the command. */
  UNKNOWN_COMMAND,
  /** Asterisk did not accept the arguments: {@code detail} has its usage text. */
  USAGE,
  /** Asterisk tried and failed, as for a missing file; the channel is up. */
  FAILED,
  /** The session ended before the reply came. */
  CALL_ENDED,
  /** EXEC: there is no such application. */
  NO_SUCH_APPLICATION,
  /** The reply is no reply to this command. */
  PROTOCOL_ERROR,
  /**
   * One that this version of the library does not know; {@link CommandException#codeName} has its
   * number.
   */
  UNKNOWN;

  /** The contract's number; of any but {@link #UNKNOWN}, which has none. */
  int number() {
    return CommandError.Code.valueOf("CODE_" + name()).getNumber();
  }
}

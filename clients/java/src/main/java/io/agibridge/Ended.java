package io.agibridge;

import io.agibridge.internal.v1.CallEnded;
import java.time.Duration;

/**
 * The end of the session, or of this service's part in it.
 *
 * @param reason why
 * @param detail for people, in English
 * @param duration how long the session was
 * @param commands how many commands of the service were written to Asterisk
 * @param reasonNumber the number of {@code reason} in the contract, which also a newer one has
 */
public record Ended(
    Reason reason, String detail, Duration duration, long commands, int reasonNumber) {
  /** Why a session ended. */
  public enum Reason {
    /** The bridge did not say. */
    UNSPECIFIED,
    /** The service ended it. */
    SERVICE,
    /** The caller hung up. */
    HANGUP,
    /** It was handed to another route. */
    HANDOFF,
    /** Asterisk closed or broke the connection, with no hangup seen. */
    CONNECTION_LOST,
    /** What came over the wire made no sense. */
    PROTOCOL_ERROR,
    /** The bridge's drain deadline passed. */
    DRAINED,
    /** A limit of the bridge was reached, as the longest session allowed. */
    LIMIT,
    /** An operator ended it. */
    OPERATOR,
    /** One that this version of the library does not know. */
    UNKNOWN
  }

  static Ended of(CallEnded ended) {
    return new Ended(
        Results.constant(Reason.values(), ended.getReasonValue()),
        ended.getDetail(),
        Protos.duration(ended.getDuration()),
        Integer.toUnsignedLong(ended.getCommands()),
        ended.getReasonValue());
  }
}

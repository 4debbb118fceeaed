package io.agibridge;

import java.time.Duration;

/**
 * The caller is gone, or the channel was taken elsewhere by a redirect, which Asterisk tells in the
 * same words.
 *
 * @param source how the bridge knows
 * @param grace how long the handler has, from the hangup; zero when Asterisk has closed the
 *     connection
 * @param sourceNumber the number of {@code source} in the contract, which also a newer one has
 */
public record Hangup(Source source, Duration grace, int sourceNumber) {
  /** How the bridge knows. */
  public enum Source {
    /** The bridge did not say. */
    UNSPECIFIED,
    /** Asterisk said so. */
    SIGNAL,
    /** The reply to a command said so. */
    REPLY,
    /** Asterisk closed the connection. */
    CONNECTION,
    /** The service's own {@code hangUp}. */
    SERVICE,
    /** One that this version of the library does not know. */
    UNKNOWN
  }

  static Hangup of(io.agibridge.internal.v1.Hangup hangup) {
    return new Hangup(
        Results.constant(Source.values(), hangup.getSourceValue()),
        Protos.duration(hangup.getGrace()),
        hangup.getSourceValue());
  }
}

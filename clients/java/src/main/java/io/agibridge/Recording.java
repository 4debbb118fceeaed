package io.agibridge;

import java.util.Optional;

/**
 * A recording.
 *
 * @param end why it ended
 * @param digit the digit that ended it, with {@link End#DIGIT}
 * @param endSamples the length of the file, in samples
 * @param endNumber the number of {@code end} in the contract, which also a newer one has
 */
public record Recording(End end, Optional<String> digit, long endSamples, int endNumber) {
  /** Why a recording ended. */
  public enum End {
    /** The bridge did not say. */
    UNSPECIFIED,
    /** An escape digit was pressed. */
    DIGIT,
    /** It got as long as it may. */
    TIMEOUT,
    /** The caller was silent for long enough. */
    SILENCE,
    /** The caller hung up. What was said before is in the file. */
    HANGUP,
    /** One that this version of the library does not know. */
    UNKNOWN
  }
}

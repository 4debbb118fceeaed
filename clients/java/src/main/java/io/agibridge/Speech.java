package io.agibridge;

import java.util.List;
import java.util.Optional;

/**
 * What SPEECH RECOGNIZE heard.
 *
 * @param end why it ended
 * @param matches what was recognized, best first
 * @param digit the digit that ended it, with {@link End#DIGIT}
 * @param endSamples where the prompt stopped, in samples
 * @param endNumber the number of {@code end} in the contract, which also a newer one has
 */
public record Speech(
    End end, List<Match> matches, Optional<String> digit, long endSamples, int endNumber) {
  /**
   * Something that was recognized.
   *
   * @param score how sure the engine is, as it counts
   * @param text what was said
   * @param grammar the grammar that it fits
   */
  public record Match(int score, String text, String grammar) {}

  /** Why the recognition ended. */
  public enum End {
    /** The bridge did not say. */
    UNSPECIFIED,
    /** Speech was recognized. */
    SPEECH,
    /** A digit was pressed. */
    DIGIT,
    /** Nothing was said in time. */
    TIMEOUT,
    /** The caller hung up. */
    HANGUP,
    /** One that this version of the library does not know. */
    UNKNOWN
  }
}

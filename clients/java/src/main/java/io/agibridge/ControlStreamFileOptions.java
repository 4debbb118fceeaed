package io.agibridge;

import java.time.Duration;
import java.util.Map;

/**
 * Options of {@code controlStreamFile}. Begin with one, and chain the others; instances never
 * change.
 */
public sealed interface ControlStreamFileOptions permits ControlStreamFileOptions.Settings {
  /**
   * No option: every default.
   *
   * @return the options
   */
  static Settings none() {
    return new Settings(Map.of());
  }

  /**
   * Begins with escapeDigits.
   *
   * @param escapeDigits the digits that stop it, any of {@code 0-9*#}; none unless set
   * @return the options
   */
  static Settings escapeDigits(String escapeDigits) {
    return new Settings(Map.of()).escapeDigits(escapeDigits);
  }

  /**
   * Begins with skip.
   *
   * @param skip how far one press of forward or rewind moves; 3 s unless set
   * @return the options
   */
  static Settings skip(Duration skip) {
    return new Settings(Map.of()).skip(skip);
  }

  /**
   * Begins with forwardDigit.
   *
   * @param forwardDigit the digit that winds forward; {@code #} unless set
   * @return the options
   */
  static Settings forwardDigit(String forwardDigit) {
    return new Settings(Map.of()).forwardDigit(forwardDigit);
  }

  /**
   * Begins with rewindDigit.
   *
   * @param rewindDigit the digit that winds back; {@code *} unless set
   * @return the options
   */
  static Settings rewindDigit(String rewindDigit) {
    return new Settings(Map.of()).rewindDigit(rewindDigit);
  }

  /**
   * Begins with pauseDigit.
   *
   * @param pauseDigit the digit that pauses and goes on; none unless set
   * @return the options
   */
  static Settings pauseDigit(String pauseDigit) {
    return new Settings(Map.of()).pauseDigit(pauseDigit);
  }

  /**
   * Begins with offset.
   *
   * @param offset where to begin
   * @return the options
   */
  static Settings offset(Duration offset) {
    return new Settings(Map.of()).offset(offset);
  }

  /**
   * Begins with replyTimeout.
   *
   * @param replyTimeout after which the bridge stops waiting, counted from when Asterisk gets the
   *     command; it fails with TIMED_OUT then
   * @return the options
   */
  static Settings replyTimeout(Duration replyTimeout) {
    return new Settings(Map.of()).replyTimeout(replyTimeout);
  }

  /**
   * Begins with requiresSuccess.
   *
   * @param requiresSuccess whether to skip it (SKIPPED) when the command before failed
   * @return the options
   */
  static Settings requiresSuccess(boolean requiresSuccess) {
    return new Settings(Map.of()).requiresSuccess(requiresSuccess);
  }

  /** The options that were set. */
  final class Settings extends CommandSettings<Settings> implements ControlStreamFileOptions {
    private Settings(Map<String, Object> fields) {
      super(fields);
    }

    static Settings of(ControlStreamFileOptions options) {
      return (Settings) options;
    }

    @Override
    Settings with(Map<String, Object> fields) {
      return new Settings(fields);
    }

    /**
     * Sets escapeDigits.
     *
     * @param escapeDigits the digits that stop it, any of {@code 0-9*#}; none unless set
     * @return the options, with this one
     */
    public Settings escapeDigits(String escapeDigits) {
      return set("escape_digits", escapeDigits);
    }

    /**
     * Sets skip.
     *
     * @param skip how far one press of forward or rewind moves; 3 s unless set
     * @return the options, with this one
     */
    public Settings skip(Duration skip) {
      return set("skip", Protos.duration(skip));
    }

    /**
     * Sets forwardDigit.
     *
     * @param forwardDigit the digit that winds forward; {@code #} unless set
     * @return the options, with this one
     */
    public Settings forwardDigit(String forwardDigit) {
      return set("forward_digit", forwardDigit);
    }

    /**
     * Sets rewindDigit.
     *
     * @param rewindDigit the digit that winds back; {@code *} unless set
     * @return the options, with this one
     */
    public Settings rewindDigit(String rewindDigit) {
      return set("rewind_digit", rewindDigit);
    }

    /**
     * Sets pauseDigit.
     *
     * @param pauseDigit the digit that pauses and goes on; none unless set
     * @return the options, with this one
     */
    public Settings pauseDigit(String pauseDigit) {
      return set("pause_digit", pauseDigit);
    }

    /**
     * Sets offset.
     *
     * @param offset where to begin
     * @return the options, with this one
     */
    public Settings offset(Duration offset) {
      return set("offset", Protos.duration(offset));
    }
  }
}

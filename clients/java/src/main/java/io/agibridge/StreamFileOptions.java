package io.agibridge;

import java.time.Duration;
import java.util.Map;

/** Options of {@code streamFile}. Begin with one, and chain the others; instances never change. */
public sealed interface StreamFileOptions permits StreamFileOptions.Settings {
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
   * Begins with offsetSamples.
   *
   * @param offsetSamples where to begin, in samples of the file (8,000 a second for telephone
   *     audio)
   * @return the options
   */
  static Settings offsetSamples(long offsetSamples) {
    return new Settings(Map.of()).offsetSamples(offsetSamples);
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
  final class Settings extends CommandSettings<Settings> implements StreamFileOptions {
    private Settings(Map<String, Object> fields) {
      super(fields);
    }

    static Settings of(StreamFileOptions options) {
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
     * Sets offsetSamples.
     *
     * @param offsetSamples where to begin, in samples of the file (8,000 a second for telephone
     *     audio)
     * @return the options, with this one
     */
    public Settings offsetSamples(long offsetSamples) {
      return set("offset_samples", Protos.uint32("offsetSamples", offsetSamples));
    }
  }
}

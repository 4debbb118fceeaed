package io.agibridge;

import java.time.Duration;
import java.util.Map;

/** Options of {@code sayAlpha}. Begin with one, and chain the others; instances never change. */
public sealed interface SayAlphaOptions permits SayAlphaOptions.Settings {
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
   * Begins with spokenCase.
   *
   * @param spokenCase which letters have their case spoken; none unless set
   * @return the options
   */
  static Settings spokenCase(SpokenCase spokenCase) {
    return new Settings(Map.of()).spokenCase(spokenCase);
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
  final class Settings extends CommandSettings<Settings> implements SayAlphaOptions {
    private Settings(Map<String, Object> fields) {
      super(fields);
    }

    static Settings of(SayAlphaOptions options) {
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
     * Sets spokenCase.
     *
     * @param spokenCase which letters have their case spoken; none unless set
     * @return the options, with this one
     */
    public Settings spokenCase(SpokenCase spokenCase) {
      return set("spoken_case", spokenCase.proto().getValueDescriptor());
    }
  }
}

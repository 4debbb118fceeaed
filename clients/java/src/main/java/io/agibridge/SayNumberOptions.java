package io.agibridge;

import java.time.Duration;
import java.util.Map;

/** Options of {@code sayNumber}. Begin with one, and chain the others; instances never change. */
public sealed interface SayNumberOptions permits SayNumberOptions.Settings {
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
   * Begins with gender.
   *
   * @param gender as the channel's language takes it: {@code m}, {@code f}, {@code n}, {@code c}
   * @return the options
   */
  static Settings gender(String gender) {
    return new Settings(Map.of()).gender(gender);
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
  final class Settings extends CommandSettings<Settings> implements SayNumberOptions {
    private Settings(Map<String, Object> fields) {
      super(fields);
    }

    static Settings of(SayNumberOptions options) {
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
     * Sets gender.
     *
     * @param gender as the channel's language takes it: {@code m}, {@code f}, {@code n}, {@code c}
     * @return the options, with this one
     */
    public Settings gender(String gender) {
      return set("gender", gender);
    }
  }
}

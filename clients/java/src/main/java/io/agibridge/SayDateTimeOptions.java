package io.agibridge;

import java.time.Duration;
import java.time.ZoneId;
import java.util.Map;

/** Options of {@code sayDateTime}. Begin with one, and chain the others; instances never change. */
public sealed interface SayDateTimeOptions permits SayDateTimeOptions.Settings {
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
   * Begins with format.
   *
   * @param format as voicemail.conf writes it, as {@code ABdY 'digits/at' IMp}; Asterisk's own
   *     unless set
   * @return the options
   */
  static Settings format(String format) {
    return new Settings(Map.of()).format(format);
  }

  /**
   * Begins with timeZone.
   *
   * @param timeZone the zone; that of Asterisk's machine unless set
   * @return the options
   */
  static Settings timeZone(ZoneId timeZone) {
    return new Settings(Map.of()).timeZone(timeZone);
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
  final class Settings extends CommandSettings<Settings> implements SayDateTimeOptions {
    private Settings(Map<String, Object> fields) {
      super(fields);
    }

    static Settings of(SayDateTimeOptions options) {
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
     * Sets format.
     *
     * @param format as voicemail.conf writes it, as {@code ABdY 'digits/at' IMp}; Asterisk's own
     *     unless set
     * @return the options, with this one
     */
    public Settings format(String format) {
      return set("format", format);
    }

    /**
     * Sets timeZone.
     *
     * @param timeZone the zone; that of Asterisk's machine unless set
     * @return the options, with this one
     */
    public Settings timeZone(ZoneId timeZone) {
      return set("time_zone", timeZone.getId());
    }
  }
}

package io.agibridge;

import java.time.Duration;
import java.util.Map;

/** Options of {@code recordFile}. Begin with one, and chain the others; instances never change. */
public sealed interface RecordFileOptions permits RecordFileOptions.Settings {
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
   * Begins with timeout.
   *
   * @param timeout how long it may get; no limit unless set
   * @return the options
   */
  static Settings timeout(Duration timeout) {
    return new Settings(Map.of()).timeout(timeout);
  }

  /**
   * Begins with offsetSamples.
   *
   * @param offsetSamples append from this sample on
   * @return the options
   */
  static Settings offsetSamples(long offsetSamples) {
    return new Settings(Map.of()).offsetSamples(offsetSamples);
  }

  /**
   * Begins with beep.
   *
   * @param beep whether a beep is played first
   * @return the options
   */
  static Settings beep(boolean beep) {
    return new Settings(Map.of()).beep(beep);
  }

  /**
   * Begins with silence.
   *
   * @param silence stop after that much silence, in whole seconds; never unless set
   * @return the options
   */
  static Settings silence(Duration silence) {
    return new Settings(Map.of()).silence(silence);
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
  final class Settings extends CommandSettings<Settings> implements RecordFileOptions {
    private Settings(Map<String, Object> fields) {
      super(fields);
    }

    static Settings of(RecordFileOptions options) {
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
     * Sets timeout.
     *
     * @param timeout how long it may get; no limit unless set
     * @return the options, with this one
     */
    public Settings timeout(Duration timeout) {
      return set("timeout", Protos.duration(timeout));
    }

    /**
     * Sets offsetSamples.
     *
     * @param offsetSamples append from this sample on
     * @return the options, with this one
     */
    public Settings offsetSamples(long offsetSamples) {
      return set("offset_samples", Protos.uint32("offsetSamples", offsetSamples));
    }

    /**
     * Sets beep.
     *
     * @param beep whether a beep is played first
     * @return the options, with this one
     */
    public Settings beep(boolean beep) {
      return set("beep", beep);
    }

    /**
     * Sets silence.
     *
     * @param silence stop after that much silence, in whole seconds; never unless set
     * @return the options, with this one
     */
    public Settings silence(Duration silence) {
      return set("silence", Protos.duration(silence));
    }
  }
}

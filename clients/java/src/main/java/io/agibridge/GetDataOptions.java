package io.agibridge;

import java.time.Duration;
import java.util.Map;

/** Options of {@code getData}. Begin with one, and chain the others; instances never change. */
public sealed interface GetDataOptions permits GetDataOptions.Settings {
  /**
   * No option: every default.
   *
   * @return the options
   */
  static Settings none() {
    return new Settings(Map.of());
  }

  /**
   * Begins with timeout.
   *
   * @param timeout before the first digit and between digits, from the prompt's end; 6 s and 2 s
   *     unless set
   * @return the options
   */
  static Settings timeout(Duration timeout) {
    return new Settings(Map.of()).timeout(timeout);
  }

  /**
   * Begins with maxDigits.
   *
   * @param maxDigits how many digits at most, up to 1023; 0: as many as come before {@code #} or
   *     the timeout
   * @return the options
   */
  static Settings maxDigits(int maxDigits) {
    return new Settings(Map.of()).maxDigits(maxDigits);
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
  final class Settings extends CommandSettings<Settings> implements GetDataOptions {
    private Settings(Map<String, Object> fields) {
      super(fields);
    }

    static Settings of(GetDataOptions options) {
      return (Settings) options;
    }

    @Override
    Settings with(Map<String, Object> fields) {
      return new Settings(fields);
    }

    /**
     * Sets timeout.
     *
     * @param timeout before the first digit and between digits, from the prompt's end; 6 s and 2 s
     *     unless set
     * @return the options, with this one
     */
    public Settings timeout(Duration timeout) {
      return set("timeout", Protos.duration(timeout));
    }

    /**
     * Sets maxDigits.
     *
     * @param maxDigits how many digits at most, up to 1023; 0: as many as come before {@code #} or
     *     the timeout
     * @return the options, with this one
     */
    public Settings maxDigits(int maxDigits) {
      return set("max_digits", maxDigits);
    }
  }
}

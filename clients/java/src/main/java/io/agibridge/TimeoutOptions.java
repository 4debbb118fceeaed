package io.agibridge;

import java.time.Duration;
import java.util.Map;

/**
 * Options of commands that wait for the caller. Begin with one, and chain the others; instances
 * never change.
 */
public sealed interface TimeoutOptions permits TimeoutOptions.Settings {
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
   * @param timeout how long to wait; for GET OPTION from the prompt's end, 5 s unless set, else
   *     without limit
   * @return the options
   */
  static Settings timeout(Duration timeout) {
    return new Settings(Map.of()).timeout(timeout);
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
  final class Settings extends CommandSettings<Settings> implements TimeoutOptions {
    private Settings(Map<String, Object> fields) {
      super(fields);
    }

    static Settings of(TimeoutOptions options) {
      return (Settings) options;
    }

    @Override
    Settings with(Map<String, Object> fields) {
      return new Settings(fields);
    }

    /**
     * Sets timeout.
     *
     * @param timeout how long to wait; for GET OPTION from the prompt's end, 5 s unless set, else
     *     without limit
     * @return the options, with this one
     */
    public Settings timeout(Duration timeout) {
      return set("timeout", Protos.duration(timeout));
    }
  }
}

package io.agibridge;

import java.time.Duration;
import java.util.Map;

/**
 * Options of {@code speechRecognize}. Begin with one, and chain the others; instances never change.
 */
public sealed interface SpeechRecognizeOptions permits SpeechRecognizeOptions.Settings {
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
   * @param timeout from the prompt's end, in whole seconds; no limit unless set
   * @return the options
   */
  static Settings timeout(Duration timeout) {
    return new Settings(Map.of()).timeout(timeout);
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
  final class Settings extends CommandSettings<Settings> implements SpeechRecognizeOptions {
    private Settings(Map<String, Object> fields) {
      super(fields);
    }

    static Settings of(SpeechRecognizeOptions options) {
      return (Settings) options;
    }

    @Override
    Settings with(Map<String, Object> fields) {
      return new Settings(fields);
    }

    /**
     * Sets timeout.
     *
     * @param timeout from the prompt's end, in whole seconds; no limit unless set
     * @return the options, with this one
     */
    public Settings timeout(Duration timeout) {
      return set("timeout", Protos.duration(timeout));
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

package io.agibridge;

import java.time.Duration;

/** Options of {@link Call#menu}. Begin with one, and chain the others; instances never change. */
public sealed interface MenuOptions permits MenuOptions.Settings {
  /**
   * No option: every default.
   *
   * @return the options
   */
  static Settings none() {
    return Settings.DEFAULT;
  }

  /**
   * Begins with timeout.
   *
   * @param timeout how long each try waits, from the prompt's end; 5 s unless set
   * @return the options
   */
  static Settings timeout(Duration timeout) {
    return Settings.DEFAULT.timeout(timeout);
  }

  /**
   * Begins with tries.
   *
   * @param tries how often the caller is asked, at least once; 3 unless set
   * @return the options
   */
  static Settings tries(int tries) {
    return Settings.DEFAULT.tries(tries);
  }

  /**
   * Begins with invalid.
   *
   * @param invalid the file that is played after what will not do; none unless set
   * @return the options
   */
  static Settings invalid(String invalid) {
    return Settings.DEFAULT.invalid(invalid);
  }

  /** The options that were set. */
  final class Settings implements MenuOptions {
    private static final Settings DEFAULT = new Settings(Asked.DEFAULT);

    private final Asked asked;

    private Settings(Asked asked) {
      this.asked = asked;
    }

    static Settings of(MenuOptions options) {
      return (Settings) options;
    }

    Asked asked() {
      return asked;
    }

    /**
     * Sets timeout.
     *
     * @param timeout how long each try waits, from the prompt's end; 5 s unless set
     * @return the options, with this one
     */
    public Settings timeout(Duration timeout) {
      return new Settings(asked.withTimeout(timeout));
    }

    /**
     * Sets tries.
     *
     * @param tries how often the caller is asked, at least once; 3 unless set
     * @return the options, with this one
     */
    public Settings tries(int tries) {
      return new Settings(asked.withTries(tries));
    }

    /**
     * Sets invalid.
     *
     * @param invalid the file that is played after what will not do; none unless set
     * @return the options, with this one
     */
    public Settings invalid(String invalid) {
      return new Settings(asked.withInvalid(invalid));
    }
  }
}

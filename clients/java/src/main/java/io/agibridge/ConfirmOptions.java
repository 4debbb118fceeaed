package io.agibridge;

import java.time.Duration;

/**
 * Options of {@link Call#confirm}. Begin with one, and chain the others; instances never change.
 */
public sealed interface ConfirmOptions permits ConfirmOptions.Settings {
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

  /**
   * Begins with yes.
   *
   * @param yes the digit for yes; {@code 1} unless set
   * @return the options
   */
  static Settings yes(String yes) {
    return Settings.DEFAULT.yes(yes);
  }

  /**
   * Begins with no.
   *
   * @param no the digit for no; {@code 2} unless set
   * @return the options
   */
  static Settings no(String no) {
    return Settings.DEFAULT.no(no);
  }

  /** The options that were set. */
  final class Settings implements ConfirmOptions {
    private static final Settings DEFAULT = new Settings(Asked.DEFAULT, "1", "2");

    private final Asked asked;
    private final String yes;
    private final String no;

    private Settings(Asked asked, String yes, String no) {
      this.asked = asked;
      this.yes = yes;
      this.no = no;
    }

    static Settings of(ConfirmOptions options) {
      return (Settings) options;
    }

    Asked asked() {
      return asked;
    }

    String yes() {
      return yes;
    }

    String no() {
      return no;
    }

    /**
     * Sets timeout.
     *
     * @param timeout how long each try waits, from the prompt's end; 5 s unless set
     * @return the options, with this one
     */
    public Settings timeout(Duration timeout) {
      return new Settings(asked.withTimeout(timeout), yes, no);
    }

    /**
     * Sets tries.
     *
     * @param tries how often the caller is asked, at least once; 3 unless set
     * @return the options, with this one
     */
    public Settings tries(int tries) {
      return new Settings(asked.withTries(tries), yes, no);
    }

    /**
     * Sets invalid.
     *
     * @param invalid the file that is played after what will not do; none unless set
     * @return the options, with this one
     */
    public Settings invalid(String invalid) {
      return new Settings(asked.withInvalid(invalid), yes, no);
    }

    /**
     * Sets yes.
     *
     * @param yes the digit for yes; {@code 1} unless set
     * @return the options, with this one
     */
    public Settings yes(String yes) {
      return new Settings(asked, yes, no);
    }

    /**
     * Sets no.
     *
     * @param no the digit for no; {@code 2} unless set
     * @return the options, with this one
     */
    public Settings no(String no) {
      return new Settings(asked, yes, no);
    }
  }
}

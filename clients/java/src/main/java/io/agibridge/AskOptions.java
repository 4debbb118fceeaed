package io.agibridge;

import java.time.Duration;
import java.util.Optional;
import java.util.function.Predicate;

/** Options of {@link Call#ask}. Begin with one, and chain the others; instances never change. */
public sealed interface AskOptions permits AskOptions.Settings {
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
   * Begins with validate.
   *
   * @param validate which digits will do; all unless set
   * @return the options
   */
  static Settings validate(Predicate<String> validate) {
    return Settings.DEFAULT.validate(validate);
  }

  /** The options that were set. */
  final class Settings implements AskOptions {
    private static final Settings DEFAULT = new Settings(Asked.DEFAULT, digits -> true);

    private final Asked asked;
    private final Predicate<String> validate;

    private Settings(Asked asked, Predicate<String> validate) {
      this.asked = asked;
      this.validate = validate;
    }

    static Settings of(AskOptions options) {
      return (Settings) options;
    }

    Duration timeout() {
      return asked.timeout();
    }

    int tries() {
      return asked.tries();
    }

    Optional<String> invalid() {
      return asked.invalid();
    }

    boolean accepts(String digits) {
      return validate.test(digits);
    }

    /**
     * Sets timeout.
     *
     * @param timeout how long each try waits, from the prompt's end; 5 s unless set
     * @return the options, with this one
     */
    public Settings timeout(Duration timeout) {
      return new Settings(asked.withTimeout(timeout), validate);
    }

    /**
     * Sets tries.
     *
     * @param tries how often the caller is asked, at least once; 3 unless set
     * @return the options, with this one
     */
    public Settings tries(int tries) {
      return new Settings(asked.withTries(tries), validate);
    }

    /**
     * Sets invalid.
     *
     * @param invalid the file that is played after what will not do; none unless set
     * @return the options, with this one
     */
    public Settings invalid(String invalid) {
      return new Settings(asked.withInvalid(invalid), validate);
    }

    /**
     * Sets validate.
     *
     * @param validate which digits will do; all unless set
     * @return the options, with this one
     */
    public Settings validate(Predicate<String> validate) {
      return new Settings(asked, validate);
    }
  }
}

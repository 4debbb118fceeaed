package io.agibridge;

/**
 * The caller entered nothing that would do, in all tries of {@code ask}, {@code menu} or {@code
 * confirm}.
 */
public final class NoInputException extends AgiBridgeException {
  private static final long serialVersionUID = 1L;

  /** How often the caller was asked. */
  private final int tries;

  NoInputException(String prompt, int tries) {
    super(
        "nothing that would do was entered at the prompt "
            + prompt
            + " in "
            + tries
            + (tries == 1 ? " try" : " tries")
            + "; catch this exception to go on without, otherwise the call ends normally",
        null);
    this.tries = tries;
  }

  /**
   * How often the caller was asked.
   *
   * @return the number of tries
   */
  public int tries() {
    return tries;
  }
}

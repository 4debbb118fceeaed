package io.agibridge;

/**
 * The caller is gone, and the command needs a live channel. Let it pass: a handler that ends with
 * it ends well. Variables, the database and EXEC still work; see {@link Call#whenHungUp} for those
 * who wait for something else.
 */
public final class HungUpException extends AgiBridgeException {
  private static final long serialVersionUID = 1L;

  /** The command that needed the caller. */
  private final String command;

  HungUpException(String command, String detail) {
    super(
        "the caller is gone, so "
            + command
            + " was not done; let this exception end the handler, or store what must be stored within the grace"
            + (detail.isEmpty() ? "" : " (" + detail + ")"),
        null);
    this.command = command;
  }

  /**
   * The command that needed the caller.
   *
   * @return its name, as its method has it
   */
  public String command() {
    return command;
  }
}

package io.agibridge;

/** A command failed, with the caller still there. The call goes on. */
public final class CommandException extends AgiBridgeException {
  private static final long serialVersionUID = 1L;

  /** The command that failed. */
  private final String command;

  /** Why. */
  private final ErrorCode code;

  /** Why, as the contract has it. */
  private final int codeNumber;

  /** What the bridge says about it. */
  private final String detail;

  CommandException(String command, int codeNumber, String detail) {
    super(message(command, codeNumber, detail), null);
    this.command = command;
    this.code = code(codeNumber);
    this.codeNumber = codeNumber;
    this.detail = detail;
  }

  CommandException(String command, ErrorCode code, String detail) {
    this(command, code.number(), detail);
  }

  /**
   * Which command failed.
   *
   * @return its name, as its method has it
   */
  public String command() {
    return command;
  }

  /**
   * Why it failed.
   *
   * @return the code; {@link ErrorCode#UNKNOWN} for one of a newer bridge
   */
  public ErrorCode code() {
    return code;
  }

  /**
   * The code's number in the contract.
   *
   * @return the number, which also a code of a newer bridge has
   */
  public int codeNumber() {
    return codeNumber;
  }

  /**
   * The code for logs.
   *
   * @return as {@code FAILED}, or {@code UNKNOWN(77)} for one of a newer bridge
   */
  public String codeName() {
    return name(codeNumber);
  }

  /**
   * What the bridge or Asterisk says about it.
   *
   * @return for people, in English; may be empty
   */
  public String detail() {
    return detail;
  }

  private static ErrorCode code(int number) {
    return Results.constant(ErrorCode.values(), number);
  }

  private static String name(int number) {
    ErrorCode code = code(number);
    return code == ErrorCode.UNKNOWN ? "UNKNOWN(" + number + ")" : code.name();
  }

  private static String message(String command, int number, String detail) {
    return command
        + " failed: "
        + name(number)
        + (detail.isEmpty() ? "" : ", " + detail)
        + advice(code(number));
  }

  private static String advice(ErrorCode code) {
    return switch (code) {
      case INVALID_ARGUMENT -> "; correct the argument that is named";
      case NOT_ALLOWED -> "; the route in the bridge's configuration forbids it";
      case QUEUE_FULL -> "; wait for results before sending more";
      case SKIPPED -> "; look at the result of the command before";
      case TIMED_OUT -> "; Asterisk may still be busy with it, and the next command waits for that";
      case UNKNOWN_COMMAND -> "; load the module of Asterisk that has it";
      case USAGE -> "; correct the arguments";
      case FAILED -> "; check that the file or key is there, and see Asterisk's log";
      case CALL_ENDED -> "; the session is over, end the handler";
      case NO_SUCH_APPLICATION -> "; check the application's name, or load its module";
      case PROTOCOL_ERROR -> "; see the bridge's log";
      case UNKNOWN ->
          "; it is of a newer bridge, and a newer version of this library would know it";
      case UNSPECIFIED, CANCELLED, HUNG_UP -> "";
    };
  }
}

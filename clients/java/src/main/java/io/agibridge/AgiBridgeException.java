package io.agibridge;

/** The base of all errors of this library. They are unchecked: a handler lets most of them pass. */
public abstract sealed class AgiBridgeException extends RuntimeException
    permits HungUpException,
        CommandException,
        CallLostException,
        NoInputException,
        MisuseException,
        CallInterruptedException,
        WorkerRefusedException,
        ManagerException {
  private static final long serialVersionUID = 1L;

  AgiBridgeException(String message, Throwable cause) {
    super(message, cause);
  }
}

package io.agibridge;

/**
 * The thread was interrupted while it waited for the call: by the library, when the handler's time
 * was over, or by the program itself. The command was taken back if Asterisk did not have it yet.
 * The thread is still marked as interrupted.
 */
public final class CallInterruptedException extends AgiBridgeException {
  private static final long serialVersionUID = 1L;

  CallInterruptedException(String what) {
    super(
        "the thread was interrupted while it waited for "
            + what
            + "; let this exception end the handler, or clear the mark by Thread.interrupted() to go on",
        null);
  }
}

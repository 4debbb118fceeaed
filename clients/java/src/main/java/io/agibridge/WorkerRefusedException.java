package io.agibridge;

/**
 * A bridge does not let this worker in, and trying again would not help. The message says what to
 * do.
 */
public final class WorkerRefusedException extends AgiBridgeException {
  private static final long serialVersionUID = 1L;

  WorkerRefusedException(String message, Throwable cause) {
    super(message, cause);
  }
}

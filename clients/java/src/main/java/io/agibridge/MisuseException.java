package io.agibridge;

/** A fault in the handler's own program, as a command on a call that is not this handler's. */
public final class MisuseException extends AgiBridgeException {
  private static final long serialVersionUID = 1L;

  MisuseException(String message) {
    super(message, null);
  }
}

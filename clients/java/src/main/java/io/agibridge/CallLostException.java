package io.agibridge;

/**
 * The bridge is gone, or the stream of the call broke: nothing can be done for this call any more.
 * The bridge seeks another service for it, as its route says; let this exception end the handler.
 */
public final class CallLostException extends AgiBridgeException {
  private static final long serialVersionUID = 1L;

  CallLostException(String why) {
    super(
        "the call is lost to this service: " + why + "; let this exception end the handler", null);
  }
}

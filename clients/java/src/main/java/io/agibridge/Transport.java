package io.agibridge;

import io.agibridge.internal.v1.CallControl;

/**
 * How a {@link CallMachine} reaches its bridge. The machine calls it under its own lock, so never
 * from two threads at once, and nothing after {@link #close}. None of the methods may block.
 */
interface Transport {
  /** How the stream ends. */
  enum Close {
    /** All is said. */
    DONE,
    /** Another instance of the service should take the call. */
    RELEASED,
    /** The service's program failed. */
    FAILED,
    /** The bridge said what makes no sense. */
    PROTOCOL_ERROR
  }

  /** False while the bridge is behind. The machine then waits for {@link CallMachine#ready}. */
  boolean isReady();

  void send(CallControl control);

  void close(Close how, String detail);
}

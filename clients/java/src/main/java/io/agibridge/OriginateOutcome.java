package io.agibridge;

/** What became of a call that was started. */
public enum OriginateOutcome {
  /** The bridge did not say. */
  UNSPECIFIED,
  /** Asterisk took it; what became of it was not waited for. */
  ACCEPTED,
  /** The channel was answered. */
  ANSWERED,
  /** The other side said so. */
  BUSY,
  /** It rang for as long as it may. */
  NO_ANSWER,
  /** The network said so. */
  CONGESTION,
  /** No such device, number or extension, or Asterisk refused it; the detail says which. */
  REFUSED,
  /** It ended in another way before it was answered; the detail says how. */
  FAILED,
  /**
   * It was sent, or may have been, and the bridge lost the link to Asterisk. It is not sent again:
   * ask again with the same request id.
   */
  UNKNOWN,
  /** One that this version of the library does not know. */
  UNRECOGNIZED
}

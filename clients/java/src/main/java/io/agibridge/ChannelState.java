package io.agibridge;

/** The states of a channel. */
public enum ChannelState {
  /** The bridge did not say. */
  UNSPECIFIED,
  /** Down, but available. */
  DOWN,
  /** Down, but reserved. */
  RESERVED,
  /** Off hook. */
  OFF_HOOK,
  /** Digits have been dialed. */
  DIALING,
  /** The line is ringing. */
  RING,
  /** The remote end is ringing. */
  RINGING,
  /** Answered. */
  UP,
  /** Busy. */
  BUSY,
  /** Asterisk knows no channel of that name. */
  NO_SUCH_CHANNEL,
  /** One that this version of the library does not know. */
  UNKNOWN
}

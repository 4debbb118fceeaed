package io.agibridge;

/** What {@code tddMode} switches to. */
public enum TddMode {
  /** Off. */
  OFF,
  /** On. */
  ON,
  /** Mate: for machines that send and receive at once. */
  MATE;

  io.agibridge.internal.v1.TddMode.Mode proto() {
    return switch (this) {
      case OFF -> io.agibridge.internal.v1.TddMode.Mode.MODE_OFF;
      case ON -> io.agibridge.internal.v1.TddMode.Mode.MODE_ON;
      case MATE -> io.agibridge.internal.v1.TddMode.Mode.MODE_MATE;
    };
  }
}

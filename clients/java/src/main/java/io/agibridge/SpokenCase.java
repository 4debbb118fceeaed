package io.agibridge;

import io.agibridge.internal.v1.SayAlpha;

/** Which letters have their case spoken by {@code sayAlpha}. */
public enum SpokenCase {
  /** None. */
  NONE,
  /** All. */
  ALL,
  /** Lower case letters. */
  LOWER,
  /** Upper case letters. */
  UPPER;

  SayAlpha.Case proto() {
    return switch (this) {
      case NONE -> SayAlpha.Case.CASE_UNSPECIFIED;
      case ALL -> SayAlpha.Case.CASE_ALL;
      case LOWER -> SayAlpha.Case.CASE_LOWER;
      case UPPER -> SayAlpha.Case.CASE_UPPER;
    };
  }
}

package io.agibridge;

import io.agibridge.internal.v1.Digit;
import java.time.Duration;

/**
 * A key that the caller pressed, on a route with {@code digits: true}.
 *
 * @param digit one of 0-9, *, # and A-D
 * @param duration how long it was held, as Asterisk says
 */
public record PressedDigit(String digit, Duration duration) {
  static PressedDigit of(Digit digit) {
    return new PressedDigit(digit.getDigit(), Protos.duration(digit.getDuration()));
  }
}

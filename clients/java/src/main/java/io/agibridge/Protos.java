package io.agibridge;

import com.google.protobuf.Timestamp;
import io.agibridge.internal.v1.Command;
import java.time.Duration;
import java.time.Instant;

/** Java's types as the contract has them, and back. */
final class Protos {
  private static final long UINT32_MAX = 0xFFFF_FFFFL;

  private Protos() {}

  static com.google.protobuf.Duration duration(Duration duration) {
    return com.google.protobuf.Duration.newBuilder()
        .setSeconds(
            duration.isNegative() && duration.getNano() > 0
                ? duration.getSeconds() + 1
                : duration.getSeconds())
        .setNanos(
            duration.isNegative() && duration.getNano() > 0
                ? duration.getNano() - 1_000_000_000
                : duration.getNano())
        .build();
  }

  /**
   * What no {@link Duration} can hold counts as zero: nothing that a bridge says may make a call
   * fail.
   */
  static Duration duration(com.google.protobuf.Duration duration) {
    try {
      return Duration.ofSeconds(duration.getSeconds(), duration.getNanos());
    } catch (ArithmeticException tooLong) {
      return Duration.ZERO;
    }
  }

  /** As many as fit. */
  static long nanos(Duration duration) {
    try {
      return duration.toNanos();
    } catch (ArithmeticException tooLong) {
      return duration.isNegative() ? 0 : Long.MAX_VALUE;
    }
  }

  static Timestamp timestamp(Instant instant) {
    return Timestamp.newBuilder()
        .setSeconds(instant.getEpochSecond())
        .setNanos(instant.getNano())
        .build();
  }

  static Instant instant(Timestamp timestamp) {
    try {
      return Instant.ofEpochSecond(timestamp.getSeconds(), timestamp.getNanos());
    } catch (java.time.DateTimeException | ArithmeticException beyond) {
      return Instant.EPOCH;
    }
  }

  static int uint32(String name, long value) {
    if (value < 0 || value > UINT32_MAX) {
      throw new IllegalArgumentException(
          name + " must be from 0 to " + UINT32_MAX + ", and is " + value);
    }
    return (int) value;
  }

  /** A command's name as its method has it: {@code getData}. */
  static String name(Command command) {
    return name(command.getCommandCase());
  }

  static String name(Command.CommandCase kind) {
    var field = Command.getDescriptor().findFieldByNumber(kind.getNumber());
    return field == null ? "a command that this library does not know" : field.getJsonName();
  }
}

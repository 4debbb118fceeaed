package io.agibridge;

import java.util.concurrent.ThreadLocalRandom;

/** The pauses between tries: each twice as long as the one before, and a little at random. */
final class Pauses {
  static final long FIRST_MS = 100;
  private static final long LAST_MS = 10_000;

  private final long first;
  private long next;

  Pauses(long first) {
    this.first = first;
    this.next = first;
  }

  void reset() {
    next = first;
  }

  /** The next one, in milliseconds. */
  long next() {
    long pause = ThreadLocalRandom.current().nextLong(next / 2, next + 1);
    next = Math.min(next * 2, LAST_MS);
    return pause;
  }
}

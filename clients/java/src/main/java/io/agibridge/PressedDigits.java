package io.agibridge;

import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.stream.Collectors;

/** The keys of one call that nobody took yet, in order. Guarded by the machine's lock. */
final class PressedDigits {
  /** As many as the bridge keeps. A caller presses some ten a second at most. */
  static final int WAITING_MAX = 64;

  private static final System.Logger LOG = System.getLogger("io.agibridge");

  private final Queue<PressedDigit> waiting = new ArrayDeque<>();
  private boolean dropped;

  void add(String callId, PressedDigit digit) {
    if (waiting.size() < WAITING_MAX) {
      waiting.add(digit);
    } else if (!dropped) {
      dropped = true;
      LOG.log(
          Level.WARNING,
          "call {0}: {1} keys of the caller wait to be taken, and newer ones are dropped; take them by nextDigit() or"
              + " takeDigits(), or set no `digits` on the route",
          callId,
          WAITING_MAX);
    }
  }

  /** The oldest, or null. */
  PressedDigit poll() {
    return waiting.poll();
  }

  String takeAll() {
    String taken = waiting.stream().map(PressedDigit::digit).collect(Collectors.joining());
    waiting.clear();
    return taken;
  }
}

package io.agibridge;

import io.agibridge.internal.v1.CommandResult;
import java.util.ArrayDeque;
import java.util.Queue;

/** A command that was sent, and the place for its result. Guarded by the machine's lock. */
final class Slot {
  /** More progress than this is not kept for a handler that does not look; the oldest goes. */
  private static final int PROGRESS_MAX = 64;

  final int id;
  final String command;
  final Queue<String> progress = new ArrayDeque<>();
  CommandResult result;
  boolean interrupted;

  Slot(int id, String command) {
    this.id = id;
    this.command = command;
  }

  void note(String text) {
    if (progress.size() == PROGRESS_MAX) {
      progress.remove();
    }
    progress.add(text);
  }
}

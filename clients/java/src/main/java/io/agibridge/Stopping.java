package io.agibridge;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;

/** The end of a server or worker: the first request drains, the second one hurries. */
final class Stopping {
  /** What drains; it hurries once the future is done. */
  interface Drain {
    void run(CompletableFuture<Void> hurry) throws InterruptedException;
  }

  private final String threadName;
  private final Drain drain;
  private final AtomicBoolean begun = new AtomicBoolean();
  private final AtomicBoolean signals = new AtomicBoolean();
  private final CompletableFuture<Void> hurry = new CompletableFuture<>();
  private final CountDownLatch over = new CountDownLatch(1);

  Stopping(String threadName, Drain drain) {
    this.threadName = threadName;
    this.drain = drain;
  }

  boolean hasBegun() {
    return begun.get();
  }

  void begin() {
    if (begun.compareAndSet(false, true)) {
      new Thread(this::run, threadName).start();
    } else {
      hurry.complete(null);
    }
  }

  private void run() {
    try {
      drain.run(hurry);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    } finally {
      over.countDown();
    }
  }

  void onSignals() {
    if (signals.compareAndSet(false, true)) {
      Signals.handle(this::begin);
    }
  }

  void await() throws InterruptedException {
    over.await();
  }
}

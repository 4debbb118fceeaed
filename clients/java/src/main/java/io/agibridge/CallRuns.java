package io.agibridge;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * The calls of a server or a worker: how many there may be, and what becomes of them at its end.
 */
final class CallRuns {
  private final CallHandler handler;
  private final Duration cleanupTimeout;
  private final int maxCalls;

  /** Those whose stream is open; each is settled at some time. */
  private final Set<CallRun> open = ConcurrentHashMap.newKeySet();

  /** Those that hold a place: until the handler is over as well. */
  private final AtomicInteger places = new AtomicInteger();

  CallRuns(CallHandler handler, Duration cleanupTimeout, int maxCalls) {
    this.handler = handler;
    this.cleanupTimeout = cleanupTimeout;
    this.maxCalls = maxCalls;
  }

  /** Takes a place for a call; false when there is none. */
  boolean reserve() {
    while (true) {
      int taken = places.get();
      if (taken >= maxCalls) {
        return false;
      }
      if (places.compareAndSet(taken, taken + 1)) {
        return true;
      }
    }
  }

  /** Gives a place back that no call came to. */
  void giveBack() {
    places.decrementAndGet();
  }

  /** Begins a call at a reserved place. */
  CallRun begin(Map<String, String> headers, Function<CallRun, Transport> transport) {
    var run = new CallRun(handler, Threads.HANDLERS, cleanupTimeout, headers, transport);
    open.add(run);
    var unused = run.settled.thenRun(() -> open.remove(run));
    unused = run.closed.thenRun(this::giveBack);
    return run;
  }

  /**
   * Waits until all calls are over; after {@code drainTimeout}, or once {@code hurry} is done,
   * releases those that are left.
   */
  void drain(Duration drainTimeout, CompletableFuture<Void> hurry) throws InterruptedException {
    CompletableFuture<Void> over = over();
    wait(CompletableFuture.anyOf(over, hurry), drainTimeout);
    for (CallRun run : List.copyOf(open)) {
      run.machine.lose(Transport.Close.RELEASED, "the service stops");
      run.cancelNow("the service stops");
    }
    wait(over(), cleanupTimeout);
  }

  int count() {
    return open.size();
  }

  private CompletableFuture<Void> over() {
    return CompletableFuture.allOf(
        open.stream().map(run -> run.settled).toArray(CompletableFuture[]::new));
  }

  private static void wait(CompletableFuture<?> future, Duration limit)
      throws InterruptedException {
    try {
      future.get(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException | ExecutionException notAll) {
      // Whoever waits goes on to the next step either way.
    }
  }
}

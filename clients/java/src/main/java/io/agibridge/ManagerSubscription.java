package io.agibridge;

import io.agibridge.internal.v1.WatchEventsResponse;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.lang.System.Logger.Level;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * Events of the manager, until it is closed. When the bridge goes away it asks again, with growing
 * pauses (0.1 to 10 s).
 */
public final class ManagerSubscription implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("io.agibridge");

  /** Where its streams come from. */
  interface Source {
    Iterator<WatchEventsResponse> open();

    void ended(ManagerSubscription subscription);
  }

  private final Source source;
  private final ManagerListener listener;
  private final Pauses pauses;
  private final Context.CancellableContext context = Context.ROOT.withCancellation();
  private final CompletableFuture<Void> ended = new CompletableFuture<>();
  private final CountDownLatch closing = new CountDownLatch(1);
  private volatile Thread thread;
  // Only its own thread has these.
  private boolean hasBegun;
  private boolean isAway;

  ManagerSubscription(Source source, ManagerListener listener, Pauses pauses) {
    this.source = source;
    this.listener = listener;
    this.pauses = pauses;
  }

  /** Hears until the end, on this thread. */
  void run() {
    thread = Thread.currentThread();
    try {
      context.call(
          () -> {
            listen();
            return null;
          });
      ended.complete(null);
    } catch (Exception fault) {
      LOG.log(Level.ERROR, "a subscription to events has ended: {0}", fault.getMessage());
      ended.completeExceptionally(fault);
    } finally {
      context.cancel(null);
      source.ended(this);
    }
  }

  private void listen() throws Exception {
    while (!context.isCancelled()) {
      Status status;
      try {
        hear(source.open());
        status = Status.UNAVAILABLE.withDescription("the bridge closed the stream");
      } catch (StreamEnded broken) {
        status = broken.status;
      }
      if (context.isCancelled()) {
        return;
      }
      ManagerException why = ManagerException.of("watch", status, null);
      if (isIncurable(status.getCode())) {
        throw why;
      }
      if (!isAway) {
        isAway = true;
        LOG.log(
            Level.WARNING,
            "the stream of events is lost, and asked for again: {0}",
            why.getMessage());
        listener.lost(why);
      }
      var unused = closing.await(pauses.next(), TimeUnit.MILLISECONDS);
    }
  }

  /** What the stream ended with, told apart from what a listener throws. */
  private static final class StreamEnded extends Exception {
    private static final long serialVersionUID = 1L;
    private final transient Status status;

    StreamEnded(StatusRuntimeException broken) {
      super(broken);
      status = broken.getStatus();
    }
  }

  private void hear(Iterator<WatchEventsResponse> items) throws Exception {
    while (hasNext(items) && !context.isCancelled()) {
      hasBegun = true;
      isAway = false;
      pauses.reset();
      tell(items.next());
    }
  }

  private static boolean hasNext(Iterator<WatchEventsResponse> items) throws StreamEnded {
    try {
      return items.hasNext();
    } catch (StatusRuntimeException broken) {
      throw new StreamEnded(broken);
    }
  }

  private void tell(WatchEventsResponse item) throws Exception {
    switch (item.getItemCase()) {
      case EVENT -> listener.event(ManagerEvent.of(item.getEvent()));
      case MISSED -> listener.missed(item.getMissed());
      case SERVER_STATE -> listener.state(ServerState.of(item.getServerState()));
      // Of a newer contract.
      case ITEM_NOT_SET -> {}
    }
  }

  /** Too many streams are one too few once the bridge has noticed that an old one is gone. */
  private boolean isIncurable(Status.Code code) {
    return switch (code) {
      case INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND, UNIMPLEMENTED -> true;
      case RESOURCE_EXHAUSTED -> !hasBegun;
      default -> false;
    };
  }

  /**
   * Waits until it has ended: until it is closed, or by an error.
   *
   * @throws ManagerException the bridge refuses it, and no retry would help
   * @throws ExecutionException the listener threw, and what
   * @throws InterruptedException the thread was interrupted; the subscription goes on
   */
  public void awaitEnd() throws ExecutionException, InterruptedException {
    try {
      ended.get();
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof ManagerException refused) {
        throw refused.again();
      }
      throw failed;
    }
  }

  /** Ends it. The listener is told nothing any more once this returns, unless it called this. */
  @Override
  public void close() {
    closing.countDown();
    context.cancel(null);
    if (Thread.currentThread() == thread) {
      return;
    }
    try {
      ended.get();
    } catch (ExecutionException told) {
      // awaitEnd tells it, and the log.
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}

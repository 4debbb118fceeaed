package io.agibridge;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Runs the handler of one call: starts it, interrupts it when its time is over, tells the bridge
 * how it ended, and reports a handler that does not end.
 */
final class CallRun implements CallMachine.Observer {
  private static final System.Logger LOG = System.getLogger("io.agibridge");

  /** For a handler that was interrupted to come to its end. */
  private static final Duration AFTER_INTERRUPT = Duration.ofSeconds(1);

  private static final int REASON_MAX = 200;

  private final CallHandler handler;
  private final Executor executor;
  private final Duration cleanupTimeout;
  private final Map<String, String> headers;
  private final CompletableFuture<Void> streamClosed = new CompletableFuture<>();
  private final CompletableFuture<Void> handlerOver = new CompletableFuture<>();

  /** Done when the handler is over and the stream closed. */
  final CompletableFuture<Void> closed = CompletableFuture.allOf(streamClosed, handlerOver);

  /** As closed, or given up: the handler does not end, and the stream was closed without it. */
  final CompletableFuture<Void> settled = new CompletableFuture<>();

  final CallMachine machine;
  private volatile Throwable failure;

  // Guarded by this.
  private Thread thread;
  private boolean begun;
  private boolean cancelled;
  private Future<?> timer;

  CallRun(
      CallHandler handler,
      Executor executor,
      Duration cleanupTimeout,
      Map<String, String> headers,
      Function<CallRun, Transport> transport) {
    this.handler = handler;
    this.executor = executor;
    this.cleanupTimeout = cleanupTimeout;
    this.headers = headers;
    this.machine = new CallMachine(transport.apply(this), this);
    var unused = closed.thenRun(() -> settled.complete(null));
  }

  /** The transport's last word. */
  void streamClosed(String why) {
    machine.streamEnded(why);
    synchronized (this) {
      if (!begun) {
        handlerOver.complete(null);
      }
    }
    streamClosed.complete(null);
  }

  /** What the handler threw, other than what ends a call well. */
  Throwable failure() {
    return failure;
  }

  @Override
  public void started() {
    synchronized (this) {
      begun = true;
    }
    try {
      executor.execute(this::run);
    } catch (RejectedExecutionException | OutOfMemoryError noThread) {
      LOG.log(
          Level.ERROR, "no thread for a call; lower max_calls, or give the process more", noThread);
      handlerOver.complete(null);
      machine.lose(Transport.Close.RELEASED, "the service has no thread for the call");
    }
  }

  @Override
  public void hungUp(Hangup hangup) {
    cancelAfter(
        hangup.grace().isZero() ? cleanupTimeout : hangup.grace(),
        "the grace after the hangup is over");
  }

  @Override
  public void over() {
    cancelAfter(cleanupTimeout, "the session is over");
  }

  /** Interrupts the handler now. */
  void cancelNow(String why) {
    synchronized (this) {
      if (timer != null) {
        timer.cancel(false);
      }
      timer = null;
    }
    cancel(why);
  }

  private synchronized void cancelAfter(Duration delay, String why) {
    if (timer == null && !cancelled && !handlerOver.isDone()) {
      timer = Threads.TIMERS.schedule(() -> cancel(why), delay.toMillis(), TimeUnit.MILLISECONDS);
    }
  }

  private synchronized void cancel(String why) {
    if (handlerOver.isDone() || cancelled) {
      return;
    }
    cancelled = true;
    if (thread != null) {
      LOG.log(Level.WARNING, "{0}: the handler is interrupted, because {1}", name(), why);
      thread.interrupt();
    }
    timer =
        Threads.TIMERS.schedule(this::abandon, AFTER_INTERRUPT.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** The handler does not react to the interrupt: the stream is closed without it. */
  private void abandon() {
    Thread stuck;
    synchronized (this) {
      stuck = thread;
    }
    if (handlerOver.isDone() || stuck == null) {
      return;
    }
    var where = new StringBuilder();
    for (StackTraceElement frame : stuck.getStackTrace()) {
      where.append("\n\tat ").append(frame);
    }
    LOG.log(
        Level.ERROR,
        "{0}: the handler still runs {1} s after it was interrupted, and the call is closed without it; let it end on"
            + " InterruptedException. It is at:{2}",
        name(),
        AFTER_INTERRUPT.toSeconds(),
        where);
    machine.lose(
        machine.isHungUp() ? Transport.Close.DONE : Transport.Close.FAILED,
        "the handler did not end in time");
    settled.complete(null);
  }

  private void run() {
    synchronized (this) {
      thread = Thread.currentThread();
      if (cancelled) {
        thread.interrupt();
      }
    }
    CallMachine outer = CallMachine.CURRENT.get();
    CallMachine.CURRENT.set(machine);
    try {
      Throwable thrown = handle();
      boolean byUs = done();
      conclude(thrown, byUs);
    } finally {
      if (outer == null) {
        CallMachine.CURRENT.remove();
      } else {
        CallMachine.CURRENT.set(outer);
      }
      handlerOver.complete(null);
    }
  }

  private Throwable handle() {
    var started = machine.started();
    // A worker's stream has no headers of the call.
    var context = new HashMap<>(headers);
    context.putAll(started.getTraceContextMap());
    return Tracing.inSpan(context, started.getCallId(), started.getRoute(), this::outcome).thrown();
  }

  private Tracing.Outcome outcome() {
    try {
      handler.handle(new Call(machine, closed));
      return new Tracing.Outcome(null, false);
    } catch (HungUpException | NoInputException | CallLostException end) {
      return new Tracing.Outcome(end, false);
    } catch (Throwable error) {
      return new Tracing.Outcome(error, !isCancelled());
    }
  }

  private synchronized boolean isCancelled() {
    return cancelled;
  }

  /**
   * From here on nobody interrupts this thread, which may serve another call next. Tells whether
   * somebody did.
   */
  private synchronized boolean done() {
    thread = null;
    if (timer != null) {
      timer.cancel(false);
    }
    if (cancelled) {
      Thread.interrupted();
    }
    return cancelled;
  }

  private void conclude(Throwable thrown, boolean byUs) {
    if (thrown == null || thrown instanceof HungUpException) {
      machine.returned();
    } else if (thrown instanceof NoInputException) {
      LOG.log(Level.INFO, "{0}: {1}", name(), thrown.getMessage());
      machine.returned();
    } else if (thrown instanceof CallLostException) {
      LOG.log(Level.INFO, "{0}: {1}", name(), thrown.getMessage());
      machine.failed(thrown.getMessage());
    } else if (byUs && isInterrupt(thrown)) {
      machine.returned();
    } else {
      failure = thrown;
      LOG.log(Level.ERROR, name() + ": the handler failed", thrown);
      String text = "the handler failed: " + thrown;
      machine.failed(text.length() > REASON_MAX ? text.substring(0, REASON_MAX) : text);
    }
  }

  private static boolean isInterrupt(Throwable thrown) {
    return thrown instanceof InterruptedException
        || thrown instanceof CallInterruptedException
        || thrown instanceof java.io.InterruptedIOException
        || thrown instanceof java.nio.channels.ClosedByInterruptException;
  }

  private String name() {
    var started = machine.started();
    return "call " + started.getCallId() + " of route " + started.getRoute();
  }
}

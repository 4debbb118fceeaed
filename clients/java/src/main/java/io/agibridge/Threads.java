package io.agibridge;

import java.lang.reflect.InvocationTargetException;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The threads of this library: one for each handler that runs, or other code of the user's that may
 * block, and one for everybody's timers.
 */
final class Threads {
  /** Its tasks are short, and never block. */
  static final ScheduledThreadPoolExecutor TIMERS = timers();

  /**
   * A virtual thread for each handler where Java has them, from 21 on; else one of a pool that
   * grows as needed.
   */
  static final Executor HANDLERS = handlers();

  private Threads() {}

  private static ScheduledThreadPoolExecutor timers() {
    var timers = new ScheduledThreadPoolExecutor(1, daemons("agibridge-timer"));
    timers.setRemoveOnCancelPolicy(true);
    return timers;
  }

  private static Executor handlers() {
    try {
      return (Executor) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    } catch (NoSuchMethodException
        | IllegalAccessException
        | InvocationTargetException
        | UnsupportedOperationException beforeJava21) {
      return Executors.newCachedThreadPool(daemons("agibridge-call"));
    }
  }

  private static ThreadFactory daemons(String name) {
    var number = new AtomicLong();
    return task -> {
      var thread = new Thread(task, name + "-" + number.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }
}

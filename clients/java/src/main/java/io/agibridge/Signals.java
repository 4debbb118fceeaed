package io.agibridge;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/**
 * SIGTERM and SIGINT. Java's own means, a shutdown hook, cannot tell the second signal from the
 * first, and the process ends as killed. So the JDK's signals are used where the virtual machine
 * has them, and a hook elsewhere.
 */
final class Signals {
  private Signals() {}

  /** Runs the task, which must not block, at each signal. */
  static void handle(Runnable task) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      Object proxy =
          Proxy.newProxyInstance(
              Signals.class.getClassLoader(),
              new Class<?>[] {handler},
              (self, method, arguments) -> {
                if (method.getDeclaringClass() == Object.class) {
                  return ofObject(self, method, arguments);
                }
                task.run();
                return null;
              });
      Method register = signal.getMethod("handle", signal, handler);
      for (String name : new String[] {"TERM", "INT"}) {
        register.invoke(null, signal.getConstructor(String.class).newInstance(name), proxy);
      }
    } catch (ReflectiveOperationException | IllegalArgumentException absent) {
      Runtime.getRuntime().addShutdownHook(new Thread(task, "agibridge-shutdown"));
    }
  }

  private static Object ofObject(Object self, Method method, Object[] arguments)
      throws InvocationTargetException {
    return switch (method.getName()) {
      case "equals" -> self == arguments[0];
      case "hashCode" -> System.identityHashCode(self);
      default -> "agi-bridge's signal handler";
    };
  }
}

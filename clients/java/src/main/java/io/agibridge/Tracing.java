package io.agibridge;

import io.agibridge.internal.v1.Command;
import io.grpc.Metadata;
import java.util.Map;
import java.util.function.Supplier;

/** Joins the call's trace when OpenTelemetry's API is on the class path; otherwise does nothing. */
abstract class Tracing {
  /**
   * How a handler ended.
   *
   * @param thrown what it threw, if anything
   * @param isFault whether that is an error, and not what ends a call well
   */
  record Outcome(Throwable thrown, boolean isFault) {}

  private static final Tracing OPEN_TELEMETRY = find();

  abstract Outcome run(
      Map<String, String> headers, String callId, String route, Supplier<Outcome> handler);

  abstract void put(Command.Builder command);

  abstract void put(Metadata headers);

  /** Runs a handler in its span; {@code headers} are those of the stream. */
  static Outcome inSpan(
      Map<String, String> headers, String callId, String route, Supplier<Outcome> handler) {
    return OPEN_TELEMETRY == null
        ? handler.get()
        : OPEN_TELEMETRY.run(headers, callId, route, handler);
  }

  /** Gives the command the context of the span that is active on this thread. */
  static void inject(Command.Builder command) {
    if (OPEN_TELEMETRY != null) {
      OPEN_TELEMETRY.put(command);
    }
  }

  /** Gives a request the context of the span that is active on this thread. */
  static void inject(Metadata headers) {
    if (OPEN_TELEMETRY != null) {
      OPEN_TELEMETRY.put(headers);
    }
  }

  private static Tracing find() {
    try {
      Class.forName("io.opentelemetry.api.GlobalOpenTelemetry");
      return new OpenTelemetryTracing();
    } catch (ClassNotFoundException | LinkageError absent) {
      return null;
    }
  }
}

package io.agibridge;

import io.agibridge.internal.v1.Command;
import io.grpc.Metadata;
import io.opentelemetry.api.GlobalOpenTelemetry;
import io.opentelemetry.api.baggage.propagation.W3CBaggagePropagator;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import io.opentelemetry.context.propagation.TextMapPropagator;
import java.util.Map;
import java.util.function.Supplier;

/** The one class that knows OpenTelemetry; loaded only where its API is present. */
final class OpenTelemetryTracing extends Tracing {
  private static final String METHOD = "agibridge.v1.CallService/HandleCall";
  private static final TextMapPropagator COMMAND = W3CTraceContextPropagator.getInstance();
  private static final TextMapPropagator STREAM =
      TextMapPropagator.composite(COMMAND, W3CBaggagePropagator.getInstance());

  private static final TextMapGetter<Map<String, String>> HEADERS = Map::get;

  /** Fails with a LinkageError where the API is too old, so that nothing is traced then. */
  OpenTelemetryTracing() {
    GlobalOpenTelemetry.getOrNoop();
  }

  @Override
  Outcome run(Map<String, String> headers, String callId, String route, Supplier<Outcome> handler) {
    Context parent = STREAM.extract(Context.current(), headers, HEADERS);
    Span span =
        GlobalOpenTelemetry.getOrNoop()
            .getTracer("io.agibridge", Version.TEXT)
            .spanBuilder(METHOD)
            .setSpanKind(SpanKind.SERVER)
            .setParent(parent)
            .setAttribute("rpc.system.name", "grpc")
            .setAttribute("rpc.method", METHOD)
            .setAttribute("agibridge.call.id", callId)
            .setAttribute("agibridge.route", route)
            .startSpan();
    try {
      Outcome outcome = parent.with(span).wrapSupplier(handler).get();
      if (outcome.isFault()) {
        span.setStatus(StatusCode.ERROR);
        span.setAttribute("error.type", outcome.thrown().getClass().getName());
        span.recordException(outcome.thrown());
      }
      return outcome;
    } finally {
      span.end();
    }
  }

  @Override
  void put(Command.Builder command) {
    COMMAND.inject(Context.current(), command, Command.Builder::putTraceContext);
  }

  @Override
  void put(Metadata headers) {
    COMMAND.inject(
        Context.current(), headers, (it, name, value) -> it.put(Headers.key(name), value));
  }
}

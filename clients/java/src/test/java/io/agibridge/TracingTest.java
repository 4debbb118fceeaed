package io.agibridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.opentelemetry.api.GlobalOpenTelemetry;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.testing.exporter.InMemorySpanExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The service's spans join the call's trace. */
@Timeout(60)
class TracingTest {
  private static final String TRACE = "0af7651916cd43dd8448eb211c80319c";
  private static final Map<String, String> HEADERS =
      Map.of("traceparent", "00-" + TRACE + "-b7ad6b7169203331-01", "tracestate", "a=b");

  private final InMemorySpanExporter spans = InMemorySpanExporter.create();
  private OpenTelemetrySdk sdk;

  @BeforeEach
  void setUp() {
    GlobalOpenTelemetry.resetForTest();
    sdk =
        OpenTelemetrySdk.builder()
            .setTracerProvider(
                SdkTracerProvider.builder()
                    .addSpanProcessor(SimpleSpanProcessor.create(spans))
                    .build())
            .buildAndRegisterGlobal();
  }

  @AfterEach
  void tearDown() {
    sdk.close();
    GlobalOpenTelemetry.resetForTest();
  }

  private static FakeStream stream(CallHandler handler) {
    return new FakeStream(handler, Duration.ofSeconds(10), HEADERS).start();
  }

  @Test
  void theHandlerRunsInASpanOfTheCallsTraceAndCommandsCarryIt() throws Exception {
    var inside = new CompletableFuture<String>();
    var stream =
        stream(
            call -> {
              inside.complete(Span.current().getSpanContext().getSpanId());
              call.answer();
            });
    var context = stream.command().getTraceContextMap();
    stream.done(1);
    stream.finish();
    assertEquals("00-" + TRACE + "-" + inside.get() + "-01", context.get("traceparent"));
    assertEquals("a=b", context.get("tracestate"));
    SpanData span = spans.getFinishedSpanItems().get(0);
    assertEquals("agibridge.v1.CallService/HandleCall", span.getName());
    assertEquals(SpanKind.SERVER, span.getKind());
    assertEquals(TRACE, span.getTraceId());
    assertEquals("b7ad6b7169203331", span.getParentSpanId());
    assertEquals(StatusCode.UNSET, span.getStatus().getStatusCode());
  }

  @Test
  void onlyAFaultIsAnError() throws Exception {
    var stream =
        stream(
            call -> {
              throw new IllegalStateException("a fault");
            });
    stream.awaitClosed();
    stream.awaitOver();
    SpanData span = spans.getFinishedSpanItems().get(0);
    assertEquals(StatusCode.ERROR, span.getStatus().getStatusCode());
    assertTrue(span.getAttributes().toString().contains("IllegalStateException"));
  }

  @Test
  void withoutASpanCommandsCarryNothing() throws Exception {
    GlobalOpenTelemetry.resetForTest();
    var stream = new FakeStream(Call::answer).start();
    assertTrue(stream.command().getTraceContextMap().isEmpty());
    stream.done(1);
    stream.finish();
  }
}

package traced;

import io.agibridge.AgiBridgeServer;
import io.agibridge.Call;
import io.opentelemetry.api.GlobalOpenTelemetry;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;

/**
 * Takes a call over and keeps whom it was for, traced with OpenTelemetry's SDK: the {@code OTEL_*}
 * variables say where to.
 */
public final class Main {
  private Main() {}

  private static void handle(Call call) {
    Span span = GlobalOpenTelemetry.getTracer("desk").spanBuilder("look up").startSpan();
    try {
      Context.current().with(span).wrap(() -> call.setVariable("DESK", "7")).run();
    } finally {
      span.end();
    }
  }

  /**
   * Serves.
   *
   * @param arguments the address, 127.0.0.1:50051 unless given
   * @throws InterruptedException never
   */
  public static void main(String[] arguments) throws InterruptedException {
    AutoConfiguredOpenTelemetrySdk.initialize();
    var server =
        AgiBridgeServer.builder()
            .listen(arguments.length > 0 ? arguments[0] : "127.0.0.1:50051")
            .handler(Main::handle)
            .build()
            .start();
    System.out.println("listening on 127.0.0.1:" + server.port());
    server.awaitTermination();
  }
}

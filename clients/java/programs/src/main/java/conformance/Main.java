package conformance;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.agibridge.AgiBridgeServer;
import io.agibridge.AgiBridgeWorker;
import io.agibridge.Call;
import io.agibridge.CallInterruptedException;
import io.agibridge.CallLostException;
import io.agibridge.Draining;
import io.agibridge.HungUpException;
import io.agibridge.NoInputException;
import io.agibridge.Resumption;
import io.agibridge.WorkerRefusedException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The conformance program: drives each call by the script that its path names, and writes what the
 * library made of it.
 */
public final class Main {
  private static final Gson GSON =
      new GsonBuilder().serializeNulls().disableHtmlEscaping().create();
  private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

  private final Path scripts;
  private final Map<String, Call> running = new ConcurrentHashMap<>();

  private Main(Path scripts) {
    this.scripts = scripts;
  }

  /**
   * Serves as its arguments say.
   *
   * @param arguments {@code grpc SCRIPTS}, or {@code worker SCRIPTS API [TOKEN]}
   * @throws Exception it cannot
   */
  public static void main(String[] arguments) throws Exception {
    var main = new Main(Path.of(arguments[1]));
    switch (arguments[0]) {
      case "grpc" -> main.serve();
      case "worker" -> main.dialIn(arguments[2], arguments.length > 3 ? arguments[3] : "");
      default -> throw new IllegalArgumentException("grpc or worker, not " + arguments[0]);
    }
  }

  private void serve() throws InterruptedException {
    var server = AgiBridgeServer.builder().listen("127.0.0.1:0").handler(this::handle).build();
    server.start();
    JsonObject line = event("listening");
    line.addProperty("address", "127.0.0.1:" + server.port());
    write(line);
    server.awaitTermination();
  }

  private void dialIn(String bridge, String token) throws InterruptedException {
    var builder = AgiBridgeWorker.builder().bridge(bridge).group("kit").handler(this::handle);
    if (token.startsWith("file:")) {
      builder.tokenFile(Path.of(token.substring("file:".length())));
    } else {
      builder.token(token);
    }
    AgiBridgeWorker worker = builder.build().start();
    try {
      worker.awaitRegistered();
      write(event("registered"));
      worker.awaitTermination();
    } catch (WorkerRefusedException refused) {
      System.err.println(refused.getMessage());
      System.exit(1);
    }
  }

  private void handle(Call call) throws Exception {
    String name = call.pathParameter("script").orElseThrow();
    int attempt = call.resumption().map(Resumption::attempt).orElse(0);
    var progress = new JsonArray();
    call.onProgress(progress::add);
    var script = new Script(call, name, running::get);
    running.put(name, call);
    String outcome = "failed";
    String message = "";
    try {
      script.run(steps(name, attempt));
      outcome = "returned";
    } catch (HungUpException hungUp) {
      outcome = "hung_up";
      throw hungUp;
    } catch (CallLostException lost) {
      outcome = "lost";
      throw lost;
    } catch (CallInterruptedException | InterruptedException cancelled) {
      outcome = "cancelled";
      throw cancelled;
    } catch (NoInputException noInput) {
      throw noInput;
    } catch (Exception error) {
      message = String.valueOf(error.getMessage());
      throw error;
    } finally {
      running.remove(name, call);
      JsonObject line = event("call");
      line.addProperty("script", name);
      line.addProperty("attempt", attempt);
      line.add("started", Json.started(call));
      line.add("resumption", call.resumption().map(Json::resumption).orElse(JsonNull.INSTANCE));
      line.add("results", script.results());
      line.add("progress", progress);
      String handler = outcome;
      String text = message;
      call.whenClosed().thenRun(() -> write(closed(line, call, handler, text)));
    }
  }

  private JsonArray steps(String name, int attempt) throws java.io.IOException {
    String file = name + (attempt == 0 ? "" : "." + attempt) + ".json";
    return JsonParser.parseString(Files.readString(scripts.resolve(file))).getAsJsonArray();
  }

  private static JsonObject closed(JsonObject line, Call call, String handler, String message) {
    line.add("hangup", or(call.hangup().map(Json::hangup).orElse(null)));
    line.addProperty("draining", call.draining().map(Draining::deadline).isPresent());
    line.add("ended", or(call.ended().map(Json::ended).orElse(null)));
    line.addProperty("handler", handler);
    line.addProperty("message", message);
    return line;
  }

  private static JsonElement or(JsonElement element) {
    return element == null ? JsonNull.INSTANCE : element;
  }

  private static JsonObject event(String name) {
    var line = new JsonObject();
    line.addProperty("event", name);
    return line;
  }

  static synchronized void write(JsonObject line) {
    OUT.println(GSON.toJson(line));
    OUT.flush();
  }
}

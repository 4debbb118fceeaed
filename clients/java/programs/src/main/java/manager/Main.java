package manager;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.agibridge.AgiBridgeManager;
import io.agibridge.ManagerEvent;
import io.agibridge.ManagerException;
import io.agibridge.ManagerListener;
import io.agibridge.ManagerSubscription;
import io.agibridge.ServerState;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * Asks a bridge's manager what its standard input says, for the tests that all languages share:
 * {@code manager API [TOKEN]}.
 */
public final class Main {
  private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();
  private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);

  /** A subscription, and the thread that tells how it ended. */
  private record Watched(ManagerSubscription subscription, Thread end) {
    void close() throws InterruptedException {
      subscription.close();
      end.join();
    }
  }

  private final AgiBridgeManager client;
  private final ExecutorService asking = Executors.newCachedThreadPool();
  private final Map<String, Watched> watched = new HashMap<>();

  private Main(AgiBridgeManager client) {
    this.client = client;
  }

  /**
   * Does what its input says, until it ends.
   *
   * @param arguments the bridge's API, and a token if it wants one
   * @throws Exception it cannot
   */
  public static void main(String[] arguments) throws Exception {
    String token = arguments.length > 1 ? arguments[1] : "";
    try (var client = AgiBridgeManager.builder().bridge(arguments[0]).token(token).build()) {
      new Main(client).run();
    }
  }

  private void run() throws IOException, InterruptedException {
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      JsonObject it = JsonParser.parseString(line).getAsJsonObject();
      begin(it.get("id").getAsString(), it);
    }
    for (Watched it : watched.values()) {
      it.close();
    }
    asking.shutdown();
    var unused = asking.awaitTermination(Long.MAX_VALUE, TimeUnit.NANOSECONDS);
  }

  private void begin(String id, JsonObject line) throws InterruptedException {
    if (line.has("originate")) {
      JsonObject call = line.getAsJsonObject("originate");
      ask(id, "originate", () -> Json.originated(client.originate(Json.originate(call))));
    } else if (line.has("sendAction")) {
      JsonObject action = line.getAsJsonObject("sendAction");
      ask(id, "sendAction", () -> Json.response(client.sendAction(Json.action(action))));
    } else if (line.has("listServers")) {
      ask(id, "listServers", () -> Json.servers(client.listServers()));
    } else if (line.has("watchEvents")) {
      watch(id, line.getAsJsonObject("watchEvents"));
    } else if (line.has("cancel")) {
      Watched gone = watched.remove(id);
      if (gone != null) {
        gone.close();
      }
      write(id, "cancelled", new JsonObject());
    }
  }

  private void ask(String id, String method, Callable<JsonElement> request) {
    asking.execute(
        () -> {
          try {
            write(id, method, request.call());
          } catch (Exception failed) {
            fail(id, failed);
          }
        });
  }

  private void watch(String id, JsonObject wanted) {
    var subscription = client.watch(Json.watch(wanted), new Told(id));
    var end =
        new Thread(
            () -> {
              try {
                subscription.awaitEnd();
              } catch (ManagerException | ExecutionException | InterruptedException failed) {
                fail(id, failed);
              }
            });
    end.start();
    watched.put(id, new Watched(subscription, end));
  }

  private record Told(String id) implements ManagerListener {
    @Override
    public void event(ManagerEvent event) {
      write(id, "event", Json.event(event));
    }

    @Override
    public void missed(long events) {
      write(id, "missed", new JsonPrimitive(events));
    }

    @Override
    public void state(ServerState state) {
      write(id, "serverState", Json.server(state));
    }

    @Override
    public void lost(ManagerException why) {
      var lost = new JsonObject();
      lost.addProperty("detail", why.getMessage());
      write(id, "lost", lost);
    }
  }

  private static void fail(String id, Exception failed) {
    var error = new JsonObject();
    error.addProperty(
        "code", failed instanceof ManagerException known ? known.code().name() : "MISUSE");
    error.addProperty("message", String.valueOf(failed.getMessage()));
    write(id, "error", error);
  }

  private static synchronized void write(String id, String what, JsonElement value) {
    var line = new JsonObject();
    line.addProperty("id", id);
    line.add(what, value);
    OUT.println(GSON.toJson(line));
    OUT.flush();
  }
}

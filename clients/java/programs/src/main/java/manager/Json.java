package manager;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.agibridge.Action;
import io.agibridge.ActionResponse;
import io.agibridge.Header;
import io.agibridge.ManagerEvent;
import io.agibridge.Originate;
import io.agibridge.Originated;
import io.agibridge.ServerState;
import io.agibridge.Watch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** The contract's ProtoJSON, to and from the library's values. */
final class Json {
  private Json() {}

  private static String text(JsonObject it, String name) {
    return it.has(name) ? it.get(name).getAsString() : "";
  }

  private static boolean flag(JsonObject it, String name) {
    return it.has(name) && it.get(name).getAsBoolean();
  }

  private static Duration duration(String text) {
    return Duration.parse("PT" + text.toUpperCase(java.util.Locale.ROOT));
  }

  private static JsonObject object(JsonObject it, String name) {
    return it.has(name) ? it.getAsJsonObject(name) : new JsonObject();
  }

  static Originate originate(JsonObject it) {
    Originate call =
        Originate.call(text(it, "channel"))
            .server(text(it, "server"))
            .requestId(text(it, "requestId"))
            .callerId(text(it, "callerIdName"), text(it, "callerIdNumber"))
            .accountCode(text(it, "accountCode"));
    JsonObject place = object(it, "dialplan");
    if (it.has("dialplan")) {
      int priority = place.has("priority") ? place.get("priority").getAsInt() : 0;
      call = call.toExtension(text(place, "context"), text(place, "extension"), priority);
    }
    if (it.has("application")) {
      JsonObject target = it.getAsJsonObject("application");
      call = call.toApplication(text(target, "application"), text(target, "data"));
    }
    if (it.has("route")) {
      call = call.toRoute(text(it, "route"));
    }
    if (it.has("ringTimeout")) {
      call = call.ringTimeout(duration(text(it, "ringTimeout")));
    }
    for (var variable : object(it, "variables").entrySet()) {
      call = call.variable(variable.getKey(), variable.getValue().getAsString());
    }
    if (it.has("codecs")) {
      for (JsonElement codec : it.getAsJsonArray("codecs")) {
        call = call.codec(codec.getAsString());
      }
    }
    if (flag(it, "earlyMedia")) {
      call = call.earlyMedia();
    }
    return flag(it, "waitForOutcome") ? call : call.dontWait();
  }

  static Action action(JsonObject it) {
    Action action = Action.named(text(it, "action")).server(text(it, "server"));
    if (it.has("headers")) {
      for (JsonElement header : it.getAsJsonArray("headers")) {
        JsonObject line = header.getAsJsonObject();
        action = action.header(text(line, "key"), text(line, "value"));
      }
    }
    return it.has("timeout") ? action.timeout(duration(text(it, "timeout"))) : action;
  }

  static Watch watch(JsonObject it) {
    List<String> names = new ArrayList<>();
    if (it.has("names")) {
      it.getAsJsonArray("names").forEach(name -> names.add(name.getAsString()));
    }
    Watch wanted = Watch.events(names.toArray(new String[0])).server(text(it, "server"));
    for (var header : object(it, "match").entrySet()) {
      wanted = wanted.match(header.getKey(), header.getValue().getAsString());
    }
    return wanted;
  }

  static JsonElement originated(Originated call) {
    var it = new JsonObject();
    it.addProperty("outcome", "OUTCOME_" + call.outcome());
    it.addProperty("channel", call.channel());
    it.addProperty("uniqueId", call.uniqueId());
    it.addProperty("detail", call.detail());
    it.addProperty("requestId", call.requestId());
    return it;
  }

  static JsonElement response(ActionResponse answer) {
    var it = new JsonObject();
    it.addProperty("success", answer.success());
    it.addProperty("message", answer.message());
    it.add("headers", headers(answer.headers()));
    var events = new JsonArray();
    answer.events().forEach(event -> events.add(event(event)));
    it.add("events", events);
    var output = new JsonArray();
    answer.output().forEach(output::add);
    it.add("output", output);
    it.addProperty("truncated", answer.truncated());
    return it;
  }

  private static JsonArray headers(List<Header> headers) {
    var all = new JsonArray();
    for (Header header : headers) {
      var it = new JsonObject();
      it.addProperty("key", header.key());
      it.addProperty("value", header.value());
      all.add(it);
    }
    return all;
  }

  static JsonElement event(ManagerEvent event) {
    var it = new JsonObject();
    it.addProperty("server", event.server());
    it.addProperty("name", event.name());
    it.add("headers", headers(event.headers()));
    it.addProperty("receivedAt", event.receivedAt().toString());
    return it;
  }

  static JsonElement server(ServerState state) {
    var it = new JsonObject();
    it.addProperty("server", state.server());
    it.addProperty("connected", state.connected());
    it.addProperty("asteriskVersion", state.asteriskVersion());
    it.addProperty("detail", state.detail());
    return it;
  }

  static JsonElement servers(List<ServerState> servers) {
    var all = new JsonArray();
    servers.forEach(state -> all.add(server(state)));
    var it = new JsonObject();
    it.add("servers", all);
    return it;
  }
}

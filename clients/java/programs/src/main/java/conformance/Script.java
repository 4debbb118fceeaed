package conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.agibridge.AgiBridgeException;
import io.agibridge.AskOptions;
import io.agibridge.Batch;
import io.agibridge.Call;
import io.agibridge.CallInterruptedException;
import io.agibridge.CallLostException;
import io.agibridge.ConfirmOptions;
import io.agibridge.End;
import io.agibridge.MenuOptions;
import io.agibridge.Pending;
import io.agibridge.PressedDigit;
import io.agibridge.Resumption;
import io.agibridge.internal.v1.CancelCommand;
import io.agibridge.internal.v1.Command;
import io.agibridge.internal.v1.EndCall;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.function.Function;
import java.util.function.Supplier;

/** Does the steps of one call's script, one after the other, and notes what becomes of them. */
final class Script {
  private final Call call;
  private final String name;
  private final Function<String, Call> others;
  private final JsonArray results = new JsonArray();
  private boolean over;

  Script(Call call, String name, Function<String, Call> others) {
    this.call = call;
    this.name = name;
    this.others = others;
  }

  JsonArray results() {
    return results;
  }

  void run(JsonArray steps) throws Exception {
    for (JsonElement step : steps) {
      if (over) {
        return;
      }
      var one = step.getAsJsonObject().entrySet().iterator().next();
      step(one.getKey(), one.getValue());
    }
  }

  private void step(String kind, JsonElement value) throws Exception {
    switch (kind) {
      case "command" ->
          note(() -> Commands.method(message(value, Command.getDefaultInstance())).run(call));
      case "batch" -> send(value.getAsJsonArray()).forEach(command -> note(command::get));
      case "begin" -> send(value.getAsJsonArray());
      case "checkpoint" -> call.checkpoint(bytes(value.getAsJsonObject().get("state")));
      case "end" -> call.end(end(message(value, EndCall.getDefaultInstance())));
      case "handoff" -> handoff(value.getAsJsonObject());
      case "wait" -> Thread.sleep(duration(value).toMillis());
      case "waitFor" -> waitFor(value.getAsString());
      case "close" -> close(value.getAsString());
      case "throw" -> throw new IllegalStateException(value.getAsString());
      case "hang" -> {
        waiting("ever");
        new CountDownLatch(1).await();
      }
      case "running" -> running();
      case "steal" -> note(() -> steal(value.getAsString()));
      case "play" -> note(() -> play(value.getAsJsonObject()));
      case "ask" -> note(() -> ask(value.getAsJsonObject()));
      case "menu" -> note(() -> menu(value.getAsJsonObject()));
      case "confirm" -> note(() -> confirm(value.getAsJsonObject()));
      case "nextDigit" -> note(() -> nextDigit(value.getAsJsonObject()));
      case "takeDigits" ->
          note(
              () ->
                  Json.named(
                      "takeDigits", Json.named("digits", new JsonPrimitive(call.takeDigits()))));
      case "interrupt" -> call.interrupt();
      default -> throw new IllegalArgumentException("a step that is not known: " + kind);
    }
  }

  /** Errors of commands are noted; what ends the handler ends the script too. */
  private void note(Supplier<JsonElement> command) {
    try {
      results.add(command.get());
    } catch (AgiBridgeException error) {
      results.add(Json.error(error));
      if (error instanceof CallLostException || error instanceof CallInterruptedException) {
        throw error;
      }
    }
  }

  /** Sends a batch, takes back what is to be taken back, and waits for nothing. */
  private List<Commands.Sent<?>> send(JsonArray items) {
    Batch batch = call.independentBatch();
    List<Commands.Sent<?>> sent = new ArrayList<>();
    List<Integer> cancelled = new ArrayList<>();
    for (JsonElement item : items) {
      JsonObject one = item.getAsJsonObject();
      if (one.has("cancel")) {
        cancelled.add(message(one.get("cancel"), CancelCommand.getDefaultInstance()).getId());
      } else {
        sent.add(
            Commands.method(message(one.get("command"), Command.getDefaultInstance())).add(batch));
      }
    }
    try {
      batch.send();
    } catch (CallLostException | CallInterruptedException gone) {
      throw gone;
    } catch (AgiBridgeException error) {
      sent.forEach(command -> results.add(Json.error(error)));
      return List.of();
    }
    for (int id : cancelled) {
      sent.stream()
          .map(Commands.Sent::pending)
          .filter(pending -> pending.id() == id)
          .forEach(Pending::cancel);
    }
    return sent;
  }

  private static End end(EndCall message) {
    End end =
        switch (message.getNextCase()) {
          case CONTINUE_DIALPLAN, NEXT_NOT_SET -> End.continueDialplan();
          case FAIL_DIALPLAN -> End.fail(message.getFailDialplan().getReason());
          case GOTO_DIALPLAN ->
              End.goTo(
                  message.getGotoDialplan().getContext(),
                  message.getGotoDialplan().getExtension(),
                  message.getGotoDialplan().getPriority());
          case HANG_UP -> End.hangUp();
        };
    for (Map.Entry<String, String> variable : message.getVariablesMap().entrySet()) {
      end = end.variable(variable.getKey(), variable.getValue());
    }
    return end;
  }

  private void handoff(JsonObject handoff) {
    String route = handoff.get("route").getAsString();
    if (handoff.has("state")) {
      call.handoff(route, bytes(handoff.get("state")));
    } else {
      call.handoff(route);
    }
  }

  private void waitFor(String what) throws InterruptedException {
    CompletableFuture<?> told =
        switch (what) {
          case "hangup" -> call.whenHungUp();
          case "draining" -> call.whenDraining();
          case "ended" -> call.whenEnded();
          default -> throw new IllegalArgumentException("nothing to wait for: " + what);
        };
    waiting(what);
    try {
      told.get();
    } catch (ExecutionException never) {
      if (never.getCause() instanceof CallLostException lost) {
        throw lost;
      }
    }
  }

  private void waiting(String what) {
    var line = new JsonObject();
    line.addProperty("event", "waiting");
    line.addProperty("script", name);
    line.addProperty("for", what);
    Main.write(line);
  }

  private void close(String how) {
    over = true;
    if (how.equals("error")) {
      call.release("the script says so");
    }
  }

  private void running() {
    Pending<Object> running =
        call.resumption()
            .flatMap(Resumption::running)
            .orElseThrow(() -> new IllegalStateException("no command is running"));
    note(() -> Json.any(running.command(), running.get()));
  }

  private JsonElement steal(String other) {
    others.apply(other).noop();
    return Json.done(null);
  }

  private JsonElement play(JsonObject it) {
    List<String> files = new ArrayList<>();
    it.getAsJsonArray("files").forEach(file -> files.add(file.getAsString()));
    var played = new JsonObject();
    call.play(files, text(it, "escapeDigits", ""))
        .ifPresent(digit -> played.addProperty("digit", digit));
    return Json.named("play", played);
  }

  private JsonElement ask(JsonObject it) {
    var options = AskOptions.none();
    if (it.has("timeout")) {
      options = options.timeout(duration(it.get("timeout")));
    }
    if (it.has("tries")) {
      options = options.tries(it.get("tries").getAsInt());
    }
    if (it.has("invalid")) {
      options = options.invalid(it.get("invalid").getAsString());
    }
    if (it.has("accept")) {
      options = options.validate(it.get("accept").getAsString()::equals);
    }
    int maxDigits = it.has("maxDigits") ? it.get("maxDigits").getAsInt() : 0;
    String digits = call.ask(text(it, "prompt", ""), maxDigits, options);
    return Json.named("ask", Json.named("digits", new JsonPrimitive(digits)));
  }

  private JsonElement menu(JsonObject it) {
    var options = MenuOptions.none();
    if (it.has("timeout")) {
      options = options.timeout(duration(it.get("timeout")));
    }
    if (it.has("tries")) {
      options = options.tries(it.get("tries").getAsInt());
    }
    if (it.has("invalid")) {
      options = options.invalid(it.get("invalid").getAsString());
    }
    Map<String, String> choices = new LinkedHashMap<>();
    it.getAsJsonObject("choices")
        .entrySet()
        .forEach(choice -> choices.put(choice.getKey(), choice.getValue().getAsString()));
    String choice = call.menu(text(it, "prompt", ""), choices, options);
    return Json.named("menu", Json.named("choice", new JsonPrimitive(choice)));
  }

  private JsonElement confirm(JsonObject it) {
    var options = ConfirmOptions.none();
    if (it.has("timeout")) {
      options = options.timeout(duration(it.get("timeout")));
    }
    if (it.has("tries")) {
      options = options.tries(it.get("tries").getAsInt());
    }
    if (it.has("invalid")) {
      options = options.invalid(it.get("invalid").getAsString());
    }
    options = options.yes(text(it, "yes", "1")).no(text(it, "no", "2"));
    boolean yes = call.confirm(text(it, "prompt", ""), options);
    return Json.named("confirm", Json.named("yes", new JsonPrimitive(yes)));
  }

  private JsonElement nextDigit(JsonObject it) {
    Optional<PressedDigit> pressed =
        it.has("timeout")
            ? call.nextDigit(duration(it.get("timeout")))
            : Optional.of(call.nextDigit());
    var told = new JsonObject();
    pressed.ifPresent(
        digit -> {
          told.addProperty("digit", digit.digit());
          told.addProperty("heldMs", digit.duration().toMillis());
        });
    return Json.named("nextDigit", told);
  }

  private static String text(JsonObject object, String name, String otherwise) {
    return object.has(name) ? object.get(name).getAsString() : otherwise;
  }

  private static byte[] bytes(JsonElement base64) {
    return base64 == null ? new byte[0] : Base64.getDecoder().decode(base64.getAsString());
  }

  private static Duration duration(JsonElement text) {
    try {
      return Commands.duration(com.google.protobuf.util.Durations.parse(text.getAsString()));
    } catch (java.text.ParseException wrong) {
      throw new IllegalArgumentException(wrong);
    }
  }

  @SuppressWarnings("unchecked") // A builder builds what it is a builder of.
  private static <M extends Message> M message(JsonElement json, M kind) {
    Message.Builder builder = kind.newBuilderForType();
    try {
      JsonFormat.parser().merge(json.toString(), builder);
    } catch (InvalidProtocolBufferException wrong) {
      throw new IllegalArgumentException("a step is not as the contract has it: " + json, wrong);
    }
    return (M) builder.build();
  }
}

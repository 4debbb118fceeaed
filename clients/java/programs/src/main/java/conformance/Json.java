package conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.agibridge.AgiBridgeException;
import io.agibridge.Call;
import io.agibridge.CallInterruptedException;
import io.agibridge.CallLostException;
import io.agibridge.Channel;
import io.agibridge.ChannelStatus;
import io.agibridge.CommandException;
import io.agibridge.Digits;
import io.agibridge.Ended;
import io.agibridge.Gosub;
import io.agibridge.Hangup;
import io.agibridge.HungUpException;
import io.agibridge.MisuseException;
import io.agibridge.NoInputException;
import io.agibridge.PastResult;
import io.agibridge.Pending;
import io.agibridge.Playback;
import io.agibridge.RawReply;
import io.agibridge.Recording;
import io.agibridge.Resumption;
import io.agibridge.Speech;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The library's values as ProtoJSON has them: what is at its default is absent. */
final class Json {
  private Json() {}

  static JsonElement done(Void nothing) {
    return named("done", new JsonObject());
  }

  static JsonElement playback(Playback playback) {
    var it = new JsonObject();
    put(it, "digit", playback.digit().orElse(""));
    playback.endSamples().ifPresent(samples -> it.addProperty("endSamples", samples));
    playback.endTime().ifPresent(time -> it.addProperty("endMilliseconds", time.toMillis()));
    return named("playback", it);
  }

  static JsonElement digit(Optional<String> digit) {
    var it = new JsonObject();
    put(it, "digit", digit.orElse(""));
    return named("digit", it);
  }

  static JsonElement digits(Digits digits) {
    var it = new JsonObject();
    put(it, "digits", digits.digits());
    put(it, "timedOut", digits.timedOut());
    return named("digits", it);
  }

  static JsonElement value(Optional<String> value) {
    var it = new JsonObject();
    value.ifPresent(text -> it.addProperty("value", text));
    return named("value", it);
  }

  static JsonElement channelStatus(ChannelStatus status) {
    var it = new JsonObject();
    put(it, "state", constant("CHANNEL_STATE_", status.state(), status.number()));
    return named("channelStatus", it);
  }

  static JsonElement exec(Integer result) {
    var it = new JsonObject();
    put(it, "result", result);
    return named("exec", it);
  }

  static JsonElement recording(Recording recording) {
    var it = new JsonObject();
    put(it, "end", constant("END_", recording.end(), recording.endNumber()));
    put(it, "digit", recording.digit().orElse(""));
    put(it, "endSamples", recording.endSamples());
    return named("recording", it);
  }

  static JsonElement text(Optional<String> text) {
    var it = new JsonObject();
    text.ifPresent(received -> it.addProperty("text", received));
    return named("text", it);
  }

  static JsonElement speech(Speech speech) {
    var it = new JsonObject();
    put(it, "end", constant("END_", speech.end(), speech.endNumber()));
    var matches = new JsonArray();
    for (Speech.Match match : speech.matches()) {
      var one = new JsonObject();
      put(one, "score", match.score());
      put(one, "text", match.text());
      put(one, "grammar", match.grammar());
      matches.add(one);
    }
    put(it, "matches", matches);
    put(it, "digit", speech.digit().orElse(""));
    put(it, "endSamples", speech.endSamples());
    return named("speech", it);
  }

  static JsonElement gosub(Gosub gosub) {
    var it = new JsonObject();
    put(it, "abnormalExit", gosub.abnormalExit());
    put(it, "returnValue", gosub.returnValue());
    return named("gosub", it);
  }

  static JsonElement raw(RawReply raw) {
    var it = new JsonObject();
    put(it, "code", raw.code());
    put(it, "result", raw.result());
    raw.value().ifPresent(value -> it.addProperty("value", value));
    put(it, "text", raw.text());
    return named("raw", it);
  }

  /** A result whose kind is known by the command, or by what the contract calls it. */
  @SuppressWarnings("unchecked") // These kinds are Optional<String>, as their methods say.
  static JsonElement any(String kind, Object value) {
    if (value instanceof Playback playback) {
      return playback(playback);
    } else if (value instanceof Digits digits) {
      return digits(digits);
    } else if (value instanceof ChannelStatus status) {
      return channelStatus(status);
    } else if (value instanceof Integer result) {
      return exec(result);
    } else if (value instanceof Recording recording) {
      return recording(recording);
    } else if (value instanceof Speech speech) {
      return speech(speech);
    } else if (value instanceof Gosub gosub) {
      return gosub(gosub);
    } else if (value instanceof RawReply raw) {
      return raw(raw);
    } else if (value instanceof Optional<?> text) {
      return switch (kind) {
        case "value", "getVariable", "getFullVariable", "databaseGet" ->
            value((Optional<String>) text);
        case "text", "receiveChar", "receiveText" -> text((Optional<String>) text);
        default -> digit((Optional<String>) text);
      };
    }
    return named(kind.isEmpty() ? "unknown" : "done", new JsonObject());
  }

  static JsonElement error(AgiBridgeException error) {
    var it = new JsonObject();
    it.addProperty("code", code(error));
    if (error instanceof CommandException failed) {
      put(it, "detail", failed.detail());
    }
    it.addProperty("message", error.getMessage());
    return named("error", it);
  }

  private static String code(AgiBridgeException error) {
    if (error instanceof HungUpException) {
      return "CODE_HUNG_UP";
    } else if (error instanceof CommandException failed) {
      String name = failed.codeName();
      return name.startsWith("UNKNOWN(") ? name : "CODE_" + name;
    } else if (error instanceof CallLostException) {
      return "LOST";
    } else if (error instanceof MisuseException) {
      return "MISUSE";
    } else if (error instanceof NoInputException) {
      return "NO_INPUT";
    } else if (error instanceof CallInterruptedException) {
      return "CANCELLED_HERE";
    }
    return error.getClass().getSimpleName();
  }

  static JsonElement started(Call call) {
    var it = new JsonObject();
    it.addProperty("callId", call.id());
    it.addProperty("route", call.route());
    it.add("pathParameters", strings(call.pathParameters()));
    var query = new JsonObject();
    call.queryParameters().forEach((key, values) -> query.add(key, strings(values)));
    it.add("queryParameters", query);
    it.add("arguments", strings(call.arguments()));
    it.add("channel", channel(call.channel()));
    it.add("environment", strings(call.environment()));
    it.addProperty("maxQueuedCommands", call.maxQueuedCommands());
    return it;
  }

  private static JsonElement channel(Channel channel) {
    var it = new JsonObject();
    put(it, "name", channel.name());
    put(it, "uniqueId", channel.uniqueId());
    put(it, "type", channel.type());
    put(it, "language", channel.language());
    put(it, "callerIdNumber", channel.callerIdNumber());
    put(it, "callerIdName", channel.callerIdName());
    put(it, "dialedNumber", channel.dialedNumber());
    put(it, "redirectingNumber", channel.redirectingNumber());
    put(it, "context", channel.context());
    put(it, "extension", channel.extension());
    put(it, "priority", channel.priority());
    put(it, "accountCode", channel.accountCode());
    put(it, "asteriskVersion", channel.asteriskVersion());
    return it;
  }

  static JsonElement resumption(Resumption resumption) {
    var it = new JsonObject();
    it.add("cause", constant("CAUSE_", resumption.cause(), resumption.causeNumber()));
    it.addProperty("attempt", resumption.attempt());
    resumption
        .checkpoint()
        .ifPresent(
            state -> it.addProperty("checkpoint", Base64.getEncoder().encodeToString(state)));
    var results = new JsonArray();
    for (PastResult past : resumption.results()) {
      results.add(past.error().map(Json::error).orElseGet(() -> any(past.kind(), past.value())));
    }
    it.add("results", results);
    it.addProperty("resultsTruncated", resumption.resultsTruncated());
    it.addProperty("hungUp", resumption.hungUp());
    it.addProperty("lastCommandId", resumption.lastCommandId());
    resumption.running().map(Pending::id).ifPresent(id -> it.addProperty("running", id));
    return it;
  }

  static JsonElement hangup(Hangup hangup) {
    var it = new JsonObject();
    put(it, "source", constant("SOURCE_", hangup.source(), hangup.sourceNumber()));
    it.addProperty("grace", seconds(hangup.grace()));
    return it;
  }

  static JsonElement ended(Ended ended) {
    var it = new JsonObject();
    put(it, "reason", constant("REASON_", ended.reason(), ended.reasonNumber()));
    put(it, "detail", ended.detail());
    it.addProperty("duration", seconds(ended.duration()));
    put(it, "commands", ended.commands());
    return it;
  }

  static JsonObject named(String name, JsonElement value) {
    var it = new JsonObject();
    it.add(name, value);
    return it;
  }

  private static String seconds(Duration duration) {
    String text =
        java.math.BigDecimal.valueOf(duration.toNanos(), 9).stripTrailingZeros().toPlainString();
    return text + "s";
  }

  /** As the contract names it; one that is not known has its number. */
  private static JsonPrimitive constant(String prefix, Enum<?> constant, int number) {
    return switch (constant.name()) {
      case "UNKNOWN" -> new JsonPrimitive(number);
      case "UNSPECIFIED" -> new JsonPrimitive("");
      default -> new JsonPrimitive(prefix + constant.name());
    };
  }

  private static JsonElement strings(List<String> texts) {
    var it = new JsonArray();
    texts.forEach(it::add);
    return it;
  }

  private static JsonElement strings(Map<String, String> texts) {
    var it = new JsonObject();
    texts.forEach(it::addProperty);
    return it;
  }

  private static void put(JsonObject object, String name, String value) {
    if (!value.isEmpty()) {
      object.addProperty(name, value);
    }
  }

  private static void put(JsonObject object, String name, long value) {
    if (value != 0) {
      object.addProperty(name, value);
    }
  }

  private static void put(JsonObject object, String name, boolean value) {
    if (value) {
      object.addProperty(name, true);
    }
  }

  private static void put(JsonObject object, String name, JsonArray value) {
    if (!value.isEmpty()) {
      object.add(name, value);
    }
  }

  private static void put(JsonObject object, String name, JsonPrimitive value) {
    if (value.isNumber() || !value.getAsString().isEmpty()) {
      object.add(name, value);
    }
  }
}

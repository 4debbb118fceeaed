package conformance;

import com.google.gson.JsonElement;
import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import io.agibridge.Batch;
import io.agibridge.Call;
import io.agibridge.CommandOptions;
import io.agibridge.CommandSettings;
import io.agibridge.ControlStreamFileOptions;
import io.agibridge.GetDataOptions;
import io.agibridge.Pending;
import io.agibridge.RecordFileOptions;
import io.agibridge.SayAlphaOptions;
import io.agibridge.SayDateTimeOptions;
import io.agibridge.SayNumberOptions;
import io.agibridge.SayOptions;
import io.agibridge.SpeechRecognizeOptions;
import io.agibridge.SpokenCase;
import io.agibridge.StreamFileOptions;
import io.agibridge.TddMode;
import io.agibridge.TimeoutOptions;
import io.agibridge.internal.v1.Command;
import java.time.Instant;
import java.time.ZoneId;
import java.util.function.Consumer;
import java.util.function.Function;

/** A command of a script, as the library's method for it. */
final class Commands {
  /** A command that can be run alone or in a batch. */
  record Method<T>(
      Function<Call, T> alone, Function<Batch, Pending<T>> batched, Function<T, JsonElement> json) {
    JsonElement run(Call call) {
      return json.apply(alone.apply(call));
    }

    Sent<T> add(Batch batch) {
      return new Sent<>(batched.apply(batch), json);
    }
  }

  /** A command that is in a batch. */
  record Sent<T>(Pending<T> pending, Function<T, JsonElement> json) {
    JsonElement get() {
      return json.apply(pending.get());
    }
  }

  private Commands() {}

  static Method<?> method(Command command) {
    return switch (command.getCommandCase()) {
      case ANSWER -> {
        var options = common(CommandOptions.none(), command);
        yield done(c -> c.answer(options), b -> b.answer(options));
      }
      case ASYNC_AGI_BREAK -> {
        var options = common(CommandOptions.none(), command);
        yield done(c -> c.asyncAgiBreak(options), b -> b.asyncAgiBreak(options));
      }
      case CHANNEL_STATUS -> {
        var it = command.getChannelStatus();
        var options = common(CommandOptions.none(), command);
        yield new Method<>(
            c -> c.channelStatus(it.getChannel(), options),
            b -> b.channelStatus(it.getChannel(), options),
            Json::channelStatus);
      }
      case CONTROL_STREAM_FILE -> {
        var it = command.getControlStreamFile();
        var options = common(ControlStreamFileOptions.none(), command);
        if (!it.getEscapeDigits().isEmpty()) {
          options = options.escapeDigits(it.getEscapeDigits());
        }
        if (it.hasSkip()) {
          options = options.skip(duration(it.getSkip()));
        }
        if (it.hasForwardDigit()) {
          options = options.forwardDigit(it.getForwardDigit());
        }
        if (it.hasRewindDigit()) {
          options = options.rewindDigit(it.getRewindDigit());
        }
        if (it.hasPauseDigit()) {
          options = options.pauseDigit(it.getPauseDigit());
        }
        if (it.hasOffset()) {
          options = options.offset(duration(it.getOffset()));
        }
        var chosen = options;
        yield new Method<>(
            c -> c.controlStreamFile(it.getFile(), chosen),
            b -> b.controlStreamFile(it.getFile(), chosen),
            Json::playback);
      }
      case DATABASE_DEL -> {
        var it = command.getDatabaseDel();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.databaseDel(it.getFamily(), it.getKey(), options),
            b -> b.databaseDel(it.getFamily(), it.getKey(), options));
      }
      case DATABASE_DEL_TREE -> {
        var it = command.getDatabaseDelTree();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.databaseDelTree(it.getFamily(), it.getKeyTree(), options),
            b -> b.databaseDelTree(it.getFamily(), it.getKeyTree(), options));
      }
      case DATABASE_GET -> {
        var it = command.getDatabaseGet();
        var options = common(CommandOptions.none(), command);
        yield new Method<>(
            c -> c.databaseGet(it.getFamily(), it.getKey(), options),
            b -> b.databaseGet(it.getFamily(), it.getKey(), options),
            Json::value);
      }
      case DATABASE_PUT -> {
        var it = command.getDatabasePut();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.databasePut(it.getFamily(), it.getKey(), it.getValue(), options),
            b -> b.databasePut(it.getFamily(), it.getKey(), it.getValue(), options));
      }
      case EXEC -> {
        var it = command.getExec();
        var options = common(CommandOptions.none(), command);
        yield new Method<>(
            c -> c.exec(it.getApplication(), it.getArgumentsList(), options),
            b -> b.exec(it.getApplication(), it.getArgumentsList(), options),
            Json::exec);
      }
      case GET_DATA -> {
        var it = command.getGetData();
        var options = common(GetDataOptions.none(), command);
        if (it.hasTimeout()) {
          options = options.timeout(duration(it.getTimeout()));
        }
        if (it.getMaxDigits() != 0) {
          options = options.maxDigits(it.getMaxDigits());
        }
        var chosen = options;
        yield new Method<>(
            c -> c.getData(it.getFile(), chosen),
            b -> b.getData(it.getFile(), chosen),
            Json::digits);
      }
      case GET_FULL_VARIABLE -> {
        var it = command.getGetFullVariable();
        var options = common(CommandOptions.none(), command);
        yield new Method<>(
            c -> c.getFullVariable(it.getExpression(), it.getChannel(), options),
            b -> b.getFullVariable(it.getExpression(), it.getChannel(), options),
            Json::value);
      }
      case GET_OPTION -> {
        var it = command.getGetOption();
        var options = common(TimeoutOptions.none(), command);
        if (it.hasTimeout()) {
          options = options.timeout(duration(it.getTimeout()));
        }
        var chosen = options;
        yield new Method<>(
            c -> c.getOption(it.getFile(), it.getEscapeDigits(), chosen),
            b -> b.getOption(it.getFile(), it.getEscapeDigits(), chosen),
            Json::playback);
      }
      case GET_VARIABLE -> {
        var it = command.getGetVariable();
        var options = common(CommandOptions.none(), command);
        yield new Method<>(
            c -> c.getVariable(it.getName(), options),
            b -> b.getVariable(it.getName(), options),
            Json::value);
      }
      case GOSUB -> {
        var it = command.getGosub();
        var options = common(CommandOptions.none(), command);
        yield new Method<>(
            c ->
                c.gosub(
                    it.getContext(),
                    it.getExtension(),
                    it.getPriority(),
                    it.getArgumentsList(),
                    options),
            b ->
                b.gosub(
                    it.getContext(),
                    it.getExtension(),
                    it.getPriority(),
                    it.getArgumentsList(),
                    options),
            Json::gosub);
      }
      case HANG_UP -> {
        var it = command.getHangUp();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.hangUp(it.getChannel(), options), b -> b.hangUp(it.getChannel(), options));
      }
      case NOOP -> {
        var it = command.getNoop();
        var options = common(CommandOptions.none(), command);
        yield done(c -> c.noop(it.getText(), options), b -> b.noop(it.getText(), options));
      }
      case RECEIVE_CHAR -> {
        var it = command.getReceiveChar();
        var options = common(TimeoutOptions.none(), command);
        if (it.hasTimeout()) {
          options = options.timeout(duration(it.getTimeout()));
        }
        var chosen = options;
        yield new Method<>(c -> c.receiveChar(chosen), b -> b.receiveChar(chosen), Json::text);
      }
      case RECEIVE_TEXT -> {
        var it = command.getReceiveText();
        var options = common(TimeoutOptions.none(), command);
        if (it.hasTimeout()) {
          options = options.timeout(duration(it.getTimeout()));
        }
        var chosen = options;
        yield new Method<>(c -> c.receiveText(chosen), b -> b.receiveText(chosen), Json::text);
      }
      case RECORD_FILE -> {
        var it = command.getRecordFile();
        var options = common(RecordFileOptions.none(), command);
        if (!it.getEscapeDigits().isEmpty()) {
          options = options.escapeDigits(it.getEscapeDigits());
        }
        if (it.hasTimeout()) {
          options = options.timeout(duration(it.getTimeout()));
        }
        if (it.getOffsetSamples() != 0) {
          options = options.offsetSamples(Integer.toUnsignedLong(it.getOffsetSamples()));
        }
        options = options.beep(it.getBeep());
        if (it.hasSilence()) {
          options = options.silence(duration(it.getSilence()));
        }
        var chosen = options;
        yield new Method<>(
            c -> c.recordFile(it.getFile(), it.getFormat(), chosen),
            b -> b.recordFile(it.getFile(), it.getFormat(), chosen),
            Json::recording);
      }
      case SAY_ALPHA -> {
        var it = command.getSayAlpha();
        var options = common(SayAlphaOptions.none(), command);
        if (!it.getEscapeDigits().isEmpty()) {
          options = options.escapeDigits(it.getEscapeDigits());
        }
        options = options.spokenCase(SpokenCase.values()[it.getSpokenCaseValue()]);
        var chosen = options;
        yield new Method<>(
            c -> c.sayAlpha(it.getText(), chosen),
            b -> b.sayAlpha(it.getText(), chosen),
            Json::digit);
      }
      case SAY_DATE -> {
        var it = command.getSayDate();
        var options = common(SayOptions.none(), command);
        if (!it.getEscapeDigits().isEmpty()) {
          options = options.escapeDigits(it.getEscapeDigits());
        }
        var chosen = options;
        yield new Method<>(
            c -> c.sayDate(instant(it.getDate()), chosen),
            b -> b.sayDate(instant(it.getDate()), chosen),
            Json::digit);
      }
      case SAY_DATE_TIME -> {
        var it = command.getSayDateTime();
        var options = common(SayDateTimeOptions.none(), command);
        if (!it.getEscapeDigits().isEmpty()) {
          options = options.escapeDigits(it.getEscapeDigits());
        }
        if (!it.getFormat().isEmpty()) {
          options = options.format(it.getFormat());
        }
        if (!it.getTimeZone().isEmpty()) {
          options = options.timeZone(ZoneId.of(it.getTimeZone()));
        }
        var chosen = options;
        yield new Method<>(
            c -> c.sayDateTime(instant(it.getTime()), chosen),
            b -> b.sayDateTime(instant(it.getTime()), chosen),
            Json::digit);
      }
      case SAY_DIGITS -> {
        var it = command.getSayDigits();
        var options = common(SayOptions.none(), command);
        if (!it.getEscapeDigits().isEmpty()) {
          options = options.escapeDigits(it.getEscapeDigits());
        }
        var chosen = options;
        yield new Method<>(
            c -> c.sayDigits(it.getDigits(), chosen),
            b -> b.sayDigits(it.getDigits(), chosen),
            Json::digit);
      }
      case SAY_NUMBER -> {
        var it = command.getSayNumber();
        var options = common(SayNumberOptions.none(), command);
        if (!it.getEscapeDigits().isEmpty()) {
          options = options.escapeDigits(it.getEscapeDigits());
        }
        if (!it.getGender().isEmpty()) {
          options = options.gender(it.getGender());
        }
        var chosen = options;
        yield new Method<>(
            c -> c.sayNumber(it.getNumber(), chosen),
            b -> b.sayNumber(it.getNumber(), chosen),
            Json::digit);
      }
      case SAY_PHONETIC -> {
        var it = command.getSayPhonetic();
        var options = common(SayOptions.none(), command);
        if (!it.getEscapeDigits().isEmpty()) {
          options = options.escapeDigits(it.getEscapeDigits());
        }
        var chosen = options;
        yield new Method<>(
            c -> c.sayPhonetic(it.getText(), chosen),
            b -> b.sayPhonetic(it.getText(), chosen),
            Json::digit);
      }
      case SAY_TIME -> {
        var it = command.getSayTime();
        var options = common(SayOptions.none(), command);
        if (!it.getEscapeDigits().isEmpty()) {
          options = options.escapeDigits(it.getEscapeDigits());
        }
        var chosen = options;
        yield new Method<>(
            c -> c.sayTime(instant(it.getTime()), chosen),
            b -> b.sayTime(instant(it.getTime()), chosen),
            Json::digit);
      }
      case SEND_IMAGE -> {
        var it = command.getSendImage();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.sendImage(it.getImage(), options), b -> b.sendImage(it.getImage(), options));
      }
      case SEND_TEXT -> {
        var it = command.getSendText();
        var options = common(CommandOptions.none(), command);
        yield done(c -> c.sendText(it.getText(), options), b -> b.sendText(it.getText(), options));
      }
      case SET_AUTO_HANGUP -> {
        var it = command.getSetAutoHangup();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.setAutoHangup(duration(it.getAfter()), options),
            b -> b.setAutoHangup(duration(it.getAfter()), options));
      }
      case SET_CALLER_ID -> {
        var it = command.getSetCallerId();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.setCallerId(it.getName(), it.getNumber(), options),
            b -> b.setCallerId(it.getName(), it.getNumber(), options));
      }
      case SET_CONTEXT -> {
        var it = command.getSetContext();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.setContext(it.getContext(), options),
            b -> b.setContext(it.getContext(), options));
      }
      case SET_EXTENSION -> {
        var it = command.getSetExtension();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.setExtension(it.getExtension(), options),
            b -> b.setExtension(it.getExtension(), options));
      }
      case SET_MUSIC -> {
        var it = command.getSetMusic();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.setMusic(it.getOn(), it.getMusicClass(), options),
            b -> b.setMusic(it.getOn(), it.getMusicClass(), options));
      }
      case SET_PRIORITY -> {
        var it = command.getSetPriority();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.setPriority(it.getPriority(), options),
            b -> b.setPriority(it.getPriority(), options));
      }
      case SET_VARIABLE -> {
        var it = command.getSetVariable();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.setVariable(it.getName(), it.getValue(), options),
            b -> b.setVariable(it.getName(), it.getValue(), options));
      }
      case SPEECH_ACTIVATE_GRAMMAR -> {
        var it = command.getSpeechActivateGrammar();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.speechActivateGrammar(it.getGrammar(), options),
            b -> b.speechActivateGrammar(it.getGrammar(), options));
      }
      case SPEECH_CREATE -> {
        var it = command.getSpeechCreate();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.speechCreate(it.getEngine(), options),
            b -> b.speechCreate(it.getEngine(), options));
      }
      case SPEECH_DEACTIVATE_GRAMMAR -> {
        var it = command.getSpeechDeactivateGrammar();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.speechDeactivateGrammar(it.getGrammar(), options),
            b -> b.speechDeactivateGrammar(it.getGrammar(), options));
      }
      case SPEECH_DESTROY -> {
        var options = common(CommandOptions.none(), command);
        yield done(c -> c.speechDestroy(options), b -> b.speechDestroy(options));
      }
      case SPEECH_LOAD_GRAMMAR -> {
        var it = command.getSpeechLoadGrammar();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.speechLoadGrammar(it.getGrammar(), it.getPath(), options),
            b -> b.speechLoadGrammar(it.getGrammar(), it.getPath(), options));
      }
      case SPEECH_RECOGNIZE -> {
        var it = command.getSpeechRecognize();
        var options = common(SpeechRecognizeOptions.none(), command);
        if (it.hasTimeout()) {
          options = options.timeout(duration(it.getTimeout()));
        }
        if (it.getOffsetSamples() != 0) {
          options = options.offsetSamples(Integer.toUnsignedLong(it.getOffsetSamples()));
        }
        var chosen = options;
        yield new Method<>(
            c -> c.speechRecognize(it.getPrompt(), chosen),
            b -> b.speechRecognize(it.getPrompt(), chosen),
            Json::speech);
      }
      case SPEECH_SET -> {
        var it = command.getSpeechSet();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.speechSet(it.getName(), it.getValue(), options),
            b -> b.speechSet(it.getName(), it.getValue(), options));
      }
      case SPEECH_UNLOAD_GRAMMAR -> {
        var it = command.getSpeechUnloadGrammar();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.speechUnloadGrammar(it.getGrammar(), options),
            b -> b.speechUnloadGrammar(it.getGrammar(), options));
      }
      case STREAM_FILE -> {
        var it = command.getStreamFile();
        var options = common(StreamFileOptions.none(), command);
        if (!it.getEscapeDigits().isEmpty()) {
          options = options.escapeDigits(it.getEscapeDigits());
        }
        if (it.getOffsetSamples() != 0) {
          options = options.offsetSamples(Integer.toUnsignedLong(it.getOffsetSamples()));
        }
        var chosen = options;
        yield new Method<>(
            c -> c.streamFile(it.getFile(), chosen),
            b -> b.streamFile(it.getFile(), chosen),
            Json::playback);
      }
      case TDD_MODE -> {
        var it = command.getTddMode();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.tddMode(TddMode.values()[it.getModeValue() - 1], options),
            b -> b.tddMode(TddMode.values()[it.getModeValue() - 1], options));
      }
      case VERBOSE -> {
        var it = command.getVerbose();
        var options = common(CommandOptions.none(), command);
        yield done(
            c -> c.verbose(it.getText(), it.getLevel(), options),
            b -> b.verbose(it.getText(), it.getLevel(), options));
      }
      case WAIT_FOR_DIGIT -> {
        var it = command.getWaitForDigit();
        var options = common(TimeoutOptions.none(), command);
        if (it.hasTimeout()) {
          options = options.timeout(duration(it.getTimeout()));
        }
        var chosen = options;
        yield new Method<>(c -> c.waitForDigit(chosen), b -> b.waitForDigit(chosen), Json::digit);
      }
      case RAW -> {
        var it = command.getRaw();
        var options = common(CommandOptions.none(), command);
        yield new Method<>(
            c -> c.raw(it.getLine(), options), b -> b.raw(it.getLine(), options), Json::raw);
      }
      case COMMAND_NOT_SET ->
          throw new IllegalArgumentException("a step has no command that is known");
    };
  }

  private static Method<Void> done(Consumer<Call> alone, Function<Batch, Pending<Void>> batched) {
    return new Method<>(
        call -> {
          alone.accept(call);
          return null;
        },
        batched,
        Json::done);
  }

  private static <S extends CommandSettings<S>> S common(S options, Command command) {
    S common = command.getRequiresSuccess() ? options.requiresSuccess(true) : options;
    return command.hasTimeout() ? common.replyTimeout(duration(command.getTimeout())) : common;
  }

  static java.time.Duration duration(Duration duration) {
    return java.time.Duration.ofSeconds(duration.getSeconds(), duration.getNanos());
  }

  private static Instant instant(Timestamp timestamp) {
    return Instant.ofEpochSecond(timestamp.getSeconds(), timestamp.getNanos());
  }
}

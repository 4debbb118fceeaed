package io.agibridge;

import io.agibridge.internal.v1.Answer;
import io.agibridge.internal.v1.AsyncAgiBreak;
import io.agibridge.internal.v1.Command;
import io.agibridge.internal.v1.ControlStreamFile;
import io.agibridge.internal.v1.DatabaseDel;
import io.agibridge.internal.v1.DatabaseDelTree;
import io.agibridge.internal.v1.DatabaseGet;
import io.agibridge.internal.v1.DatabasePut;
import io.agibridge.internal.v1.Exec;
import io.agibridge.internal.v1.GetChannelStatus;
import io.agibridge.internal.v1.GetData;
import io.agibridge.internal.v1.GetFullVariable;
import io.agibridge.internal.v1.GetOption;
import io.agibridge.internal.v1.GetVariable;
import io.agibridge.internal.v1.HangUp;
import io.agibridge.internal.v1.Noop;
import io.agibridge.internal.v1.RawCommand;
import io.agibridge.internal.v1.ReceiveChar;
import io.agibridge.internal.v1.ReceiveText;
import io.agibridge.internal.v1.RecordFile;
import io.agibridge.internal.v1.SayAlpha;
import io.agibridge.internal.v1.SayDate;
import io.agibridge.internal.v1.SayDateTime;
import io.agibridge.internal.v1.SayDigits;
import io.agibridge.internal.v1.SayNumber;
import io.agibridge.internal.v1.SayPhonetic;
import io.agibridge.internal.v1.SayTime;
import io.agibridge.internal.v1.SendImage;
import io.agibridge.internal.v1.SendText;
import io.agibridge.internal.v1.SetAutoHangup;
import io.agibridge.internal.v1.SetCallerId;
import io.agibridge.internal.v1.SetContext;
import io.agibridge.internal.v1.SetExtension;
import io.agibridge.internal.v1.SetMusic;
import io.agibridge.internal.v1.SetPriority;
import io.agibridge.internal.v1.SetVariable;
import io.agibridge.internal.v1.SpeechActivateGrammar;
import io.agibridge.internal.v1.SpeechCreate;
import io.agibridge.internal.v1.SpeechDeactivateGrammar;
import io.agibridge.internal.v1.SpeechDestroy;
import io.agibridge.internal.v1.SpeechLoadGrammar;
import io.agibridge.internal.v1.SpeechRecognize;
import io.agibridge.internal.v1.SpeechSet;
import io.agibridge.internal.v1.SpeechUnloadGrammar;
import io.agibridge.internal.v1.StreamFile;
import io.agibridge.internal.v1.Verbose;
import io.agibridge.internal.v1.WaitForDigit;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Each command as the contract has it, made of the arguments of its method; one place for a call, a
 * batch and a fake.
 */
final class Specs {
  private Specs() {}

  static Spec<Void> answer(CommandOptions options) {
    var body = Answer.newBuilder();
    return Spec.of(options, Command.newBuilder().setAnswer(body), Results::done);
  }

  static Spec<Void> asyncAgiBreak(CommandOptions options) {
    var body = AsyncAgiBreak.newBuilder();
    return Spec.of(options, Command.newBuilder().setAsyncAgiBreak(body), Results::done);
  }

  static Spec<ChannelStatus> channelStatus(String channel, CommandOptions options) {
    var body = GetChannelStatus.newBuilder().setChannel(channel);
    return Spec.of(options, Command.newBuilder().setChannelStatus(body), Results::channelStatus);
  }

  static Spec<Playback> controlStreamFile(String file, ControlStreamFileOptions options) {
    var body = ControlStreamFile.newBuilder().setFile(file);
    ControlStreamFileOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setControlStreamFile(body), Results::playback);
  }

  static Spec<Void> databaseDel(String family, String key, CommandOptions options) {
    var body = DatabaseDel.newBuilder().setFamily(family).setKey(key);
    return Spec.of(options, Command.newBuilder().setDatabaseDel(body), Results::done);
  }

  static Spec<Void> databaseDelTree(String family, String keyTree, CommandOptions options) {
    var body = DatabaseDelTree.newBuilder().setFamily(family).setKeyTree(keyTree);
    return Spec.of(options, Command.newBuilder().setDatabaseDelTree(body), Results::done);
  }

  static Spec<Optional<String>> databaseGet(String family, String key, CommandOptions options) {
    var body = DatabaseGet.newBuilder().setFamily(family).setKey(key);
    return Spec.of(options, Command.newBuilder().setDatabaseGet(body), Results::value);
  }

  static Spec<Void> databasePut(String family, String key, String value, CommandOptions options) {
    var body = DatabasePut.newBuilder().setFamily(family).setKey(key).setValue(value);
    return Spec.of(options, Command.newBuilder().setDatabasePut(body), Results::done);
  }

  static Spec<Integer> exec(String application, List<String> arguments, CommandOptions options) {
    var body = Exec.newBuilder().setApplication(application).addAllArguments(arguments);
    return Spec.of(options, Command.newBuilder().setExec(body), Results::exec);
  }

  static Spec<Digits> getData(String file, GetDataOptions options) {
    var body = GetData.newBuilder().setFile(file);
    GetDataOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setGetData(body), Results::digits);
  }

  static Spec<Optional<String>> getFullVariable(
      String expression, String channel, CommandOptions options) {
    var body = GetFullVariable.newBuilder().setExpression(expression).setChannel(channel);
    return Spec.of(options, Command.newBuilder().setGetFullVariable(body), Results::value);
  }

  static Spec<Playback> getOption(String file, String escapeDigits, TimeoutOptions options) {
    var body = GetOption.newBuilder().setFile(file).setEscapeDigits(escapeDigits);
    TimeoutOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setGetOption(body), Results::playback);
  }

  static Spec<Optional<String>> getVariable(String name, CommandOptions options) {
    var body = GetVariable.newBuilder().setName(name);
    return Spec.of(options, Command.newBuilder().setGetVariable(body), Results::value);
  }

  static Spec<Gosub> gosub(
      String context,
      String extension,
      String priority,
      List<String> arguments,
      CommandOptions options) {
    var body =
        io.agibridge.internal.v1.Gosub.newBuilder()
            .setContext(context)
            .setExtension(extension)
            .setPriority(priority)
            .addAllArguments(arguments);
    return Spec.of(options, Command.newBuilder().setGosub(body), Results::gosub);
  }

  static Spec<Void> hangUp(String channel, CommandOptions options) {
    var body = HangUp.newBuilder().setChannel(channel);
    return Spec.of(options, Command.newBuilder().setHangUp(body), Results::done);
  }

  static Spec<Void> noop(String text, CommandOptions options) {
    var body = Noop.newBuilder().setText(text);
    return Spec.of(options, Command.newBuilder().setNoop(body), Results::done);
  }

  static Spec<Optional<String>> receiveChar(TimeoutOptions options) {
    var body = ReceiveChar.newBuilder();
    TimeoutOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setReceiveChar(body), Results::text);
  }

  static Spec<Optional<String>> receiveText(TimeoutOptions options) {
    var body = ReceiveText.newBuilder();
    TimeoutOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setReceiveText(body), Results::text);
  }

  static Spec<Recording> recordFile(String file, String format, RecordFileOptions options) {
    var body = RecordFile.newBuilder().setFile(file).setFormat(format);
    RecordFileOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setRecordFile(body), Results::recording);
  }

  static Spec<Optional<String>> sayAlpha(String text, SayAlphaOptions options) {
    var body = SayAlpha.newBuilder().setText(text);
    SayAlphaOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setSayAlpha(body), Results::digit);
  }

  static Spec<Optional<String>> sayDate(Instant date, SayOptions options) {
    var body = SayDate.newBuilder().setDate(Protos.timestamp(date));
    SayOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setSayDate(body), Results::digit);
  }

  static Spec<Optional<String>> sayDateTime(Instant time, SayDateTimeOptions options) {
    var body = SayDateTime.newBuilder().setTime(Protos.timestamp(time));
    SayDateTimeOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setSayDateTime(body), Results::digit);
  }

  static Spec<Optional<String>> sayDigits(String digits, SayOptions options) {
    var body = SayDigits.newBuilder().setDigits(digits);
    SayOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setSayDigits(body), Results::digit);
  }

  static Spec<Optional<String>> sayNumber(int number, SayNumberOptions options) {
    var body = SayNumber.newBuilder().setNumber(number);
    SayNumberOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setSayNumber(body), Results::digit);
  }

  static Spec<Optional<String>> sayPhonetic(String text, SayOptions options) {
    var body = SayPhonetic.newBuilder().setText(text);
    SayOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setSayPhonetic(body), Results::digit);
  }

  static Spec<Optional<String>> sayTime(Instant time, SayOptions options) {
    var body = SayTime.newBuilder().setTime(Protos.timestamp(time));
    SayOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setSayTime(body), Results::digit);
  }

  static Spec<Void> sendImage(String image, CommandOptions options) {
    var body = SendImage.newBuilder().setImage(image);
    return Spec.of(options, Command.newBuilder().setSendImage(body), Results::done);
  }

  static Spec<Void> sendText(String text, CommandOptions options) {
    var body = SendText.newBuilder().setText(text);
    return Spec.of(options, Command.newBuilder().setSendText(body), Results::done);
  }

  static Spec<Void> setAutoHangup(Duration after, CommandOptions options) {
    var body = SetAutoHangup.newBuilder().setAfter(Protos.duration(after));
    return Spec.of(options, Command.newBuilder().setSetAutoHangup(body), Results::done);
  }

  static Spec<Void> setCallerId(String name, String number, CommandOptions options) {
    var body = SetCallerId.newBuilder().setName(name).setNumber(number);
    return Spec.of(options, Command.newBuilder().setSetCallerId(body), Results::done);
  }

  static Spec<Void> setContext(String context, CommandOptions options) {
    var body = SetContext.newBuilder().setContext(context);
    return Spec.of(options, Command.newBuilder().setSetContext(body), Results::done);
  }

  static Spec<Void> setExtension(String extension, CommandOptions options) {
    var body = SetExtension.newBuilder().setExtension(extension);
    return Spec.of(options, Command.newBuilder().setSetExtension(body), Results::done);
  }

  static Spec<Void> setMusic(boolean on, String musicClass, CommandOptions options) {
    var body = SetMusic.newBuilder().setOn(on).setMusicClass(musicClass);
    return Spec.of(options, Command.newBuilder().setSetMusic(body), Results::done);
  }

  static Spec<Void> setPriority(String priority, CommandOptions options) {
    var body = SetPriority.newBuilder().setPriority(priority);
    return Spec.of(options, Command.newBuilder().setSetPriority(body), Results::done);
  }

  static Spec<Void> setVariable(String name, String value, CommandOptions options) {
    var body = SetVariable.newBuilder().setName(name).setValue(value);
    return Spec.of(options, Command.newBuilder().setSetVariable(body), Results::done);
  }

  static Spec<Void> speechActivateGrammar(String grammar, CommandOptions options) {
    var body = SpeechActivateGrammar.newBuilder().setGrammar(grammar);
    return Spec.of(options, Command.newBuilder().setSpeechActivateGrammar(body), Results::done);
  }

  static Spec<Void> speechCreate(String engine, CommandOptions options) {
    var body = SpeechCreate.newBuilder().setEngine(engine);
    return Spec.of(options, Command.newBuilder().setSpeechCreate(body), Results::done);
  }

  static Spec<Void> speechDeactivateGrammar(String grammar, CommandOptions options) {
    var body = SpeechDeactivateGrammar.newBuilder().setGrammar(grammar);
    return Spec.of(options, Command.newBuilder().setSpeechDeactivateGrammar(body), Results::done);
  }

  static Spec<Void> speechDestroy(CommandOptions options) {
    var body = SpeechDestroy.newBuilder();
    return Spec.of(options, Command.newBuilder().setSpeechDestroy(body), Results::done);
  }

  static Spec<Void> speechLoadGrammar(String grammar, String path, CommandOptions options) {
    var body = SpeechLoadGrammar.newBuilder().setGrammar(grammar).setPath(path);
    return Spec.of(options, Command.newBuilder().setSpeechLoadGrammar(body), Results::done);
  }

  static Spec<Speech> speechRecognize(String prompt, SpeechRecognizeOptions options) {
    var body = SpeechRecognize.newBuilder().setPrompt(prompt);
    SpeechRecognizeOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setSpeechRecognize(body), Results::speech);
  }

  static Spec<Void> speechSet(String name, String value, CommandOptions options) {
    var body = SpeechSet.newBuilder().setName(name).setValue(value);
    return Spec.of(options, Command.newBuilder().setSpeechSet(body), Results::done);
  }

  static Spec<Void> speechUnloadGrammar(String grammar, CommandOptions options) {
    var body = SpeechUnloadGrammar.newBuilder().setGrammar(grammar);
    return Spec.of(options, Command.newBuilder().setSpeechUnloadGrammar(body), Results::done);
  }

  static Spec<Playback> streamFile(String file, StreamFileOptions options) {
    var body = StreamFile.newBuilder().setFile(file);
    StreamFileOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setStreamFile(body), Results::playback);
  }

  static Spec<Void> tddMode(TddMode mode, CommandOptions options) {
    var body = io.agibridge.internal.v1.TddMode.newBuilder().setMode(mode.proto());
    return Spec.of(options, Command.newBuilder().setTddMode(body), Results::done);
  }

  static Spec<Void> verbose(String text, int level, CommandOptions options) {
    var body = Verbose.newBuilder().setText(text).setLevel(level);
    return Spec.of(options, Command.newBuilder().setVerbose(body), Results::done);
  }

  static Spec<Optional<String>> waitForDigit(TimeoutOptions options) {
    var body = WaitForDigit.newBuilder();
    TimeoutOptions.Settings.of(options).fill(body);
    return Spec.of(options, Command.newBuilder().setWaitForDigit(body), Results::digit);
  }

  static Spec<RawReply> raw(String line, CommandOptions options) {
    var body = RawCommand.newBuilder().setLine(line);
    return Spec.of(options, Command.newBuilder().setRaw(body), Results::raw);
  }
}

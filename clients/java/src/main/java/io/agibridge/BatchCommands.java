package io.agibridge;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** The commands of a {@link Batch}: those of a {@link Call}, which give their results later. */
public abstract sealed class BatchCommands permits Batch {
  BatchCommands() {}

  abstract <T> Pending<T> add(Spec<T> spec);

  /**
   * Adds {@link Call#answer} to the batch.
   *
   * @return whether it was done
   */
  public final Pending<Void> answer() {
    return add(Specs.answer(CommandOptions.none()));
  }

  /**
   * Adds {@link Call#answer} to the batch, with options.
   *
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> answer(CommandOptions options) {
    return add(Specs.answer(options));
  }

  /**
   * Adds {@link Call#asyncAgiBreak} to the batch.
   *
   * @return whether it was done
   */
  public final Pending<Void> asyncAgiBreak() {
    return add(Specs.asyncAgiBreak(CommandOptions.none()));
  }

  /**
   * Adds {@link Call#asyncAgiBreak} to the batch, with options.
   *
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> asyncAgiBreak(CommandOptions options) {
    return add(Specs.asyncAgiBreak(options));
  }

  /**
   * Adds {@link Call#channelStatus} to the batch.
   *
   * @return what it will give
   */
  public final Pending<ChannelStatus> channelStatus() {
    return add(Specs.channelStatus("", CommandOptions.none()));
  }

  /**
   * Adds {@link Call#channelStatus} to the batch.
   *
   * @param channel the name of a channel; empty: this call's own
   * @return what it will give
   */
  public final Pending<ChannelStatus> channelStatus(String channel) {
    return add(Specs.channelStatus(channel, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#channelStatus} to the batch, with options.
   *
   * @param channel the name of a channel; empty: this call's own
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return what it will give
   */
  public final Pending<ChannelStatus> channelStatus(String channel, CommandOptions options) {
    return add(Specs.channelStatus(channel, options));
  }

  /**
   * Adds {@link Call#controlStreamFile} to the batch.
   *
   * @param file the sound file, without its ending
   * @return what it will give
   */
  public final Pending<Playback> controlStreamFile(String file) {
    return add(Specs.controlStreamFile(file, ControlStreamFileOptions.none()));
  }

  /**
   * Adds {@link Call#controlStreamFile} to the batch, with options.
   *
   * @param file the sound file, without its ending
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Playback> controlStreamFile(String file, ControlStreamFileOptions options) {
    return add(Specs.controlStreamFile(file, options));
  }

  /**
   * Adds {@link Call#databaseDel} to the batch.
   *
   * @param family the family
   * @param key the key
   * @return whether it was done
   */
  public final Pending<Void> databaseDel(String family, String key) {
    return add(Specs.databaseDel(family, key, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#databaseDel} to the batch, with options.
   *
   * @param family the family
   * @param key the key
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> databaseDel(String family, String key, CommandOptions options) {
    return add(Specs.databaseDel(family, key, options));
  }

  /**
   * Adds {@link Call#databaseDelTree} to the batch.
   *
   * @param family the family
   * @return whether it was done
   */
  public final Pending<Void> databaseDelTree(String family) {
    return add(Specs.databaseDelTree(family, "", CommandOptions.none()));
  }

  /**
   * Adds {@link Call#databaseDelTree} to the batch.
   *
   * @param family the family
   * @param keyTree the beginning of the keys; empty: all of the family
   * @return whether it was done
   */
  public final Pending<Void> databaseDelTree(String family, String keyTree) {
    return add(Specs.databaseDelTree(family, keyTree, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#databaseDelTree} to the batch, with options.
   *
   * @param family the family
   * @param keyTree the beginning of the keys; empty: all of the family
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> databaseDelTree(
      String family, String keyTree, CommandOptions options) {
    return add(Specs.databaseDelTree(family, keyTree, options));
  }

  /**
   * Adds {@link Call#databaseGet} to the batch.
   *
   * @param family the family
   * @param key the key
   * @return what it will give
   */
  public final Pending<Optional<String>> databaseGet(String family, String key) {
    return add(Specs.databaseGet(family, key, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#databaseGet} to the batch, with options.
   *
   * @param family the family
   * @param key the key
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return what it will give
   */
  public final Pending<Optional<String>> databaseGet(
      String family, String key, CommandOptions options) {
    return add(Specs.databaseGet(family, key, options));
  }

  /**
   * Adds {@link Call#databasePut} to the batch.
   *
   * @param family the family
   * @param key the key
   * @param value the value, without line ends
   * @return whether it was done
   */
  public final Pending<Void> databasePut(String family, String key, String value) {
    return add(Specs.databasePut(family, key, value, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#databasePut} to the batch, with options.
   *
   * @param family the family
   * @param key the key
   * @param value the value, without line ends
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> databasePut(
      String family, String key, String value, CommandOptions options) {
    return add(Specs.databasePut(family, key, value, options));
  }

  /**
   * Adds {@link Call#exec} to the batch.
   *
   * @param application a dialplan application, as {@code Dial}
   * @param arguments its arguments; commas, quotes and backslashes inside one reach the application
   *     as they are
   * @return what it will give
   */
  public final Pending<Integer> exec(String application, String... arguments) {
    return add(Specs.exec(application, List.of(arguments), CommandOptions.none()));
  }

  /**
   * Adds {@link Call#exec} to the batch, with options.
   *
   * @param application a dialplan application, as {@code Dial}
   * @param arguments its arguments; commas, quotes and backslashes inside one reach the application
   *     as they are
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return what it will give
   */
  public final Pending<Integer> exec(
      String application, List<String> arguments, CommandOptions options) {
    return add(Specs.exec(application, arguments, options));
  }

  /**
   * Adds {@link Call#getData} to the batch.
   *
   * @param file the prompt's file, without its ending
   * @return what it will give
   */
  public final Pending<Digits> getData(String file) {
    return add(Specs.getData(file, GetDataOptions.none()));
  }

  /**
   * Adds {@link Call#getData} to the batch, with options.
   *
   * @param file the prompt's file, without its ending
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Digits> getData(String file, GetDataOptions options) {
    return add(Specs.getData(file, options));
  }

  /**
   * Adds {@link Call#getFullVariable} to the batch.
   *
   * @param expression an expression of the dialplan, as <code>${CALLERID(num)}</code>
   * @return what it will give
   */
  public final Pending<Optional<String>> getFullVariable(String expression) {
    return add(Specs.getFullVariable(expression, "", CommandOptions.none()));
  }

  /**
   * Adds {@link Call#getFullVariable} to the batch.
   *
   * @param expression an expression of the dialplan, as <code>${CALLERID(num)}</code>
   * @param channel another channel's name; empty: this call's own
   * @return what it will give
   */
  public final Pending<Optional<String>> getFullVariable(String expression, String channel) {
    return add(Specs.getFullVariable(expression, channel, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#getFullVariable} to the batch, with options.
   *
   * @param expression an expression of the dialplan, as <code>${CALLERID(num)}</code>
   * @param channel another channel's name; empty: this call's own
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return what it will give
   */
  public final Pending<Optional<String>> getFullVariable(
      String expression, String channel, CommandOptions options) {
    return add(Specs.getFullVariable(expression, channel, options));
  }

  /**
   * Adds {@link Call#getOption} to the batch.
   *
   * @param file the prompt's file, without its ending
   * @param escapeDigits the digits that stop it: any of {@code 0-9*#}
   * @return what it will give
   */
  public final Pending<Playback> getOption(String file, String escapeDigits) {
    return add(Specs.getOption(file, escapeDigits, TimeoutOptions.none()));
  }

  /**
   * Adds {@link Call#getOption} to the batch, with options.
   *
   * @param file the prompt's file, without its ending
   * @param escapeDigits the digits that stop it: any of {@code 0-9*#}
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Playback> getOption(
      String file, String escapeDigits, TimeoutOptions options) {
    return add(Specs.getOption(file, escapeDigits, options));
  }

  /**
   * Adds {@link Call#getVariable} to the batch.
   *
   * @param name a variable or function, as {@code DIALSTATUS} or {@code CALLERID(num)}
   * @return what it will give
   */
  public final Pending<Optional<String>> getVariable(String name) {
    return add(Specs.getVariable(name, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#getVariable} to the batch, with options.
   *
   * @param name a variable or function, as {@code DIALSTATUS} or {@code CALLERID(num)}
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return what it will give
   */
  public final Pending<Optional<String>> getVariable(String name, CommandOptions options) {
    return add(Specs.getVariable(name, options));
  }

  /**
   * Adds {@link Call#gosub} to the batch.
   *
   * @param context the context
   * @param extension the extension
   * @param priority a number or a label
   * @param arguments ARG1, ARG2 and so on
   * @return what it will give
   */
  public final Pending<Gosub> gosub(
      String context, String extension, String priority, String... arguments) {
    return add(
        Specs.gosub(context, extension, priority, List.of(arguments), CommandOptions.none()));
  }

  /**
   * Adds {@link Call#gosub} to the batch, with options.
   *
   * @param context the context
   * @param extension the extension
   * @param priority a number or a label
   * @param arguments ARG1, ARG2 and so on
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return what it will give
   */
  public final Pending<Gosub> gosub(
      String context,
      String extension,
      String priority,
      List<String> arguments,
      CommandOptions options) {
    return add(Specs.gosub(context, extension, priority, arguments, options));
  }

  /**
   * Adds {@link Call#hangUp} to the batch.
   *
   * @return whether it was done
   */
  public final Pending<Void> hangUp() {
    return add(Specs.hangUp("", CommandOptions.none()));
  }

  /**
   * Adds {@link Call#hangUp} to the batch.
   *
   * @param channel another channel's name; empty: this call's own
   * @return whether it was done
   */
  public final Pending<Void> hangUp(String channel) {
    return add(Specs.hangUp(channel, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#hangUp} to the batch, with options.
   *
   * @param channel another channel's name; empty: this call's own
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> hangUp(String channel, CommandOptions options) {
    return add(Specs.hangUp(channel, options));
  }

  /**
   * Adds {@link Call#noop} to the batch.
   *
   * @return whether it was done
   */
  public final Pending<Void> noop() {
    return add(Specs.noop("", CommandOptions.none()));
  }

  /**
   * Adds {@link Call#noop} to the batch.
   *
   * @param text what Asterisk's log shows
   * @return whether it was done
   */
  public final Pending<Void> noop(String text) {
    return add(Specs.noop(text, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#noop} to the batch, with options.
   *
   * @param text what Asterisk's log shows
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> noop(String text, CommandOptions options) {
    return add(Specs.noop(text, options));
  }

  /**
   * Adds {@link Call#receiveChar} to the batch.
   *
   * @return what it will give
   */
  public final Pending<Optional<String>> receiveChar() {
    return add(Specs.receiveChar(TimeoutOptions.none()));
  }

  /**
   * Adds {@link Call#receiveChar} to the batch, with options.
   *
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Optional<String>> receiveChar(TimeoutOptions options) {
    return add(Specs.receiveChar(options));
  }

  /**
   * Adds {@link Call#receiveText} to the batch.
   *
   * @return what it will give
   */
  public final Pending<Optional<String>> receiveText() {
    return add(Specs.receiveText(TimeoutOptions.none()));
  }

  /**
   * Adds {@link Call#receiveText} to the batch, with options.
   *
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Optional<String>> receiveText(TimeoutOptions options) {
    return add(Specs.receiveText(options));
  }

  /**
   * Adds {@link Call#recordFile} to the batch.
   *
   * @param file the file to write, without its ending
   * @param format its format and ending, as {@code wav} or {@code gsm}
   * @return what it will give
   */
  public final Pending<Recording> recordFile(String file, String format) {
    return add(Specs.recordFile(file, format, RecordFileOptions.none()));
  }

  /**
   * Adds {@link Call#recordFile} to the batch, with options.
   *
   * @param file the file to write, without its ending
   * @param format its format and ending, as {@code wav} or {@code gsm}
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Recording> recordFile(
      String file, String format, RecordFileOptions options) {
    return add(Specs.recordFile(file, format, options));
  }

  /**
   * Adds {@link Call#sayAlpha} to the batch.
   *
   * @param text the text
   * @return what it will give
   */
  public final Pending<Optional<String>> sayAlpha(String text) {
    return add(Specs.sayAlpha(text, SayAlphaOptions.none()));
  }

  /**
   * Adds {@link Call#sayAlpha} to the batch, with options.
   *
   * @param text the text
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Optional<String>> sayAlpha(String text, SayAlphaOptions options) {
    return add(Specs.sayAlpha(text, options));
  }

  /**
   * Adds {@link Call#sayDate} to the batch.
   *
   * @param date a moment of the day; the zone is that of Asterisk's machine
   * @return what it will give
   */
  public final Pending<Optional<String>> sayDate(Instant date) {
    return add(Specs.sayDate(date, SayOptions.none()));
  }

  /**
   * Adds {@link Call#sayDate} to the batch, with options.
   *
   * @param date a moment of the day; the zone is that of Asterisk's machine
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Optional<String>> sayDate(Instant date, SayOptions options) {
    return add(Specs.sayDate(date, options));
  }

  /**
   * Adds {@link Call#sayDateTime} to the batch.
   *
   * @param time the moment
   * @return what it will give
   */
  public final Pending<Optional<String>> sayDateTime(Instant time) {
    return add(Specs.sayDateTime(time, SayDateTimeOptions.none()));
  }

  /**
   * Adds {@link Call#sayDateTime} to the batch, with options.
   *
   * @param time the moment
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Optional<String>> sayDateTime(Instant time, SayDateTimeOptions options) {
    return add(Specs.sayDateTime(time, options));
  }

  /**
   * Adds {@link Call#sayDigits} to the batch.
   *
   * @param digits the digits
   * @return what it will give
   */
  public final Pending<Optional<String>> sayDigits(String digits) {
    return add(Specs.sayDigits(digits, SayOptions.none()));
  }

  /**
   * Adds {@link Call#sayDigits} to the batch, with options.
   *
   * @param digits the digits
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Optional<String>> sayDigits(String digits, SayOptions options) {
    return add(Specs.sayDigits(digits, options));
  }

  /**
   * Adds {@link Call#sayNumber} to the batch.
   *
   * @param number the number
   * @return what it will give
   */
  public final Pending<Optional<String>> sayNumber(int number) {
    return add(Specs.sayNumber(number, SayNumberOptions.none()));
  }

  /**
   * Adds {@link Call#sayNumber} to the batch, with options.
   *
   * @param number the number
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Optional<String>> sayNumber(int number, SayNumberOptions options) {
    return add(Specs.sayNumber(number, options));
  }

  /**
   * Adds {@link Call#sayPhonetic} to the batch.
   *
   * @param text the text
   * @return what it will give
   */
  public final Pending<Optional<String>> sayPhonetic(String text) {
    return add(Specs.sayPhonetic(text, SayOptions.none()));
  }

  /**
   * Adds {@link Call#sayPhonetic} to the batch, with options.
   *
   * @param text the text
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Optional<String>> sayPhonetic(String text, SayOptions options) {
    return add(Specs.sayPhonetic(text, options));
  }

  /**
   * Adds {@link Call#sayTime} to the batch.
   *
   * @param time the moment; the zone is that of Asterisk's machine
   * @return what it will give
   */
  public final Pending<Optional<String>> sayTime(Instant time) {
    return add(Specs.sayTime(time, SayOptions.none()));
  }

  /**
   * Adds {@link Call#sayTime} to the batch, with options.
   *
   * @param time the moment; the zone is that of Asterisk's machine
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Optional<String>> sayTime(Instant time, SayOptions options) {
    return add(Specs.sayTime(time, options));
  }

  /**
   * Adds {@link Call#sendImage} to the batch.
   *
   * @param image the image's file, without its ending
   * @return whether it was done
   */
  public final Pending<Void> sendImage(String image) {
    return add(Specs.sendImage(image, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#sendImage} to the batch, with options.
   *
   * @param image the image's file, without its ending
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> sendImage(String image, CommandOptions options) {
    return add(Specs.sendImage(image, options));
  }

  /**
   * Adds {@link Call#sendText} to the batch.
   *
   * @param text the text, without line ends
   * @return whether it was done
   */
  public final Pending<Void> sendText(String text) {
    return add(Specs.sendText(text, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#sendText} to the batch, with options.
   *
   * @param text the text, without line ends
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> sendText(String text, CommandOptions options) {
    return add(Specs.sendText(text, options));
  }

  /**
   * Adds {@link Call#setAutoHangup} to the batch.
   *
   * @param after from now, in whole seconds; zero: never
   * @return whether it was done
   */
  public final Pending<Void> setAutoHangup(Duration after) {
    return add(Specs.setAutoHangup(after, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#setAutoHangup} to the batch, with options.
   *
   * @param after from now, in whole seconds; zero: never
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> setAutoHangup(Duration after, CommandOptions options) {
    return add(Specs.setAutoHangup(after, options));
  }

  /**
   * Adds {@link Call#setCallerId} to the batch.
   *
   * @param name the caller's name; may be empty
   * @param number the caller's number
   * @return whether it was done
   */
  public final Pending<Void> setCallerId(String name, String number) {
    return add(Specs.setCallerId(name, number, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#setCallerId} to the batch, with options.
   *
   * @param name the caller's name; may be empty
   * @param number the caller's number
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> setCallerId(String name, String number, CommandOptions options) {
    return add(Specs.setCallerId(name, number, options));
  }

  /**
   * Adds {@link Call#setContext} to the batch.
   *
   * @param context the context
   * @return whether it was done
   */
  public final Pending<Void> setContext(String context) {
    return add(Specs.setContext(context, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#setContext} to the batch, with options.
   *
   * @param context the context
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> setContext(String context, CommandOptions options) {
    return add(Specs.setContext(context, options));
  }

  /**
   * Adds {@link Call#setExtension} to the batch.
   *
   * @param extension the extension
   * @return whether it was done
   */
  public final Pending<Void> setExtension(String extension) {
    return add(Specs.setExtension(extension, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#setExtension} to the batch, with options.
   *
   * @param extension the extension
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> setExtension(String extension, CommandOptions options) {
    return add(Specs.setExtension(extension, options));
  }

  /**
   * Adds {@link Call#setMusic} to the batch.
   *
   * @param on whether music plays
   * @return whether it was done
   */
  public final Pending<Void> setMusic(boolean on) {
    return add(Specs.setMusic(on, "", CommandOptions.none()));
  }

  /**
   * Adds {@link Call#setMusic} to the batch.
   *
   * @param on whether music plays
   * @param musicClass a class of music; empty: the channel's own
   * @return whether it was done
   */
  public final Pending<Void> setMusic(boolean on, String musicClass) {
    return add(Specs.setMusic(on, musicClass, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#setMusic} to the batch, with options.
   *
   * @param on whether music plays
   * @param musicClass a class of music; empty: the channel's own
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> setMusic(boolean on, String musicClass, CommandOptions options) {
    return add(Specs.setMusic(on, musicClass, options));
  }

  /**
   * Adds {@link Call#setPriority} to the batch.
   *
   * @param priority a number or a label
   * @return whether it was done
   */
  public final Pending<Void> setPriority(String priority) {
    return add(Specs.setPriority(priority, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#setPriority} to the batch, with options.
   *
   * @param priority a number or a label
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> setPriority(String priority, CommandOptions options) {
    return add(Specs.setPriority(priority, options));
  }

  /**
   * Adds {@link Call#setVariable} to the batch.
   *
   * @param name a variable or function, as {@code PIN} or {@code CALLERID(name)}
   * @param value the value, without line ends
   * @return whether it was done
   */
  public final Pending<Void> setVariable(String name, String value) {
    return add(Specs.setVariable(name, value, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#setVariable} to the batch, with options.
   *
   * @param name a variable or function, as {@code PIN} or {@code CALLERID(name)}
   * @param value the value, without line ends
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> setVariable(String name, String value, CommandOptions options) {
    return add(Specs.setVariable(name, value, options));
  }

  /**
   * Adds {@link Call#speechActivateGrammar} to the batch.
   *
   * @param grammar its name
   * @return whether it was done
   */
  public final Pending<Void> speechActivateGrammar(String grammar) {
    return add(Specs.speechActivateGrammar(grammar, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#speechActivateGrammar} to the batch, with options.
   *
   * @param grammar its name
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> speechActivateGrammar(String grammar, CommandOptions options) {
    return add(Specs.speechActivateGrammar(grammar, options));
  }

  /**
   * Adds {@link Call#speechCreate} to the batch.
   *
   * @param engine the engine's name; empty: the default one
   * @return whether it was done
   */
  public final Pending<Void> speechCreate(String engine) {
    return add(Specs.speechCreate(engine, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#speechCreate} to the batch, with options.
   *
   * @param engine the engine's name; empty: the default one
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> speechCreate(String engine, CommandOptions options) {
    return add(Specs.speechCreate(engine, options));
  }

  /**
   * Adds {@link Call#speechDeactivateGrammar} to the batch.
   *
   * @param grammar its name
   * @return whether it was done
   */
  public final Pending<Void> speechDeactivateGrammar(String grammar) {
    return add(Specs.speechDeactivateGrammar(grammar, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#speechDeactivateGrammar} to the batch, with options.
   *
   * @param grammar its name
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> speechDeactivateGrammar(String grammar, CommandOptions options) {
    return add(Specs.speechDeactivateGrammar(grammar, options));
  }

  /**
   * Adds {@link Call#speechDestroy} to the batch.
   *
   * @return whether it was done
   */
  public final Pending<Void> speechDestroy() {
    return add(Specs.speechDestroy(CommandOptions.none()));
  }

  /**
   * Adds {@link Call#speechDestroy} to the batch, with options.
   *
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> speechDestroy(CommandOptions options) {
    return add(Specs.speechDestroy(options));
  }

  /**
   * Adds {@link Call#speechLoadGrammar} to the batch.
   *
   * @param grammar a name for it
   * @param path its file
   * @return whether it was done
   */
  public final Pending<Void> speechLoadGrammar(String grammar, String path) {
    return add(Specs.speechLoadGrammar(grammar, path, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#speechLoadGrammar} to the batch, with options.
   *
   * @param grammar a name for it
   * @param path its file
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> speechLoadGrammar(
      String grammar, String path, CommandOptions options) {
    return add(Specs.speechLoadGrammar(grammar, path, options));
  }

  /**
   * Adds {@link Call#speechRecognize} to the batch.
   *
   * @param prompt the prompt's file, without its ending
   * @return what it will give
   */
  public final Pending<Speech> speechRecognize(String prompt) {
    return add(Specs.speechRecognize(prompt, SpeechRecognizeOptions.none()));
  }

  /**
   * Adds {@link Call#speechRecognize} to the batch, with options.
   *
   * @param prompt the prompt's file, without its ending
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Speech> speechRecognize(String prompt, SpeechRecognizeOptions options) {
    return add(Specs.speechRecognize(prompt, options));
  }

  /**
   * Adds {@link Call#speechSet} to the batch.
   *
   * @param name the setting
   * @param value its value
   * @return whether it was done
   */
  public final Pending<Void> speechSet(String name, String value) {
    return add(Specs.speechSet(name, value, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#speechSet} to the batch, with options.
   *
   * @param name the setting
   * @param value its value
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> speechSet(String name, String value, CommandOptions options) {
    return add(Specs.speechSet(name, value, options));
  }

  /**
   * Adds {@link Call#speechUnloadGrammar} to the batch.
   *
   * @param grammar its name
   * @return whether it was done
   */
  public final Pending<Void> speechUnloadGrammar(String grammar) {
    return add(Specs.speechUnloadGrammar(grammar, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#speechUnloadGrammar} to the batch, with options.
   *
   * @param grammar its name
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> speechUnloadGrammar(String grammar, CommandOptions options) {
    return add(Specs.speechUnloadGrammar(grammar, options));
  }

  /**
   * Adds {@link Call#streamFile} to the batch.
   *
   * @param file the sound file, without its ending
   * @return what it will give
   */
  public final Pending<Playback> streamFile(String file) {
    return add(Specs.streamFile(file, StreamFileOptions.none()));
  }

  /**
   * Adds {@link Call#streamFile} to the batch, with options.
   *
   * @param file the sound file, without its ending
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Playback> streamFile(String file, StreamFileOptions options) {
    return add(Specs.streamFile(file, options));
  }

  /**
   * Adds {@link Call#tddMode} to the batch.
   *
   * @param mode on, off, or mate
   * @return whether it was done
   */
  public final Pending<Void> tddMode(TddMode mode) {
    return add(Specs.tddMode(mode, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#tddMode} to the batch, with options.
   *
   * @param mode on, off, or mate
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> tddMode(TddMode mode, CommandOptions options) {
    return add(Specs.tddMode(mode, options));
  }

  /**
   * Adds {@link Call#verbose} to the batch.
   *
   * @param text the line
   * @return whether it was done
   */
  public final Pending<Void> verbose(String text) {
    return add(Specs.verbose(text, 1, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#verbose} to the batch.
   *
   * @param text the line
   * @param level 1 to 4
   * @return whether it was done
   */
  public final Pending<Void> verbose(String text, int level) {
    return add(Specs.verbose(text, level, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#verbose} to the batch, with options.
   *
   * @param text the line
   * @param level 1 to 4
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return whether it was done
   */
  public final Pending<Void> verbose(String text, int level, CommandOptions options) {
    return add(Specs.verbose(text, level, options));
  }

  /**
   * Adds {@link Call#waitForDigit} to the batch.
   *
   * @return what it will give
   */
  public final Pending<Optional<String>> waitForDigit() {
    return add(Specs.waitForDigit(TimeoutOptions.none()));
  }

  /**
   * Adds {@link Call#waitForDigit} to the batch, with options.
   *
   * @param options what else may be set
   * @return what it will give
   */
  public final Pending<Optional<String>> waitForDigit(TimeoutOptions options) {
    return add(Specs.waitForDigit(options));
  }

  /**
   * Adds {@link Call#raw} to the batch.
   *
   * @param line the command as AGI has it, without its line end
   * @return what it will give
   */
  public final Pending<RawReply> raw(String line) {
    return add(Specs.raw(line, CommandOptions.none()));
  }

  /**
   * Adds {@link Call#raw} to the batch, with options.
   *
   * @param line the command as AGI has it, without its line end
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return what it will give
   */
  public final Pending<RawReply> raw(String line, CommandOptions options) {
    return add(Specs.raw(line, options));
  }
}

package io.agibridge;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * AGI's commands, as methods of a {@link Call}. Each returns once Asterisk has answered.
 *
 * <p>All throw {@link HungUpException} when the caller is gone and the command needs a live
 * channel, {@link CommandException} when it failed for another reason, {@link CallLostException}
 * when the bridge is gone, {@link MisuseException} on a call that is not this handler's, and {@link
 * CallInterruptedException} when the thread is interrupted while it waits: the command is taken
 * back then if Asterisk does not have it yet.
 *
 * <p>Text may hold quotes, backslashes and spaces, but no line end and no NUL: INVALID_ARGUMENT.
 * What is left out of the options takes Asterisk's default.
 */
public abstract sealed class CallCommands permits CallPrompts {
  CallCommands() {}

  abstract <T> T run(Spec<T> spec);

  /**
   * Answers the channel, if it is not answered yet (ANSWER).
   *
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void answer() {
    run(Specs.answer(CommandOptions.none()));
  }

  /**
   * Answers the channel, if it is not answered yet (ANSWER).
   *
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void answer(CommandOptions options) {
    run(Specs.answer(options));
  }

  /**
   * Ends an asynchronous AGI session (ASYNCAGI BREAK). Here it does nothing; a dead channel permits
   * it.
   *
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void asyncAgiBreak() {
    run(Specs.asyncAgiBreak(CommandOptions.none()));
  }

  /**
   * Ends an asynchronous AGI session (ASYNCAGI BREAK). Here it does nothing; a dead channel permits
   * it.
   *
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void asyncAgiBreak(CommandOptions options) {
    run(Specs.asyncAgiBreak(options));
  }

  /**
   * Asks for the state of a channel (CHANNEL STATUS).
   *
   * @return the state
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final ChannelStatus channelStatus() {
    return run(Specs.channelStatus("", CommandOptions.none()));
  }

  /**
   * Asks for the state of a channel (CHANNEL STATUS).
   *
   * @param channel the name of a channel; empty: this call's own
   * @return the state
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final ChannelStatus channelStatus(String channel) {
    return run(Specs.channelStatus(channel, CommandOptions.none()));
  }

  /**
   * Asks for the state of a channel (CHANNEL STATUS).
   *
   * @param channel the name of a channel; empty: this call's own
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return the state
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final ChannelStatus channelStatus(String channel, CommandOptions options) {
    return run(Specs.channelStatus(channel, options));
  }

  /**
   * Plays a file that the caller can pause, wind forward and back (CONTROL STREAM FILE). Fails with
   * FAILED when there is no such file.
   *
   * @param file the sound file, without its ending
   * @return the digit that stopped it, if any, and where it stopped
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Playback controlStreamFile(String file) {
    return run(Specs.controlStreamFile(file, ControlStreamFileOptions.none()));
  }

  /**
   * Plays a file that the caller can pause, wind forward and back (CONTROL STREAM FILE). Fails with
   * FAILED when there is no such file.
   *
   * @param file the sound file, without its ending
   * @param options what else may be set
   * @return the digit that stopped it, if any, and where it stopped
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Playback controlStreamFile(String file, ControlStreamFileOptions options) {
    return run(Specs.controlStreamFile(file, options));
  }

  /**
   * Deletes a key of Asterisk's database (DATABASE DEL). Fails with FAILED when there is none. A
   * dead channel permits it.
   *
   * @param family the family
   * @param key the key
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void databaseDel(String family, String key) {
    run(Specs.databaseDel(family, key, CommandOptions.none()));
  }

  /**
   * Deletes a key of Asterisk's database (DATABASE DEL). Fails with FAILED when there is none. A
   * dead channel permits it.
   *
   * @param family the family
   * @param key the key
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void databaseDel(String family, String key, CommandOptions options) {
    run(Specs.databaseDel(family, key, options));
  }

  /**
   * Deletes a family, or a part of it, of Asterisk's database (DATABASE DELTREE). Fails with FAILED
   * when nothing was there. A dead channel permits it.
   *
   * @param family the family
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void databaseDelTree(String family) {
    run(Specs.databaseDelTree(family, "", CommandOptions.none()));
  }

  /**
   * Deletes a family, or a part of it, of Asterisk's database (DATABASE DELTREE). Fails with FAILED
   * when nothing was there. A dead channel permits it.
   *
   * @param family the family
   * @param keyTree the beginning of the keys; empty: all of the family
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void databaseDelTree(String family, String keyTree) {
    run(Specs.databaseDelTree(family, keyTree, CommandOptions.none()));
  }

  /**
   * Deletes a family, or a part of it, of Asterisk's database (DATABASE DELTREE). Fails with FAILED
   * when nothing was there. A dead channel permits it.
   *
   * @param family the family
   * @param keyTree the beginning of the keys; empty: all of the family
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void databaseDelTree(String family, String keyTree, CommandOptions options) {
    run(Specs.databaseDelTree(family, keyTree, options));
  }

  /**
   * Reads a value of Asterisk's database (DATABASE GET). A dead channel permits it.
   *
   * @param family the family
   * @param key the key
   * @return the value; empty when there is none
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> databaseGet(String family, String key) {
    return run(Specs.databaseGet(family, key, CommandOptions.none()));
  }

  /**
   * Reads a value of Asterisk's database (DATABASE GET). A dead channel permits it.
   *
   * @param family the family
   * @param key the key
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return the value; empty when there is none
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> databaseGet(String family, String key, CommandOptions options) {
    return run(Specs.databaseGet(family, key, options));
  }

  /**
   * Writes a value to Asterisk's database (DATABASE PUT). A dead channel permits it.
   *
   * @param family the family
   * @param key the key
   * @param value the value, without line ends
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void databasePut(String family, String key, String value) {
    run(Specs.databasePut(family, key, value, CommandOptions.none()));
  }

  /**
   * Writes a value to Asterisk's database (DATABASE PUT). A dead channel permits it.
   *
   * @param family the family
   * @param key the key
   * @param value the value, without line ends
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void databasePut(String family, String key, String value, CommandOptions options) {
    run(Specs.databasePut(family, key, value, options));
  }

  /**
   * Runs an application of the dialplan, and waits until it is over: hours, for a {@code Dial}
   * (EXEC). Fails with NO_SUCH_APPLICATION when Asterisk does not have it. A dead channel permits
   * it.
   *
   * @param application a dialplan application, as {@code Dial}
   * @param arguments its arguments; commas, quotes and backslashes inside one reach the application
   *     as they are
   * @return what the application returned: mostly 0, and -1 when the channel hung up
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final int exec(String application, String... arguments) {
    return run(Specs.exec(application, List.of(arguments), CommandOptions.none()));
  }

  /**
   * Runs an application of the dialplan, and waits until it is over: hours, for a {@code Dial}
   * (EXEC). Fails with NO_SUCH_APPLICATION when Asterisk does not have it. A dead channel permits
   * it.
   *
   * @param application a dialplan application, as {@code Dial}
   * @param arguments its arguments; commas, quotes and backslashes inside one reach the application
   *     as they are
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return what the application returned: mostly 0, and -1 when the channel hung up
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final int exec(String application, List<String> arguments, CommandOptions options) {
    return run(Specs.exec(application, arguments, options));
  }

  /**
   * Plays a prompt and reads digits up to {@code #}, the longest number of digits, or the time
   * limit (GET DATA). Fails with FAILED when there is no such file.
   *
   * @param file the prompt's file, without its ending
   * @return what was pressed; perhaps nothing
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Digits getData(String file) {
    return run(Specs.getData(file, GetDataOptions.none()));
  }

  /**
   * Plays a prompt and reads digits up to {@code #}, the longest number of digits, or the time
   * limit (GET DATA). Fails with FAILED when there is no such file.
   *
   * @param file the prompt's file, without its ending
   * @param options what else may be set
   * @return what was pressed; perhaps nothing
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Digits getData(String file, GetDataOptions options) {
    return run(Specs.getData(file, options));
  }

  /**
   * Evaluates an expression of the dialplan (GET FULL VARIABLE). A dead channel permits it.
   *
   * @param expression an expression of the dialplan, as <code>${CALLERID(num)}</code>
   * @return the value; empty when there is none
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> getFullVariable(String expression) {
    return run(Specs.getFullVariable(expression, "", CommandOptions.none()));
  }

  /**
   * Evaluates an expression of the dialplan (GET FULL VARIABLE). A dead channel permits it.
   *
   * @param expression an expression of the dialplan, as <code>${CALLERID(num)}</code>
   * @param channel another channel's name; empty: this call's own
   * @return the value; empty when there is none
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> getFullVariable(String expression, String channel) {
    return run(Specs.getFullVariable(expression, channel, CommandOptions.none()));
  }

  /**
   * Evaluates an expression of the dialplan (GET FULL VARIABLE). A dead channel permits it.
   *
   * @param expression an expression of the dialplan, as <code>${CALLERID(num)}</code>
   * @param channel another channel's name; empty: this call's own
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return the value; empty when there is none
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> getFullVariable(
      String expression, String channel, CommandOptions options) {
    return run(Specs.getFullVariable(expression, channel, options));
  }

  /**
   * Plays a prompt and waits for one digit, 5 s from the prompt's end unless set (GET OPTION).
   * Fails with FAILED when there is no such file.
   *
   * @param file the prompt's file, without its ending
   * @param escapeDigits the digits that stop it: any of {@code 0-9*#}
   * @return the digit that stopped it, if any, and where it stopped
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Playback getOption(String file, String escapeDigits) {
    return run(Specs.getOption(file, escapeDigits, TimeoutOptions.none()));
  }

  /**
   * Plays a prompt and waits for one digit, 5 s from the prompt's end unless set (GET OPTION).
   * Fails with FAILED when there is no such file.
   *
   * @param file the prompt's file, without its ending
   * @param escapeDigits the digits that stop it: any of {@code 0-9*#}
   * @param options what else may be set
   * @return the digit that stopped it, if any, and where it stopped
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Playback getOption(String file, String escapeDigits, TimeoutOptions options) {
    return run(Specs.getOption(file, escapeDigits, options));
  }

  /**
   * Reads a variable of the channel, whole and exact, however long (GET VARIABLE). A dead channel
   * permits it.
   *
   * @param name a variable or function, as {@code DIALSTATUS} or {@code CALLERID(num)}
   * @return the value; empty when there is none
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> getVariable(String name) {
    return run(Specs.getVariable(name, CommandOptions.none()));
  }

  /**
   * Reads a variable of the channel, whole and exact, however long (GET VARIABLE). A dead channel
   * permits it.
   *
   * @param name a variable or function, as {@code DIALSTATUS} or {@code CALLERID(num)}
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return the value; empty when there is none
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> getVariable(String name, CommandOptions options) {
    return run(Specs.getVariable(name, options));
  }

  /**
   * Runs a subroutine of the dialplan, and waits until it returns (GOSUB). What it reports
   * meanwhile goes to {@link Call#onProgress}. Fails with FAILED when there is no such place.
   *
   * @param context the context
   * @param extension the extension
   * @param priority a number or a label
   * @param arguments ARG1, ARG2 and so on
   * @return how it returned, and GOSUB_RETVAL
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Gosub gosub(String context, String extension, String priority, String... arguments) {
    return run(
        Specs.gosub(context, extension, priority, List.of(arguments), CommandOptions.none()));
  }

  /**
   * Runs a subroutine of the dialplan, and waits until it returns (GOSUB). What it reports
   * meanwhile goes to {@link Call#onProgress}. Fails with FAILED when there is no such place.
   *
   * @param context the context
   * @param extension the extension
   * @param priority a number or a label
   * @param arguments ARG1, ARG2 and so on
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return how it returned, and GOSUB_RETVAL
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Gosub gosub(
      String context,
      String extension,
      String priority,
      List<String> arguments,
      CommandOptions options) {
    return run(Specs.gosub(context, extension, priority, arguments, options));
  }

  /**
   * Hangs up a channel (HANGUP). To hang up at the end of the session, {@link Call#end(End)} with
   * {@link End#hangUp()} is simpler.
   *
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void hangUp() {
    run(Specs.hangUp("", CommandOptions.none()));
  }

  /**
   * Hangs up a channel (HANGUP). To hang up at the end of the session, {@link Call#end(End)} with
   * {@link End#hangUp()} is simpler.
   *
   * @param channel another channel's name; empty: this call's own
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void hangUp(String channel) {
    run(Specs.hangUp(channel, CommandOptions.none()));
  }

  /**
   * Hangs up a channel (HANGUP). To hang up at the end of the session, {@link Call#end(End)} with
   * {@link End#hangUp()} is simpler.
   *
   * @param channel another channel's name; empty: this call's own
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void hangUp(String channel, CommandOptions options) {
    run(Specs.hangUp(channel, options));
  }

  /**
   * Does nothing (NOOP). A dead channel permits it.
   *
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void noop() {
    run(Specs.noop("", CommandOptions.none()));
  }

  /**
   * Does nothing (NOOP). A dead channel permits it.
   *
   * @param text what Asterisk's log shows
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void noop(String text) {
    run(Specs.noop(text, CommandOptions.none()));
  }

  /**
   * Does nothing (NOOP). A dead channel permits it.
   *
   * @param text what Asterisk's log shows
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void noop(String text, CommandOptions options) {
    run(Specs.noop(text, options));
  }

  /**
   * Receives one character of text from the caller, where the channel can carry text (RECEIVE
   * CHAR). Waits without limit unless a timeout is set.
   *
   * @return the text; empty when none came in time
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> receiveChar() {
    return run(Specs.receiveChar(TimeoutOptions.none()));
  }

  /**
   * Receives one character of text from the caller, where the channel can carry text (RECEIVE
   * CHAR). Waits without limit unless a timeout is set.
   *
   * @param options what else may be set
   * @return the text; empty when none came in time
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> receiveChar(TimeoutOptions options) {
    return run(Specs.receiveChar(options));
  }

  /**
   * Receives a text from the caller, where the channel can carry text (RECEIVE TEXT). Waits without
   * limit unless a timeout is set.
   *
   * @return the text; empty when none came in time
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> receiveText() {
    return run(Specs.receiveText(TimeoutOptions.none()));
  }

  /**
   * Receives a text from the caller, where the channel can carry text (RECEIVE TEXT). Waits without
   * limit unless a timeout is set.
   *
   * @param options what else may be set
   * @return the text; empty when none came in time
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> receiveText(TimeoutOptions options) {
    return run(Specs.receiveText(options));
  }

  /**
   * Records the caller to a file (RECORD FILE). Fails with FAILED when it cannot be written.
   *
   * @param file the file to write, without its ending
   * @param format its format and ending, as {@code wav} or {@code gsm}
   * @return why it ended, and its length
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Recording recordFile(String file, String format) {
    return run(Specs.recordFile(file, format, RecordFileOptions.none()));
  }

  /**
   * Records the caller to a file (RECORD FILE). Fails with FAILED when it cannot be written.
   *
   * @param file the file to write, without its ending
   * @param format its format and ending, as {@code wav} or {@code gsm}
   * @param options what else may be set
   * @return why it ended, and its length
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Recording recordFile(String file, String format, RecordFileOptions options) {
    return run(Specs.recordFile(file, format, options));
  }

  /**
   * Says letters, digits and other characters one by one (SAY ALPHA).
   *
   * @param text the text
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayAlpha(String text) {
    return run(Specs.sayAlpha(text, SayAlphaOptions.none()));
  }

  /**
   * Says letters, digits and other characters one by one (SAY ALPHA).
   *
   * @param text the text
   * @param options what else may be set
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayAlpha(String text, SayAlphaOptions options) {
    return run(Specs.sayAlpha(text, options));
  }

  /**
   * Says a date (SAY DATE).
   *
   * @param date a moment of the day; the zone is that of Asterisk's machine
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayDate(Instant date) {
    return run(Specs.sayDate(date, SayOptions.none()));
  }

  /**
   * Says a date (SAY DATE).
   *
   * @param date a moment of the day; the zone is that of Asterisk's machine
   * @param options what else may be set
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayDate(Instant date, SayOptions options) {
    return run(Specs.sayDate(date, options));
  }

  /**
   * Says a date and a time in a form of your choice (SAY DATETIME).
   *
   * @param time the moment
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayDateTime(Instant time) {
    return run(Specs.sayDateTime(time, SayDateTimeOptions.none()));
  }

  /**
   * Says a date and a time in a form of your choice (SAY DATETIME).
   *
   * @param time the moment
   * @param options what else may be set
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayDateTime(Instant time, SayDateTimeOptions options) {
    return run(Specs.sayDateTime(time, options));
  }

  /**
   * Says digits one by one (SAY DIGITS).
   *
   * @param digits the digits
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayDigits(String digits) {
    return run(Specs.sayDigits(digits, SayOptions.none()));
  }

  /**
   * Says digits one by one (SAY DIGITS).
   *
   * @param digits the digits
   * @param options what else may be set
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayDigits(String digits, SayOptions options) {
    return run(Specs.sayDigits(digits, options));
  }

  /**
   * Says a number (SAY NUMBER).
   *
   * @param number the number
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayNumber(int number) {
    return run(Specs.sayNumber(number, SayNumberOptions.none()));
  }

  /**
   * Says a number (SAY NUMBER).
   *
   * @param number the number
   * @param options what else may be set
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayNumber(int number, SayNumberOptions options) {
    return run(Specs.sayNumber(number, options));
  }

  /**
   * Spells a text, as Alfa, Bravo (SAY PHONETIC).
   *
   * @param text the text
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayPhonetic(String text) {
    return run(Specs.sayPhonetic(text, SayOptions.none()));
  }

  /**
   * Spells a text, as Alfa, Bravo (SAY PHONETIC).
   *
   * @param text the text
   * @param options what else may be set
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayPhonetic(String text, SayOptions options) {
    return run(Specs.sayPhonetic(text, options));
  }

  /**
   * Says a time of day (SAY TIME).
   *
   * @param time the moment; the zone is that of Asterisk's machine
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayTime(Instant time) {
    return run(Specs.sayTime(time, SayOptions.none()));
  }

  /**
   * Says a time of day (SAY TIME).
   *
   * @param time the moment; the zone is that of Asterisk's machine
   * @param options what else may be set
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> sayTime(Instant time, SayOptions options) {
    return run(Specs.sayTime(time, options));
  }

  /**
   * Sends an image, where the channel can carry one (SEND IMAGE).
   *
   * @param image the image's file, without its ending
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void sendImage(String image) {
    run(Specs.sendImage(image, CommandOptions.none()));
  }

  /**
   * Sends an image, where the channel can carry one (SEND IMAGE).
   *
   * @param image the image's file, without its ending
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void sendImage(String image, CommandOptions options) {
    run(Specs.sendImage(image, options));
  }

  /**
   * Sends a text, where the channel can carry one (SEND TEXT).
   *
   * @param text the text, without line ends
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void sendText(String text) {
    run(Specs.sendText(text, CommandOptions.none()));
  }

  /**
   * Sends a text, where the channel can carry one (SEND TEXT).
   *
   * @param text the text, without line ends
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void sendText(String text, CommandOptions options) {
    run(Specs.sendText(text, options));
  }

  /**
   * Has Asterisk hang up after some time (SET AUTOHANGUP).
   *
   * @param after from now, in whole seconds; zero: never
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setAutoHangup(Duration after) {
    run(Specs.setAutoHangup(after, CommandOptions.none()));
  }

  /**
   * Has Asterisk hang up after some time (SET AUTOHANGUP).
   *
   * @param after from now, in whole seconds; zero: never
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setAutoHangup(Duration after, CommandOptions options) {
    run(Specs.setAutoHangup(after, options));
  }

  /**
   * Sets the caller's name and number together (SET CALLERID).
   *
   * @param name the caller's name; may be empty
   * @param number the caller's number
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setCallerId(String name, String number) {
    run(Specs.setCallerId(name, number, CommandOptions.none()));
  }

  /**
   * Sets the caller's name and number together (SET CALLERID).
   *
   * @param name the caller's name; may be empty
   * @param number the caller's number
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setCallerId(String name, String number, CommandOptions options) {
    run(Specs.setCallerId(name, number, options));
  }

  /**
   * Says in which context the dialplan goes on after the session (SET CONTEXT). {@link
   * Call#end(End)} with {@link End#goTo} is simpler.
   *
   * @param context the context
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setContext(String context) {
    run(Specs.setContext(context, CommandOptions.none()));
  }

  /**
   * Says in which context the dialplan goes on after the session (SET CONTEXT). {@link
   * Call#end(End)} with {@link End#goTo} is simpler.
   *
   * @param context the context
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setContext(String context, CommandOptions options) {
    run(Specs.setContext(context, options));
  }

  /**
   * Says at which extension the dialplan goes on after the session (SET EXTENSION).
   *
   * @param extension the extension
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setExtension(String extension) {
    run(Specs.setExtension(extension, CommandOptions.none()));
  }

  /**
   * Says at which extension the dialplan goes on after the session (SET EXTENSION).
   *
   * @param extension the extension
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setExtension(String extension, CommandOptions options) {
    run(Specs.setExtension(extension, options));
  }

  /**
   * Starts or stops music on hold (SET MUSIC).
   *
   * @param on whether music plays
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setMusic(boolean on) {
    run(Specs.setMusic(on, "", CommandOptions.none()));
  }

  /**
   * Starts or stops music on hold (SET MUSIC).
   *
   * @param on whether music plays
   * @param musicClass a class of music; empty: the channel's own
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setMusic(boolean on, String musicClass) {
    run(Specs.setMusic(on, musicClass, CommandOptions.none()));
  }

  /**
   * Starts or stops music on hold (SET MUSIC).
   *
   * @param on whether music plays
   * @param musicClass a class of music; empty: the channel's own
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setMusic(boolean on, String musicClass, CommandOptions options) {
    run(Specs.setMusic(on, musicClass, options));
  }

  /**
   * Says at which priority the dialplan goes on after the session (SET PRIORITY).
   *
   * @param priority a number or a label
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setPriority(String priority) {
    run(Specs.setPriority(priority, CommandOptions.none()));
  }

  /**
   * Says at which priority the dialplan goes on after the session (SET PRIORITY).
   *
   * @param priority a number or a label
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setPriority(String priority, CommandOptions options) {
    run(Specs.setPriority(priority, options));
  }

  /**
   * Sets a variable of the channel (SET VARIABLE). A dead channel permits it.
   *
   * @param name a variable or function, as {@code PIN} or {@code CALLERID(name)}
   * @param value the value, without line ends
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setVariable(String name, String value) {
    run(Specs.setVariable(name, value, CommandOptions.none()));
  }

  /**
   * Sets a variable of the channel (SET VARIABLE). A dead channel permits it.
   *
   * @param name a variable or function, as {@code PIN} or {@code CALLERID(name)}
   * @param value the value, without line ends
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void setVariable(String name, String value, CommandOptions options) {
    run(Specs.setVariable(name, value, options));
  }

  /**
   * Activates a grammar that was loaded (SPEECH ACTIVATE GRAMMAR).
   *
   * @param grammar its name
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechActivateGrammar(String grammar) {
    run(Specs.speechActivateGrammar(grammar, CommandOptions.none()));
  }

  /**
   * Activates a grammar that was loaded (SPEECH ACTIVATE GRAMMAR).
   *
   * @param grammar its name
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechActivateGrammar(String grammar, CommandOptions options) {
    run(Specs.speechActivateGrammar(grammar, options));
  }

  /**
   * Makes a speech object, which the other speech commands need (SPEECH CREATE). Fails with FAILED
   * when there is no such engine.
   *
   * @param engine the engine's name; empty: the default one
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechCreate(String engine) {
    run(Specs.speechCreate(engine, CommandOptions.none()));
  }

  /**
   * Makes a speech object, which the other speech commands need (SPEECH CREATE). Fails with FAILED
   * when there is no such engine.
   *
   * @param engine the engine's name; empty: the default one
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechCreate(String engine, CommandOptions options) {
    run(Specs.speechCreate(engine, options));
  }

  /**
   * Deactivates a grammar (SPEECH DEACTIVATE GRAMMAR).
   *
   * @param grammar its name
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechDeactivateGrammar(String grammar) {
    run(Specs.speechDeactivateGrammar(grammar, CommandOptions.none()));
  }

  /**
   * Deactivates a grammar (SPEECH DEACTIVATE GRAMMAR).
   *
   * @param grammar its name
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechDeactivateGrammar(String grammar, CommandOptions options) {
    run(Specs.speechDeactivateGrammar(grammar, options));
  }

  /**
   * Destroys the speech object (SPEECH DESTROY). A dead channel permits it.
   *
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechDestroy() {
    run(Specs.speechDestroy(CommandOptions.none()));
  }

  /**
   * Destroys the speech object (SPEECH DESTROY). A dead channel permits it.
   *
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechDestroy(CommandOptions options) {
    run(Specs.speechDestroy(options));
  }

  /**
   * Loads a grammar (SPEECH LOAD GRAMMAR).
   *
   * @param grammar a name for it
   * @param path its file
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechLoadGrammar(String grammar, String path) {
    run(Specs.speechLoadGrammar(grammar, path, CommandOptions.none()));
  }

  /**
   * Loads a grammar (SPEECH LOAD GRAMMAR).
   *
   * @param grammar a name for it
   * @param path its file
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechLoadGrammar(String grammar, String path, CommandOptions options) {
    run(Specs.speechLoadGrammar(grammar, path, options));
  }

  /**
   * Plays a prompt and recognizes speech (SPEECH RECOGNIZE).
   *
   * @param prompt the prompt's file, without its ending
   * @return what was recognized, or why it ended
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Speech speechRecognize(String prompt) {
    return run(Specs.speechRecognize(prompt, SpeechRecognizeOptions.none()));
  }

  /**
   * Plays a prompt and recognizes speech (SPEECH RECOGNIZE).
   *
   * @param prompt the prompt's file, without its ending
   * @param options what else may be set
   * @return what was recognized, or why it ended
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Speech speechRecognize(String prompt, SpeechRecognizeOptions options) {
    return run(Specs.speechRecognize(prompt, options));
  }

  /**
   * Changes a setting of the speech engine (SPEECH SET).
   *
   * @param name the setting
   * @param value its value
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechSet(String name, String value) {
    run(Specs.speechSet(name, value, CommandOptions.none()));
  }

  /**
   * Changes a setting of the speech engine (SPEECH SET).
   *
   * @param name the setting
   * @param value its value
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechSet(String name, String value, CommandOptions options) {
    run(Specs.speechSet(name, value, options));
  }

  /**
   * Unloads a grammar (SPEECH UNLOAD GRAMMAR). A dead channel permits it.
   *
   * @param grammar its name
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechUnloadGrammar(String grammar) {
    run(Specs.speechUnloadGrammar(grammar, CommandOptions.none()));
  }

  /**
   * Unloads a grammar (SPEECH UNLOAD GRAMMAR). A dead channel permits it.
   *
   * @param grammar its name
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void speechUnloadGrammar(String grammar, CommandOptions options) {
    run(Specs.speechUnloadGrammar(grammar, options));
  }

  /**
   * Plays a file to its end, or until one of the escape digits is pressed (STREAM FILE). Fails with
   * FAILED when there is no such file.
   *
   * @param file the sound file, without its ending
   * @return the digit that stopped it, if any, and where it stopped
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Playback streamFile(String file) {
    return run(Specs.streamFile(file, StreamFileOptions.none()));
  }

  /**
   * Plays a file to its end, or until one of the escape digits is pressed (STREAM FILE). Fails with
   * FAILED when there is no such file.
   *
   * @param file the sound file, without its ending
   * @param options what else may be set
   * @return the digit that stopped it, if any, and where it stopped
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Playback streamFile(String file, StreamFileOptions options) {
    return run(Specs.streamFile(file, options));
  }

  /**
   * Switches the telecommunications device for the deaf (TDD MODE). Fails with FAILED where the
   * channel cannot do it.
   *
   * @param mode on, off, or mate
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void tddMode(TddMode mode) {
    run(Specs.tddMode(mode, CommandOptions.none()));
  }

  /**
   * Switches the telecommunications device for the deaf (TDD MODE). Fails with FAILED where the
   * channel cannot do it.
   *
   * @param mode on, off, or mate
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void tddMode(TddMode mode, CommandOptions options) {
    run(Specs.tddMode(mode, options));
  }

  /**
   * Writes a line to Asterisk's log (VERBOSE). A dead channel permits it.
   *
   * @param text the line
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void verbose(String text) {
    run(Specs.verbose(text, 1, CommandOptions.none()));
  }

  /**
   * Writes a line to Asterisk's log (VERBOSE). A dead channel permits it.
   *
   * @param text the line
   * @param level 1 to 4
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void verbose(String text, int level) {
    run(Specs.verbose(text, level, CommandOptions.none()));
  }

  /**
   * Writes a line to Asterisk's log (VERBOSE). A dead channel permits it.
   *
   * @param text the line
   * @param level 1 to 4
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final void verbose(String text, int level, CommandOptions options) {
    run(Specs.verbose(text, level, options));
  }

  /**
   * Waits for one digit, without limit unless a timeout is set (WAIT FOR DIGIT).
   *
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> waitForDigit() {
    return run(Specs.waitForDigit(TimeoutOptions.none()));
  }

  /**
   * Waits for one digit, without limit unless a timeout is set (WAIT FOR DIGIT).
   *
   * @param options what else may be set
   * @return the digit that was pressed, if any
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final Optional<String> waitForDigit(TimeoutOptions options) {
    return run(Specs.waitForDigit(options));
  }

  /**
   * Sends a command that this library does not know. A line that begins with {@code failure} is
   * refused.
   *
   * @param line the command as AGI has it, without its line end
   * @return the reply, taken apart as far as AGI has it in common
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final RawReply raw(String line) {
    return run(Specs.raw(line, CommandOptions.none()));
  }

  /**
   * Sends a command that this library does not know. A line that begins with {@code failure} is
   * refused.
   *
   * @param line the command as AGI has it, without its line end
   * @param options how long to wait for the reply, and whether it depends on the command before
   * @return the reply, taken apart as far as AGI has it in common
   * @throws HungUpException the caller is gone
   * @throws CommandException it failed, for another reason
   * @throws CallLostException the bridge is gone
   */
  public final RawReply raw(String line, CommandOptions options) {
    return run(Specs.raw(line, options));
  }
}

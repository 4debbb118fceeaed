// The 47 AGI commands of Asterisk, and raw, as methods. How a command is sent is left to whoever extends this: a call or a batch.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CommandSchema, SayAlpha_Case, TddMode_Mode } from "./gen/agibridge/v1/command_pb.js";
import type {
  ChannelState,
  CommandName,
  Digits,
  GosubReturn,
  Playback,
  RawReply,
  Recording,
  ResultOf,
  Speech,
} from "./results.js";
import { durationFromMs, timestampFromDate } from "./time.js";

/** What every command takes besides its own arguments. */
export interface CommandOptions {
  /**
   * After this many milliseconds from the write to Asterisk the bridge stops waiting, and the command fails with TIMED_OUT.
   * AGI cannot take it back: the next command still waits until Asterisk has answered. Unset: no limit.
   */
  readonly replyTimeoutMs?: number;
  /** Skip this command (SKIPPED) when the one before it failed. */
  readonly requiresSuccess?: boolean;
  /**
   * Gives up waiting: the promise rejects with the signal's reason at once. The command is taken back if it was not
   * written to Asterisk yet; one that runs goes on there, and its result is dropped.
   */
  readonly signal?: AbortSignal;
}

/** A command that digits can stop. */
export interface EscapeOptions extends CommandOptions {
  /** The digits (`0-9 * #`) that stop it; unset: none does. */
  readonly escapeDigits?: string;
}

export interface ControlStreamFileOptions extends EscapeOptions {
  /** How far one press of forward or rewind moves, in milliseconds. Unset: 3 s. */
  readonly skipMs?: number;
  /** Unset: `#`. */
  readonly forwardDigit?: string;
  /** Unset: `*`. */
  readonly rewindDigit?: string;
  /** Unset: none. */
  readonly pauseDigit?: string;
  /** Where to begin, in milliseconds. */
  readonly offsetMs?: number;
}

export interface GetDataOptions extends CommandOptions {
  /** Before the first digit and between digits, from the prompt's end, in milliseconds. Unset: 6 s and 2 s. */
  readonly timeoutMs?: number;
  /** 1 to 1023; unset: as many as come before `#` or the timeout. */
  readonly maxDigits?: number;
}

export interface GetOptionOptions extends EscapeOptions {
  /** From the prompt's end, in milliseconds. Unset: 5 s. */
  readonly timeoutMs?: number;
}

export interface TimeoutOptions extends CommandOptions {
  /** In milliseconds. Unset: wait without limit. */
  readonly timeoutMs?: number;
}

export interface RecordFileOptions extends EscapeOptions {
  /** The longest recording, in milliseconds. Unset: no limit. */
  readonly timeoutMs?: number;
  /** Append from this sample on. */
  readonly offsetSamples?: number;
  /** Play a beep first. */
  readonly beep?: boolean;
  /** Stop after that much silence, in milliseconds, whole seconds only. Unset: never. */
  readonly silenceMs?: number;
}

export interface SayAlphaOptions extends EscapeOptions {
  /** Which letters have their case spoken. Unset: none. */
  readonly spokenCase?: "all" | "lower" | "upper";
}

export interface SayDateTimeOptions extends EscapeOptions {
  /** As voicemail.conf writes it, as `ABdY 'digits/at' IMp`. Unset: Asterisk's own. */
  readonly format?: string;
  /** An IANA zone, as `Europe/Vienna`. Unset: the machine's. */
  readonly timeZone?: string;
}

export interface SayNumberOptions extends EscapeOptions {
  /** As the channel's language takes it: `m`, `f`, `n`, `c`. */
  readonly gender?: string;
}

export interface SpeechRecognizeOptions extends CommandOptions {
  /** From the prompt's end, in milliseconds, whole seconds only. Unset: no limit. */
  readonly timeoutMs?: number;
  readonly offsetSamples?: number;
}

export interface StreamFileOptions extends EscapeOptions {
  /** Where to begin, in samples of the file. */
  readonly offsetSamples?: number;
}

export interface ChannelOptions extends CommandOptions {
  /** Another channel's name; unset: this call's own. */
  readonly channel?: string;
}

export interface SetMusicOptions extends CommandOptions {
  /** A music class; unset: the channel's. */
  readonly musicClass?: string;
}

export interface VerboseOptions extends CommandOptions {
  /** 1 to 4; unset: 1. */
  readonly level?: number;
}

export interface SetCallerIdOptions extends CommandOptions {
  /** The caller's name; unset: none. */
  readonly name?: string;
}

/** The command of a `Command` message. */
export type CommandInit = Extract<
  NonNullable<MessageInitShape<typeof CommandSchema>["command"]>,
  { case: CommandName }
>;

/** The fields of each command's message. */
export type CommandFields = { [K in CommandName]: Extract<CommandInit, { case: K }>["value"] };

/**
 * Every AGI command. A method sends its command at once and returns a promise of the result, so order is the order of the calls.
 *
 * Each rejects with {@link HungUpError} when the caller is gone and the command needs a live channel, {@link CommandError} when
 * it failed, {@link CallLostError} when the bridge or the stream is gone, and {@link MisuseError} for a fault of the
 * handler's own. A promise that nobody awaits never ends the process.
 *
 * Text may hold quotes, backslashes and spaces; CR, LF and NUL are refused (INVALID_ARGUMENT).
 */
export abstract class Commands {
  /** Sends one command. `build` may throw a RangeError for an argument that cannot be sent. */
  protected abstract run<K extends CommandName>(
    name: K,
    build: () => CommandFields[K],
    options: CommandOptions | undefined,
  ): Promise<ResultOf<K>>;

  /** ANSWER: takes the call. On a channel that is up already it does nothing. */
  answer(options?: CommandOptions): Promise<void> {
    return this.run("answer", () => ({}), options);
  }

  /** ASYNCAGI BREAK: leaves async AGI; elsewhere it does nothing. */
  asyncAgiBreak(options?: CommandOptions): Promise<void> {
    return this.run("asyncAgiBreak", () => ({}), options);
  }

  /** CHANNEL STATUS: the state of this call's channel, or of the one named. */
  channelStatus(options?: ChannelOptions): Promise<ChannelState> {
    return this.run("channelStatus", () => ({ channel: options?.channel }), options);
  }

  /** CONTROL STREAM FILE: plays a file (named without its ending) that the caller can wind and pause. */
  controlStreamFile(file: string, options: ControlStreamFileOptions = {}): Promise<Playback> {
    const { escapeDigits, skipMs, forwardDigit, rewindDigit, pauseDigit, offsetMs } = options;
    return this.run(
      "controlStreamFile",
      () => ({
        file,
        escapeDigits,
        skip: durationFromMs(skipMs, "skipMs"),
        forwardDigit,
        rewindDigit,
        pauseDigit,
        offset: durationFromMs(offsetMs, "offsetMs"),
      }),
      options,
    );
  }

  /** DATABASE DEL: removes a key. FAILED when there is none. Works after the hangup. */
  databaseDel(family: string, key: string, options?: CommandOptions): Promise<void> {
    return this.run("databaseDel", () => ({ family, key }), options);
  }

  /** DATABASE DELTREE: removes a family, or the part of it below `keyTree`. Works after the hangup. */
  databaseDelTree(family: string, keyTree?: string, options?: CommandOptions): Promise<void> {
    return this.run("databaseDelTree", () => ({ family, keyTree }), options);
  }

  /** DATABASE GET: a value of Asterisk's database; undefined when there is no such key. Works after the hangup. */
  databaseGet(family: string, key: string, options?: CommandOptions): Promise<string | undefined> {
    return this.run("databaseGet", () => ({ family, key }), options);
  }

  /** DATABASE PUT: stores a value in Asterisk's database. Works after the hangup. */
  databasePut(family: string, key: string, value: string, options?: CommandOptions): Promise<void> {
    return this.run("databasePut", () => ({ family, key, value }), options);
  }

  /**
   * EXEC: runs a dialplan application, as `exec("Dial", ["PJSIP/100", "20"])`, and gives what it returned: 0 with most, -1
   * when the channel hung up. `args` are joined by commas. NO_SUCH_APPLICATION when there is none. Works after the hangup.
   */
  exec(application: string, args: readonly string[] = [], options?: CommandOptions): Promise<number> {
    return this.run("exec", () => ({ application, arguments: [...args] }), options);
  }

  /** GET DATA: plays a file and collects digits, up to `#`, `maxDigits` or the timeout. */
  getData(file: string, options: GetDataOptions = {}): Promise<Digits> {
    const { timeoutMs, maxDigits } = options;
    return this.run("getData", () => ({ file, timeout: durationFromMs(timeoutMs, "timeoutMs"), maxDigits }), options);
  }

  /** GET FULL VARIABLE: evaluates a dialplan expression, as `${CALLERID(num)}`. Works after the hangup. */
  getFullVariable(expression: string, options?: ChannelOptions): Promise<string | undefined> {
    return this.run("getFullVariable", () => ({ expression, channel: options?.channel }), options);
  }

  /** GET OPTION: plays a file and waits for one of `escapeDigits`. */
  getOption(file: string, options: GetOptionOptions = {}): Promise<Playback> {
    const { escapeDigits, timeoutMs } = options;
    return this.run(
      "getOption",
      () => ({ file, escapeDigits, timeout: durationFromMs(timeoutMs, "timeoutMs") }),
      options,
    );
  }

  /** GET VARIABLE: a variable or function, as `DIALSTATUS` or `CALLERID(num)`; undefined when unset. Works after the hangup. */
  getVariable(name: string, options?: CommandOptions): Promise<string | undefined> {
    return this.run("getVariable", () => ({ name }), options);
  }

  /** GOSUB: runs a dialplan subroutine. `priority` is a number or a label. What it reports before is `on("progress", …)`. */
  gosub(
    context: string,
    extension: string,
    priority: string | number,
    args: readonly string[] = [],
    options?: CommandOptions,
  ): Promise<GosubReturn> {
    return this.run("gosub", () => ({ context, extension, priority: String(priority), arguments: [...args] }), options);
  }

  /** HANGUP: hangs up this call's channel, or the one named. The session goes on until the handler returns. */
  hangUp(options?: ChannelOptions): Promise<void> {
    return this.run("hangUp", () => ({ channel: options?.channel }), options);
  }

  /** NOOP: does nothing at Asterisk but be answered. Works after the hangup. */
  noop(text?: string, options?: CommandOptions): Promise<void> {
    return this.run("noop", () => ({ text }), options);
  }

  /** RECEIVE CHAR: one character of text from the caller; undefined when none came in time. */
  receiveChar(options: TimeoutOptions = {}): Promise<string | undefined> {
    return this.run("receiveChar", () => ({ timeout: durationFromMs(options.timeoutMs, "timeoutMs") }), options);
  }

  /** RECEIVE TEXT: text from the caller; undefined when none came in time. */
  receiveText(options: TimeoutOptions = {}): Promise<string | undefined> {
    return this.run("receiveText", () => ({ timeout: durationFromMs(options.timeoutMs, "timeoutMs") }), options);
  }

  /** RECORD FILE: records into `file` (without its ending), in `format`, as `wav` or `gsm`, which names the ending too. */
  recordFile(file: string, format: string, options: RecordFileOptions = {}): Promise<Recording> {
    const { escapeDigits, timeoutMs, offsetSamples, beep, silenceMs } = options;
    return this.run(
      "recordFile",
      () => ({
        file,
        format,
        escapeDigits,
        timeout: durationFromMs(timeoutMs, "timeoutMs"),
        offsetSamples,
        beep,
        silence: durationFromMs(silenceMs, "silenceMs"),
      }),
      options,
    );
  }

  /** SAY ALPHA: spells text. Gives the digit that stopped it, if one did. */
  sayAlpha(text: string, options: SayAlphaOptions = {}): Promise<string | undefined> {
    const cases = { all: SayAlpha_Case.ALL, lower: SayAlpha_Case.LOWER, upper: SayAlpha_Case.UPPER };
    const { escapeDigits, spokenCase } = options;
    return this.run("sayAlpha", () => ({ text, escapeDigits, spokenCase: spokenCase && cases[spokenCase] }), options);
  }

  /** SAY DATE: says the date of a moment. Gives the digit that stopped it, if one did. */
  sayDate(date: Date, options: EscapeOptions = {}): Promise<string | undefined> {
    const { escapeDigits } = options;
    return this.run("sayDate", () => ({ date: timestampFromDate(date, "date"), escapeDigits }), options);
  }

  /** SAY DATETIME: says a moment in a format and zone. Gives the digit that stopped it, if one did. */
  sayDateTime(time: Date, options: SayDateTimeOptions = {}): Promise<string | undefined> {
    const { escapeDigits, format, timeZone } = options;
    return this.run(
      "sayDateTime",
      () => ({ time: timestampFromDate(time, "time"), escapeDigits, format, timeZone }),
      options,
    );
  }

  /** SAY DIGITS: says digit by digit. Gives the digit that stopped it, if one did. */
  sayDigits(digits: string, options: EscapeOptions = {}): Promise<string | undefined> {
    const { escapeDigits } = options;
    return this.run("sayDigits", () => ({ digits, escapeDigits }), options);
  }

  /** SAY NUMBER: says a whole number of 32 bits. Gives the digit that stopped it, if one did. */
  sayNumber(number: number, options: SayNumberOptions = {}): Promise<string | undefined> {
    const { escapeDigits, gender } = options;
    return this.run("sayNumber", () => ({ number, escapeDigits, gender }), options);
  }

  /** SAY PHONETIC: spells text by the phonetic alphabet. Gives the digit that stopped it, if one did. */
  sayPhonetic(text: string, options: EscapeOptions = {}): Promise<string | undefined> {
    const { escapeDigits } = options;
    return this.run("sayPhonetic", () => ({ text, escapeDigits }), options);
  }

  /** SAY TIME: says the time of day of a moment. Gives the digit that stopped it, if one did. */
  sayTime(time: Date, options: EscapeOptions = {}): Promise<string | undefined> {
    const { escapeDigits } = options;
    return this.run("sayTime", () => ({ time: timestampFromDate(time, "time"), escapeDigits }), options);
  }

  /** SEND IMAGE: sends an image on channels that can. */
  sendImage(image: string, options?: CommandOptions): Promise<void> {
    return this.run("sendImage", () => ({ image }), options);
  }

  /** SEND TEXT: sends text on channels that can. */
  sendText(text: string, options?: CommandOptions): Promise<void> {
    return this.run("sendText", () => ({ text }), options);
  }

  /** SET AUTOHANGUP: hangs the channel up after that many milliseconds from now, whole seconds only; 0: never. */
  setAutoHangup(afterMs: number, options?: CommandOptions): Promise<void> {
    return this.run("setAutoHangup", () => ({ after: durationFromMs(afterMs, "afterMs") }), options);
  }

  /** SET CALLERID: the caller's number, and name, as others will see them. */
  setCallerId(number: string, options: SetCallerIdOptions = {}): Promise<void> {
    const { name } = options;
    return this.run("setCallerId", () => ({ name, number }), options);
  }

  /** SET CONTEXT: where the dialplan goes on after the session. */
  setContext(context: string, options?: CommandOptions): Promise<void> {
    return this.run("setContext", () => ({ context }), options);
  }

  /** SET EXTENSION: where the dialplan goes on after the session. */
  setExtension(extension: string, options?: CommandOptions): Promise<void> {
    return this.run("setExtension", () => ({ extension }), options);
  }

  /** SET MUSIC: starts or stops music on hold while commands are thought about. */
  setMusic(on: boolean, options: SetMusicOptions = {}): Promise<void> {
    const { musicClass } = options;
    return this.run("setMusic", () => ({ on, musicClass }), options);
  }

  /** SET PRIORITY: where the dialplan goes on after the session, a number or a label. */
  setPriority(priority: string | number, options?: CommandOptions): Promise<void> {
    return this.run("setPriority", () => ({ priority: String(priority) }), options);
  }

  /** SET VARIABLE: a channel variable or function. Works after the hangup. */
  setVariable(name: string, value: string, options?: CommandOptions): Promise<void> {
    return this.run("setVariable", () => ({ name, value }), options);
  }

  /** SPEECH ACTIVATE GRAMMAR. */
  speechActivateGrammar(grammar: string, options?: CommandOptions): Promise<void> {
    return this.run("speechActivateGrammar", () => ({ grammar }), options);
  }

  /** SPEECH CREATE: a recogniser; unset: the default engine. */
  speechCreate(engine?: string, options?: CommandOptions): Promise<void> {
    return this.run("speechCreate", () => ({ engine }), options);
  }

  /** SPEECH DEACTIVATE GRAMMAR. */
  speechDeactivateGrammar(grammar: string, options?: CommandOptions): Promise<void> {
    return this.run("speechDeactivateGrammar", () => ({ grammar }), options);
  }

  /** SPEECH DESTROY. Works after the hangup. */
  speechDestroy(options?: CommandOptions): Promise<void> {
    return this.run("speechDestroy", () => ({}), options);
  }

  /** SPEECH LOAD GRAMMAR: from a file on Asterisk's machine. */
  speechLoadGrammar(grammar: string, path: string, options?: CommandOptions): Promise<void> {
    return this.run("speechLoadGrammar", () => ({ grammar, path }), options);
  }

  /** SPEECH RECOGNIZE: plays a prompt and listens. */
  speechRecognize(prompt: string, options: SpeechRecognizeOptions = {}): Promise<Speech> {
    const { timeoutMs, offsetSamples } = options;
    return this.run(
      "speechRecognize",
      () => ({ prompt, timeout: durationFromMs(timeoutMs, "timeoutMs"), offsetSamples }),
      options,
    );
  }

  /** SPEECH SET: a setting of the recogniser. */
  speechSet(name: string, value: string, options?: CommandOptions): Promise<void> {
    return this.run("speechSet", () => ({ name, value }), options);
  }

  /** SPEECH UNLOAD GRAMMAR. Works after the hangup. */
  speechUnloadGrammar(grammar: string, options?: CommandOptions): Promise<void> {
    return this.run("speechUnloadGrammar", () => ({ grammar }), options);
  }

  /** STREAM FILE: plays a file, named without its ending. FAILED when there is none. */
  streamFile(file: string, options: StreamFileOptions = {}): Promise<Playback> {
    const { escapeDigits, offsetSamples } = options;
    return this.run("streamFile", () => ({ file, escapeDigits, offsetSamples }), options);
  }

  /** TDD MODE: text telephones, on channels that can. */
  tddMode(mode: "on" | "off" | "mate", options?: CommandOptions): Promise<void> {
    const modes = { on: TddMode_Mode.ON, off: TddMode_Mode.OFF, mate: TddMode_Mode.MATE };
    return this.run("tddMode", () => ({ mode: modes[mode] }), options);
  }

  /** VERBOSE: a line for Asterisk's log. Works after the hangup. */
  verbose(text: string, options: VerboseOptions = {}): Promise<void> {
    const { level } = options;
    return this.run("verbose", () => ({ text, level }), options);
  }

  /** WAIT FOR DIGIT: the digit; undefined when none was pressed in time. */
  waitForDigit(options: TimeoutOptions = {}): Promise<string | undefined> {
    return this.run("waitForDigit", () => ({ timeout: durationFromMs(options.timeoutMs, "timeoutMs") }), options);
  }

  /**
   * A command that this library does not know, as one line without its line end. Asterisk's reply is given as it is, also
   * when it refuses (510, 520): look at `code`. A line that begins with `failure` is refused.
   */
  raw(line: string, options?: CommandOptions): Promise<RawReply> {
    return this.run("raw", () => ({ line }), options);
  }
}

// A command of the contract, in ProtoJSON, as the call of its method.
import type { Call, CommandName, CommandOptions, Batch } from "@agibridge/client";
import { type Json, ms } from "./json.js";

type Run = (on: Call | Batch, fields: Json, options: CommandOptions) => Promise<unknown>;

const date = (moment: unknown): Date => new Date(typeof moment === "string" ? moment : 0);
const list = (values: unknown): string[] => (Array.isArray(values) ? values.map(String) : []);
const maybe = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const num = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

const SPOKEN = { CASE_ALL: "all", CASE_LOWER: "lower", CASE_UPPER: "upper" } as const;
const MODES = { MODE_OFF: "off", MODE_ON: "on", MODE_MATE: "mate" } as const;

const COMMANDS: Record<CommandName, Run> = {
  answer: (on, _, options) => on.answer(options),
  asyncAgiBreak: (on, _, options) => on.asyncAgiBreak(options),
  channelStatus: (on, fields, options) => on.channelStatus({ ...options, channel: maybe(fields.channel) }),
  controlStreamFile: (on, fields, options) =>
    on.controlStreamFile(str(fields.file), {
      ...options,
      escapeDigits: maybe(fields.escapeDigits),
      skipMs: ms(fields.skip),
      forwardDigit: maybe(fields.forwardDigit),
      rewindDigit: maybe(fields.rewindDigit),
      pauseDigit: maybe(fields.pauseDigit),
      offsetMs: ms(fields.offset),
    }),
  databaseDel: (on, fields, options) => on.databaseDel(str(fields.family), str(fields.key), options),
  databaseDelTree: (on, fields, options) => on.databaseDelTree(str(fields.family), maybe(fields.keyTree), options),
  databaseGet: (on, fields, options) => on.databaseGet(str(fields.family), str(fields.key), options),
  databasePut: (on, fields, options) => on.databasePut(str(fields.family), str(fields.key), str(fields.value), options),
  exec: (on, fields, options) => on.exec(str(fields.application), list(fields.arguments), options),
  getData: (on, fields, options) =>
    on.getData(str(fields.file), { ...options, timeoutMs: ms(fields.timeout), maxDigits: num(fields.maxDigits) }),
  getFullVariable: (on, fields, options) =>
    on.getFullVariable(str(fields.expression), { ...options, channel: maybe(fields.channel) }),
  getOption: (on, fields, options) =>
    on.getOption(str(fields.file), {
      ...options,
      escapeDigits: maybe(fields.escapeDigits),
      timeoutMs: ms(fields.timeout),
    }),
  getVariable: (on, fields, options) => on.getVariable(str(fields.name), options),
  gosub: (on, fields, options) =>
    on.gosub(str(fields.context), str(fields.extension), str(fields.priority), list(fields.arguments), options),
  hangUp: (on, fields, options) => on.hangUp({ ...options, channel: maybe(fields.channel) }),
  noop: (on, fields, options) => on.noop(maybe(fields.text), options),
  receiveChar: (on, fields, options) => on.receiveChar({ ...options, timeoutMs: ms(fields.timeout) }),
  receiveText: (on, fields, options) => on.receiveText({ ...options, timeoutMs: ms(fields.timeout) }),
  recordFile: (on, fields, options) =>
    on.recordFile(str(fields.file), str(fields.format), {
      ...options,
      escapeDigits: maybe(fields.escapeDigits),
      timeoutMs: ms(fields.timeout),
      offsetSamples: num(fields.offsetSamples),
      beep: fields.beep === true,
      silenceMs: ms(fields.silence),
    }),
  sayAlpha: (on, fields, options) =>
    on.sayAlpha(str(fields.text), {
      ...options,
      escapeDigits: maybe(fields.escapeDigits),
      spokenCase: SPOKEN[fields.spokenCase as keyof typeof SPOKEN],
    }),
  sayDate: (on, fields, options) =>
    on.sayDate(date(fields.date), { ...options, escapeDigits: maybe(fields.escapeDigits) }),
  sayDateTime: (on, fields, options) =>
    on.sayDateTime(date(fields.time), {
      ...options,
      escapeDigits: maybe(fields.escapeDigits),
      format: maybe(fields.format),
      timeZone: maybe(fields.timeZone),
    }),
  sayDigits: (on, fields, options) =>
    on.sayDigits(str(fields.digits), { ...options, escapeDigits: maybe(fields.escapeDigits) }),
  sayNumber: (on, fields, options) =>
    on.sayNumber(Number(fields.number ?? 0), {
      ...options,
      escapeDigits: maybe(fields.escapeDigits),
      gender: maybe(fields.gender),
    }),
  sayPhonetic: (on, fields, options) =>
    on.sayPhonetic(str(fields.text), { ...options, escapeDigits: maybe(fields.escapeDigits) }),
  sayTime: (on, fields, options) =>
    on.sayTime(date(fields.time), { ...options, escapeDigits: maybe(fields.escapeDigits) }),
  sendImage: (on, fields, options) => on.sendImage(str(fields.image), options),
  sendText: (on, fields, options) => on.sendText(str(fields.text), options),
  setAutoHangup: (on, fields, options) => on.setAutoHangup(ms(fields.after) ?? 0, options),
  setCallerId: (on, fields, options) => on.setCallerId(str(fields.number), { ...options, name: maybe(fields.name) }),
  setContext: (on, fields, options) => on.setContext(str(fields.context), options),
  setExtension: (on, fields, options) => on.setExtension(str(fields.extension), options),
  setMusic: (on, fields, options) =>
    on.setMusic(fields.on === true, { ...options, musicClass: maybe(fields.musicClass) }),
  setPriority: (on, fields, options) => on.setPriority(str(fields.priority), options),
  setVariable: (on, fields, options) => on.setVariable(str(fields.name), str(fields.value), options),
  speechActivateGrammar: (on, fields, options) => on.speechActivateGrammar(str(fields.grammar), options),
  speechCreate: (on, fields, options) => on.speechCreate(maybe(fields.engine), options),
  speechDeactivateGrammar: (on, fields, options) => on.speechDeactivateGrammar(str(fields.grammar), options),
  speechDestroy: (on, _, options) => on.speechDestroy(options),
  speechLoadGrammar: (on, fields, options) => on.speechLoadGrammar(str(fields.grammar), str(fields.path), options),
  speechRecognize: (on, fields, options) =>
    on.speechRecognize(str(fields.prompt), {
      ...options,
      timeoutMs: ms(fields.timeout),
      offsetSamples: num(fields.offsetSamples),
    }),
  speechSet: (on, fields, options) => on.speechSet(str(fields.name), str(fields.value), options),
  speechUnloadGrammar: (on, fields, options) => on.speechUnloadGrammar(str(fields.grammar), options),
  streamFile: (on, fields, options) =>
    on.streamFile(str(fields.file), {
      ...options,
      escapeDigits: maybe(fields.escapeDigits),
      offsetSamples: num(fields.offsetSamples),
    }),
  tddMode: (on, fields, options) => on.tddMode(MODES[fields.mode as keyof typeof MODES], options),
  verbose: (on, fields, options) => on.verbose(str(fields.text), { ...options, level: num(fields.level) }),
  waitForDigit: (on, fields, options) => on.waitForDigit({ ...options, timeoutMs: ms(fields.timeout) }),
  raw: (on, fields, options) => on.raw(str(fields.line), options),
};

function str(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The command's name in its ProtoJSON. */
export function nameOf(command: Json): CommandName {
  const name = Object.keys(command).find((key) => key in COMMANDS);
  if (name === undefined) throw new Error(`this is no command: ${JSON.stringify(command)}`);
  return name as CommandName;
}

/** Calls the command's method. */
export function runCommand(on: Call | Batch, command: Json, signal?: AbortSignal): Promise<unknown> {
  const name = nameOf(command);
  const options: CommandOptions = {
    replyTimeoutMs: ms(command.timeout),
    requiresSuccess: command.requiresSuccess === true,
    signal,
  };
  return COMMANDS[name](on, command[name] as Json, options);
}

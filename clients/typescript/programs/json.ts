// Values of the library as the contract's ProtoJSON, and back: what scripts are written in, and what is reported.
import { AgiBridgeError, CallLostError, CommandError, HungUpError, MisuseError, NoInputError } from "@agibridge/client";
import type { Call, CommandName, JournalEntry, ResultKind, ResultKinds } from "@agibridge/client";

/** An object of ProtoJSON. */
export type Json = Record<string, unknown>;

/** Milliseconds of a duration as `"1.5s"`. */
export function ms(duration: unknown): number | undefined {
  return typeof duration === "string" ? Math.round(Number(duration.replace(/s$/, "")) * 1e9) / 1e6 : undefined;
}

export function seconds(milliseconds: number): string {
  return `${milliseconds / 1000}s`;
}

export function fromBase64(text: unknown): Uint8Array {
  return Buffer.from(typeof text === "string" ? text : "", "base64");
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

/** Without what is at its default, as ProtoJSON has it. */
export function sparse(object: Json): Json {
  const set = ([, value]: [string, unknown]) =>
    value !== undefined &&
    value !== "" &&
    value !== 0 &&
    value !== false &&
    !(Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(object).filter(set));
}

/** The contract's name of an enum's value; a value that the library does not know is its number. */
export function enumName(prefix: string, name: string): string | number | undefined {
  const unknown = /^UNKNOWN\((\d+)\)$/.exec(name)?.[1];
  if (unknown !== undefined) return Number(unknown);
  return name === "UNSPECIFIED" ? undefined : `${prefix}_${name}`;
}

const RESULTS: { [K in ResultKind]: (value: ResultKinds[K]) => Json } = {
  done: () => ({}),
  playback: ({ digit, endSamples, endMs }) => ({
    ...sparse({ digit }),
    ...(endSamples !== undefined && { endSamples }),
    ...(endMs !== undefined && { endMilliseconds: endMs }),
  }),
  digit: (digit) => sparse({ digit }),
  digits: ({ digits, timedOut }) => sparse({ digits, timedOut }),
  value: (value) => (value === undefined ? {} : { value }),
  channelStatus: (state) => sparse({ state: enumName("CHANNEL_STATE", state) }),
  exec: (result) => sparse({ result }),
  recording: ({ end, digit, endSamples }) => sparse({ end: enumName("END", end), digit, endSamples }),
  text: (text) => (text === undefined ? {} : { text }),
  speech: ({ end, matches, digit, endSamples }) =>
    sparse({ end: enumName("END", end), matches: matches.map((match) => sparse({ ...match })), digit, endSamples }),
  gosub: ({ abnormalExit, returnValue }) => sparse({ abnormalExit, returnValue }),
  raw: ({ code, result, value, text }) => ({
    ...sparse({ code, result, text }),
    ...(value !== undefined && { value }),
  }),
};

const KIND_OF: Partial<Record<CommandName, ResultKind>> = {
  channelStatus: "channelStatus",
  controlStreamFile: "playback",
  databaseGet: "value",
  exec: "exec",
  getData: "digits",
  getFullVariable: "value",
  getOption: "playback",
  getVariable: "value",
  gosub: "gosub",
  receiveChar: "text",
  receiveText: "text",
  recordFile: "recording",
  sayAlpha: "digit",
  sayDate: "digit",
  sayDateTime: "digit",
  sayDigits: "digit",
  sayNumber: "digit",
  sayPhonetic: "digit",
  sayTime: "digit",
  speechRecognize: "speech",
  streamFile: "playback",
  waitForDigit: "digit",
  raw: "raw",
};

/** What a command gave, as the contract's `CommandResult` has it. */
export function resultJson(command: string, value: unknown): Json {
  const kind = KIND_OF[command as CommandName] ?? "done";
  return { [kind]: (RESULTS[kind] as (value: unknown) => Json)(value) };
}

/** What a command failed with. */
export function errorJson(error: unknown): Json {
  return { error: { code: codeOf(error), message: error instanceof Error ? error.message : String(error) } };
}

function codeOf(error: unknown): string {
  if (error instanceof HungUpError) return "CODE_HUNG_UP";
  if (error instanceof CommandError) return error.code.startsWith("UNKNOWN(") ? error.code : `CODE_${error.code}`;
  if (error instanceof CallLostError) return "LOST";
  if (error instanceof MisuseError) return "MISUSE";
  if (error instanceof NoInputError) return "NO_INPUT";
  if (error instanceof AgiBridgeError) return error.name;
  return "CANCELLED_HERE";
}

function journalJson(entry: JournalEntry): Json {
  const outcome =
    entry.kind === "error"
      ? {
          error: {
            code: codeOf(entry.value),
            ...("detail" in entry.value && sparse({ detail: entry.value.detail })),
          },
        }
      : { [entry.kind]: (RESULTS[entry.kind] as (value: unknown) => Json)(entry.value) };
  return { ...sparse({ id: entry.id, hungUp: entry.hungUp }), ...outcome };
}

/** The call's own properties. */
export function startedJson(call: Call): Json {
  const queryParameters: Record<string, string[]> = {};
  for (const key of new Set(call.queryParameters.keys())) queryParameters[key] = call.queryParameters.getAll(key);
  const { callId, route, pathParameters, environment, maxQueuedCommands } = call;
  return {
    callId,
    route,
    pathParameters,
    queryParameters,
    arguments: call.arguments,
    channel: sparse({ ...call.channel }),
    environment,
    maxQueuedCommands,
  };
}

export function resumptionJson({ resumption }: Call): Json | null {
  if (resumption === undefined) return null;
  const { cause, attempt, checkpoint, results, resultsTruncated, hungUp, lastCommandId, running } = resumption;
  return {
    cause: enumName("CAUSE", cause) ?? "CAUSE_UNSPECIFIED",
    attempt,
    ...(checkpoint && { checkpoint: toBase64(checkpoint) }),
    results: results.map(journalJson),
    resultsTruncated,
    hungUp,
    lastCommandId,
    ...(running && { running: running.id }),
  };
}

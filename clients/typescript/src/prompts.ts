// Asking the caller, made of commands: so hangup, giving up and errors are as for any command.
import type { Commands } from "./commands.js";
import { MisuseError, NoInputError } from "./errors.js";

export interface PlayOptions {
  /** The digits (`0-9 * #`) that stop it; unset: none does. */
  readonly escapeDigits?: string;
  /** Gives up: see `CommandOptions`. */
  readonly signal?: AbortSignal;
}

export interface PromptOptions {
  /** How long to wait for the caller from the prompt's end, and between digits, in milliseconds. Unset: 5 s. */
  readonly timeoutMs?: number;
  /** How many times the prompt is played at most. Unset: 3. */
  readonly tries?: number;
  /** A file that is played after what will not do. */
  readonly invalid?: string;
  /** Gives up: see `CommandOptions`. */
  readonly signal?: AbortSignal;
}

export interface AskOptions extends PromptOptions {
  /** 1 to 1023; unset: as many as come before `#` or the timeout. */
  readonly maxDigits?: number;
  /** Whether these digits will do. Unset: any do. */
  readonly validate?: (digits: string) => boolean | Promise<boolean>;
}

export interface ConfirmOptions extends PromptOptions {
  /** Unset: `1`. */
  readonly yes?: string;
  /** Unset: `2`. */
  readonly no?: string;
}

const TIMEOUT_MS = 5_000;
const TRIES = 3;
const ALL_DIGITS = "0123456789*#";

export async function play(
  commands: Commands,
  files: string | readonly string[],
  options: PlayOptions,
): Promise<string | undefined> {
  for (const file of typeof files === "string" ? [files] : files) {
    const { digit } = await commands.streamFile(file, options);
    if (digit !== undefined) return digit;
  }
  return undefined;
}

export async function ask(commands: Commands, prompt: string, options: AskOptions): Promise<string> {
  const { maxDigits, timeoutMs = TIMEOUT_MS, validate = () => true, invalid, signal } = options;
  return attempt("ask", prompt, options, async () => {
    const { digits } = await commands.getData(prompt, { timeoutMs, maxDigits, signal });
    if (digits === "") return undefined;
    if (await validate(digits)) return { value: digits };
    if (invalid !== undefined) await commands.streamFile(invalid, { signal });
    return undefined;
  });
}

export async function menu<T>(
  commands: Commands,
  prompt: string,
  choices: Readonly<Record<string, T>>,
  options: PromptOptions,
): Promise<T> {
  const { timeoutMs = TIMEOUT_MS, invalid, signal } = options;
  const byDigit = new Map(Object.entries(choices));
  return attempt("menu", prompt, options, async () => {
    const { digit } = await commands.getOption(prompt, { escapeDigits: ALL_DIGITS, timeoutMs, signal });
    if (digit === undefined) return undefined;
    if (byDigit.has(digit)) return { value: byDigit.get(digit) as T };
    if (invalid !== undefined) await commands.streamFile(invalid, { signal });
    return undefined;
  });
}

export function confirm(commands: Commands, prompt: string, options: ConfirmOptions): Promise<boolean> {
  const { yes = "1", no = "2" } = options;
  return menu(commands, prompt, { [no]: false, [yes]: true }, options);
}

async function attempt<T>(
  helper: string,
  prompt: string,
  { tries = TRIES }: PromptOptions,
  once: () => Promise<{ value: T } | undefined>,
): Promise<T> {
  if (!(tries >= 1)) throw new MisuseError(`${helper}: tries is ${tries}; it must be 1 or more`);
  for (let done = 0; done < tries; done += 1) {
    const found = await once();
    if (found !== undefined) return found.value;
  }
  throw new NoInputError(
    `${helper}: nothing that would do was entered in ${tries} tries of ${prompt}; catch NoInputError to go on in another way`,
  );
}

// The handler that does what a script says, and reports what came of it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Call, CallLostError, type EndOptions, HungUpError, MisuseError } from "@agibridge/client";
import { nameOf, runCommand } from "./commands.js";
import {
  enumName,
  errorJson,
  fromBase64,
  type Json,
  ms,
  resultJson,
  resumptionJson,
  seconds,
  sparse,
  startedJson,
} from "./json.js";

type Report = (line: Json) => void;

type Batch = { command?: Json; cancel?: { id: number } }[];

interface Step {
  command?: Json;
  batch?: Batch;
  begin?: Batch;
  checkpoint?: { state?: string };
  end?: Json;
  handoff?: { route?: string; state?: string };
  wait?: string;
  waitFor?: "hangup" | "draining" | "ended";
  close?: "ok" | "error";
  throw?: string;
  hang?: Json;
  running?: Json;
  steal?: string;
  play?: { files?: string[]; escapeDigits?: string };
  ask?: { prompt: string; maxDigits?: number; timeout?: string; tries?: number; accept?: string; invalid?: string };
  menu?: { prompt: string; choices: Record<string, string>; timeout?: string; tries?: number; invalid?: string };
  nextDigit?: { timeout?: string };
  takeDigits?: Json;
  interrupt?: Json;
  confirm?: { prompt: string; yes?: string; no?: string; timeout?: string; tries?: number; invalid?: string };
}

/** Calls whose script runs, by its name. */
const running = new Map<string, Call>();

/** Makes the handler. */
export function scripted(folder: string, report: Report): (call: Call) => Promise<void> {
  return async (call) => {
    const script = call.pathParameters.script ?? "";
    const attempt = call.resumption?.attempt ?? 0;
    const run = new Run(call, script, report);
    let handler = "returned";
    let message = "";
    void call.closed.then(() => {
      report({ event: "call", script, attempt, ...run.facts(), handler, message });
    });
    running.set(script, call);
    try {
      const file = join(folder, `${script}${attempt === 0 ? "" : `.${attempt}`}.json`);
      await run.steps(JSON.parse(await readFile(file, "utf8")) as Step[]);
    } catch (error) {
      if (call.signal.aborted) handler = "cancelled";
      else if (error instanceof HungUpError) handler = "hung_up";
      else if (error instanceof CallLostError) handler = "lost";
      else {
        handler = "failed";
        message = error instanceof Error ? error.message : String(error);
      }
      throw error;
    } finally {
      if (running.get(script) === call) running.delete(script);
    }
  };
}

class Run {
  private readonly results: Json[] = [];
  private readonly progress: string[] = [];
  /** Commands so far, over the whole call. */
  private count: number;

  constructor(
    private readonly call: Call,
    private readonly script: string,
    private readonly report: Report,
  ) {
    this.count = call.resumption?.lastCommandId ?? 0;
    call.on("progress", ({ text }) => this.progress.push(text));
  }

  facts(): Json {
    const { call, results, progress } = this;
    const { hangup, ended } = call;
    return {
      started: startedJson(call),
      resumption: resumptionJson(call),
      results,
      progress,
      hangup: hangup
        ? { ...sparse({ source: enumName("SOURCE", hangup.source) }), grace: seconds(hangup.graceMs) }
        : null,
      draining: call.draining !== undefined,
      ended: ended
        ? sparse({ reason: enumName("REASON", ended.reason), detail: ended.detail, commands: ended.commands })
        : null,
    };
  }

  async steps(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      this.call.signal.throwIfAborted();
      if (await this.step(step)) return;
    }
    this.call.signal.throwIfAborted();
  }

  /** @returns true when the script is over */
  private async step(step: Step): Promise<boolean> {
    const { call } = this;
    if (step.command !== undefined) {
      this.count += 1;
      const name = nameOf(step.command);
      await this.note(runCommand(call, step.command), (value) => resultJson(name, value));
    } else if (step.batch !== undefined) await this.batch(step.batch);
    else if (step.begin !== undefined) this.send(step.begin);
    else if (step.checkpoint !== undefined) await pass(call.checkpoint(fromBase64(step.checkpoint.state)));
    else if (step.end !== undefined) await pass(call.end(endOf(step.end)));
    else if (step.handoff !== undefined) {
      const { route, state } = step.handoff;
      await pass(call.handoff(route ?? "", state === undefined ? undefined : fromBase64(state)));
    } else if (step.wait !== undefined) await sleep(ms(step.wait), undefined, { signal: call.signal });
    else if (step.waitFor !== undefined) {
      this.report({ event: "waiting", script: this.script, for: step.waitFor });
      await pass(call.waitFor(step.waitFor));
    } else if (step.close === "error") {
      await call.release();
      return true;
    } else if (step.close === "ok") return true;
    else if (step.throw !== undefined) throw new TypeError(step.throw);
    else if (step.hang !== undefined) {
      this.report({ event: "waiting", script: this.script, for: "ever" });
      for (;;) await sleep(3_600_000, undefined, { signal: call.signal });
    } else if (step.running !== undefined) {
      const command = call.resumption?.running;
      if (command === undefined) throw new TypeError("no command is running");
      await this.note<unknown>(command.result, (value) => resultJson(command.name, value));
    } else if (step.steal !== undefined) {
      const other = running.get(step.steal);
      if (other === undefined) throw new TypeError(`no call runs the script ${step.steal}`);
      await this.note(other.noop(), () => ({ done: {} }));
    } else await this.help(step);
    return false;
  }

  private async help({ play, ask, menu, confirm, nextDigit, takeDigits, interrupt }: Step): Promise<void> {
    const { call } = this;
    if (play !== undefined) {
      const digit = call.play(play.files ?? [], { escapeDigits: play.escapeDigits });
      await this.note(digit, (found) => ({ play: sparse({ digit: found }) }));
    } else if (ask !== undefined) {
      const { prompt, maxDigits, timeout, tries, accept, invalid } = ask;
      const validate = accept === undefined ? undefined : (digits: string) => digits === accept;
      const digits = call.ask(prompt, { maxDigits, timeoutMs: ms(timeout), tries, validate, invalid });
      await this.note(digits, (found) => ({ ask: { digits: found } }));
    } else if (menu !== undefined) {
      const { prompt, choices, timeout, tries, invalid } = menu;
      const choice = call.menu<string>(prompt, choices, { timeoutMs: ms(timeout), tries, invalid });
      await this.note(choice, (found) => ({ menu: { choice: found } }));
    } else if (confirm !== undefined) {
      const { prompt, yes, no, timeout, tries, invalid } = confirm;
      const answer = call.confirm(prompt, { yes, no, timeoutMs: ms(timeout), tries, invalid });
      await this.note(answer, (found) => ({ confirm: { yes: found } }));
    } else if (nextDigit !== undefined) {
      await this.note(call.nextDigit({ timeoutMs: ms(nextDigit.timeout) }), (found) => ({
        nextDigit: sparse({ digit: found?.digit, heldMs: found?.durationMs }),
      }));
    } else if (takeDigits !== undefined) this.results.push({ takeDigits: { digits: call.takeDigits() } });
    else if (interrupt !== undefined) call.interrupt();
    else throw new TypeError("this step is not known");
  }

  private async batch(items: Batch): Promise<void> {
    const { names, outcomes } = this.send(items);
    for (const [index, outcome] of (await outcomes).entries()) {
      const name = names[index] ?? "";
      const settled =
        outcome.status === "fulfilled" ? Promise.resolve(outcome.value) : Promise.reject(outcome.reason as Error);
      await this.note<unknown>(settled, (value) => resultJson(name, value));
    }
  }

  /** Sends a batch, takes back what is to be taken back, and waits for nothing. */
  private send(items: Batch): { names: string[]; outcomes: Promise<PromiseSettledResult<unknown>[]> } {
    const first = this.count + 1;
    const commands = items.flatMap(({ command }) => (command === undefined ? [] : [command]));
    const controllers = commands.map(() => new AbortController());
    this.count += commands.length;
    const outcomes = this.call.batchSettled(
      (batch) => commands.map((command, index) => runCommand(batch, command, controllers[index]?.signal)),
      { independent: true },
    );
    for (const { cancel } of items) if (cancel !== undefined) controllers[cancel.id - first]?.abort();
    return { names: commands.map(nameOf), outcomes };
  }

  private async note<T>(result: Promise<T>, json: (value: T) => Json): Promise<void> {
    try {
      this.results.push(json(await result));
    } catch (error) {
      this.results.push(errorJson(error));
      if (error instanceof CallLostError) throw error;
    }
  }
}

/** Goes on after what failed, unless the call is lost. */
async function pass(step: Promise<unknown>): Promise<void> {
  try {
    await step;
  } catch (error) {
    if (error instanceof CallLostError) throw error;
    if (error instanceof MisuseError) console.error(error.message);
  }
}

function endOf({ variables, gotoDialplan, hangUp, failDialplan }: Json): EndOptions {
  const goto = gotoDialplan as { context?: string; extension?: string; priority?: number } | undefined;
  return {
    variables: variables as Record<string, string> | undefined,
    gotoDialplan: goto && {
      context: goto.context ?? "",
      extension: goto.extension ?? "",
      priority: goto.priority ?? 0,
    },
    hangUp: hangUp !== undefined,
    failDialplan:
      failDialplan === undefined ? undefined : { reason: (failDialplan as { reason?: string }).reason ?? "" },
  };
}

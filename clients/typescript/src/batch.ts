// A number of commands that is sent in one go.
import { type CommandFields, type CommandOptions, Commands } from "./commands.js";
import { deferred, type Deferred } from "./deferred.js";
import { MisuseError } from "./errors.js";
import type { Request } from "./machine.js";
import type { CommandName, ResultOf } from "./results.js";

export interface BatchOptions {
  /** True: each command runs whatever became of the one before, unless its own `requiresSuccess` is set. */
  readonly independent?: boolean;
}

/** The values that a batch gives, one for each promise of its array. */
export type BatchValues<T extends readonly unknown[]> = { -readonly [K in keyof T]: Awaited<T[K]> };

/** The outcomes that a batch gives, as `Promise.allSettled` has them. */
export type BatchOutcomes<T extends readonly unknown[]> = {
  -readonly [K in keyof T]: PromiseSettledResult<Awaited<T[K]>>;
};

/** Collects the commands of a batch: a call's commands as methods, whose promises settle once the batch is sent. */
export class Batch extends Commands {
  private collected: { request: Request; result: Deferred<unknown> }[] | undefined = [];

  /** @internal */
  constructor(private readonly independent: boolean) {
    super();
  }

  /** Sends what was collected. @internal */
  flush(send: (requests: readonly Request[]) => readonly Promise<unknown>[]): void {
    const collected = this.collected ?? [];
    this.collected = undefined;
    const sent = send(collected.map(({ request }) => request));
    for (const [index, { result }] of collected.entries()) sent[index]?.then(result.resolve, result.reject);
  }

  protected override run<K extends CommandName>(
    name: K,
    build: () => CommandFields[K],
    options: CommandOptions | undefined,
  ): Promise<ResultOf<K>> {
    const result = deferred<unknown>();
    if (this.collected === undefined) {
      result.reject(new MisuseError(`${name}: this batch is already sent; begin another one with call.batch`));
    } else {
      const requiresSuccess = options?.requiresSuccess ?? (!this.independent && this.collected.length > 0);
      this.collected.push({ request: { name, build, options, requiresSuccess }, result });
    }
    return result.promise as Promise<ResultOf<K>>;
  }
}

// For unit tests of handlers: a call without network, whose results are scripted, and whose commands can be looked at.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Channel, type Ended, type EndOptions } from "./facts.js";
import { FakeBridge, type FakeReply, NEVER, type SentCommand } from "./fake-bridge.js";
import {
  CallEventSchema,
  CallStartedSchema,
  Resumption_Cause,
  type ResumptionSchema,
} from "./gen/agibridge/v1/call_pb.js";
import type { Logger } from "./logger.js";
import type { CommandName } from "./results.js";
import { type Handler, Session } from "./session.js";

export { type FakeReply, NEVER, type SentCommand };

export interface FakeCallOptions {
  /** Unset: `test`. */
  readonly route?: string;
  readonly pathParameters?: Readonly<Record<string, string>>;
  /** As in the AGI URL: `pin=1234&lang=de`, or its parameters. */
  readonly query?: string | Readonly<Record<string, string>>;
  readonly arguments?: readonly string[];
  readonly channel?: Partial<Channel>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Unset: 32. */
  readonly maxQueuedCommands?: number;
  /** How long the handler has after a hangup, in milliseconds. Unset: 10 s. */
  readonly graceMs?: number;
  /** How long it has after any other end, in milliseconds. Unset: 10 s. */
  readonly cleanupTimeoutMs?: number;
  /** Makes it a call that another handler had before. */
  readonly resumption?: {
    readonly checkpoint?: Uint8Array | string;
    readonly attempt?: number;
    readonly hungUp?: boolean;
  };
}

/** How a handler left a fake call. */
export interface FakeOutcome {
  /** `ended`: the dialplan goes on. `released`: another instance would take the call. `failed`: the stream was lost. */
  readonly how: "ended" | "handed over" | "released" | "failed";
  /** What the handler ended with, as the hangup error; undefined when it returned. */
  readonly error: unknown;
}

/**
 * A call for unit tests. It is the library's own call, so order, hangup and errors are the real ones; only the bridge behind it
 * is a fake. Commands succeed unless told otherwise.
 *
 * ```ts
 * const call = new FakeCall({ query: "pin=1234" });
 * call.reply("getData", { digits: "1234", timedOut: false });
 * await call.run(handler);
 * assert.deepEqual(call.names, ["answer", "getData", "streamFile"]);
 * ```
 */
export class FakeCall {
  /** What the library logged, a line each. */
  readonly log: string[] = [];

  private readonly bridge: FakeBridge;
  private session: Session | undefined;

  constructor(private readonly options: FakeCallOptions = {}) {
    this.bridge = new FakeBridge(options.graceMs ?? 10_000, options.resumption?.hungUp ?? false);
  }

  /** The commands that reached the bridge, in order. */
  get commands(): readonly SentCommand[] {
    return this.bridge.commands;
  }

  /** Their names. */
  get names(): readonly CommandName[] {
    return this.commands.map(({ name }) => name);
  }

  /** The states that were kept by `checkpoint`, as text. */
  get checkpoints(): readonly string[] {
    return this.bridge.checkpoints.map((state) => new TextDecoder().decode(state));
  }

  /** What the session was ended with; undefined when it was not ended. */
  get end(): EndOptions | undefined {
    return this.bridge.end;
  }

  /** Where the call was handed to, with the state as text. */
  get handoff(): { readonly route: string; readonly state: string | undefined } | undefined {
    const { handoff } = this.bridge;
    return handoff && { route: handoff.route, state: handoff.state && new TextDecoder().decode(handoff.state) };
  }

  /**
   * What this command gives, one after the other; the last one also from then on. An error is thrown by it; a function is given
   * the command's fields, and may take its time; with `NEVER` the command runs until it is interrupted or the caller hangs up.
   */
  reply<K extends CommandName>(name: K, ...replies: readonly FakeReply<K>[]): this {
    this.bridge.reply(name, replies);
    return this;
  }

  /**
   * The caller presses these keys now, or as the call begins when it does not run yet. They come by `nextDigit` and `takeDigits`;
   * what a command gives is said by `reply`.
   */
  press(digits: string): this {
    this.bridge.press(digits);
    return this;
  }

  /** The caller hangs up while this command runs, at its `nth` time (1). */
  hangUpAt(name: CommandName, nth = 1): this {
    this.bridge.hangUpAt(name, nth);
    return this;
  }

  /** The caller hangs up after so many commands were answered. */
  hangUpAfter(count: number): this {
    this.bridge.hangUpAfter(count);
    return this;
  }

  /** The caller hangs up now. */
  hangUp(): void {
    this.bridge.hangUp();
  }

  /** The bridge would like the call to end. */
  drain(deadline: Date): void {
    this.bridge.drain(deadline);
  }

  /** What GOSUB reports before its result. */
  progress(text: string): void {
    this.bridge.progress(text);
  }

  /** The session ends, as when an operator ends it. */
  endSession(reason: Exclude<Ended["reason"], `UNKNOWN(${number})`>): void {
    this.bridge.finish(reason);
  }

  /** The stream to the bridge breaks. */
  lose(): void {
    this.session?.onEnd("the stream broke");
  }

  /**
   * Runs a handler with this call, once.
   * @throws what the handler threw, when that is a fault: anything but the hangup, no input, and the end or loss of the call
   */
  async run(handler: Handler): Promise<FakeOutcome> {
    if (this.session !== undefined) throw new Error("this fake call has run; make another one");
    let error: unknown;
    const watched: Handler = async (call) => {
      try {
        await handler(call);
      } catch (thrown) {
        error = thrown;
        throw thrown;
      }
    };
    const session = new Session(this.bridge, watched, { ...this.options, logger: this.logger() }, {});
    this.session = session;
    this.bridge.tell = (event) => {
      session.onMessage(event);
    };
    session.onMessage(create(CallEventSchema, { event: { case: "started", value: this.started() } }));
    this.bridge.begin();
    await session.finished;
    if (session.fault !== undefined) throw session.fault.error;
    const closed = this.bridge.closed ?? "failed";
    const how = closed === "done" ? (this.bridge.handoff === undefined ? "ended" : "handed over") : closed;
    return { how, error };
  }

  private started() {
    const {
      route = "test",
      pathParameters,
      query = "",
      channel,
      environment,
      maxQueuedCommands = 32,
      resumption,
    } = this.options;
    return create(CallStartedSchema, {
      callId: "01890000-0000-7000-8000-000000000000",
      route,
      pathParameters: { ...pathParameters },
      queryParameters: [...new URLSearchParams(query)].map(([key, value]) => ({ key, value })),
      arguments: [...(this.options.arguments ?? [])],
      channel: { name: "Local/test@default-00000000;1", uniqueId: "1700000000.0", ...channel },
      environment: { ...environment },
      maxQueuedCommands,
      resumption: resumption && resumed(resumption),
    });
  }

  private logger(): Logger {
    const line =
      (level: string) =>
      (message: string, ...details: unknown[]) => {
        this.log.push([`${level}: ${message}`, ...details.map(String)].join(" "));
      };
    return { info: line("info"), warn: line("warning"), error: line("error") };
  }
}

function resumed({ checkpoint, attempt = 1, hungUp = false }: NonNullable<FakeCallOptions["resumption"]>) {
  const state = typeof checkpoint === "string" ? new TextEncoder().encode(checkpoint) : checkpoint;
  return { cause: Resumption_Cause.SERVICE_LOST, attempt, checkpoint: state, hungUp } satisfies MessageInitShape<
    typeof ResumptionSchema
  >;
}

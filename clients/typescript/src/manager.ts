// The manager client: starts calls, sends actions, and hears events, at the bridge's API.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type Client, type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { quiet } from "./deferred.js";
import { credentialsOf, dial, parseAddress, pauseMs } from "./dial.js";
import { ManagerError, MisuseError, type StatusName } from "./errors.js";
import {
  ListServersRequestSchema,
  ListServersResponseSchema,
  OriginateRequestSchema,
  OriginateResponse_Outcome,
  OriginateResponseSchema,
  SendActionRequestSchema,
  SendActionResponseSchema,
  WatchEventsRequestSchema,
} from "./gen/agibridge/v1/manager_pb.js";
import { type Logger, stderrLogger } from "./logger.js";
import {
  type ActionReply,
  type Destination,
  type Originated,
  replyOf,
  type ServerState,
  stateOf,
} from "./manager-facts.js";
import { nameOf } from "./names.js";
import { decodeTold, type EventHandler, type SubscribeOptions, Subscription } from "./subscription.js";
import { durationFromMs } from "./time.js";
import type { ClientTls } from "./tls.js";
import { traceContext } from "./tracing.js";

export interface ManagerOptions {
  /** Where the bridge's `api` is, as `bridge:4575`. */
  readonly bridge: string;
  /** A token of the bridge's `api.clients`. */
  readonly token?: string;
  /** Unset: plain text. `{}`: TLS, with the authorities that Node knows. */
  readonly tls?: ClientTls;
  /** Unset: standard error. */
  readonly logger?: Logger;
}

export interface RequestOptions {
  /** A name of the bridge's `managers`. Unset: the only one. */
  readonly server?: string;
  /** Gives up waiting. What was asked for may be done all the same. */
  readonly signal?: AbortSignal;
}

export interface OriginateOptions extends RequestOptions {
  readonly callerIdNumber?: string;
  readonly callerIdName?: string;
  /** How long to let it ring. Unset: 30 s. */
  readonly ringTimeoutMs?: number;
  /** Set on the channel that is called; a name with `__` in front is passed on. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly accountCode?: string;
  /** Go on as soon as there is sound. */
  readonly earlyMedia?: boolean;
  readonly codecs?: readonly string[];
  /** False: return once Asterisk took it. Unset: true. */
  readonly wait?: boolean;
  /** Makes asking again safe. Unset: a new UUID. Empty: none, for an Asterisk whose manager.conf does not grant `system`. */
  readonly requestId?: string;
  /** How long to go on asking. Unset: `ringTimeoutMs` and a minute. */
  readonly timeoutMs?: number;
}

export interface ActionOptions extends RequestOptions {
  /** How long Asterisk may take. Unset: 10 s. */
  readonly timeoutMs?: number;
}

/** One request. */
interface Asked<I extends DescMessage, O extends DescMessage> {
  readonly method: string;
  readonly request: readonly [schema: I, message: MessageInitShape<I>];
  readonly answer: O;
  readonly limitMs: number;
  /** After which of these it is asked again. */
  readonly again?: ReadonlySet<StatusName>;
  readonly signal?: AbortSignal | undefined;
  readonly requestId?: string;
}

const SERVICE = "/agibridge.v1.ManagerService";
const RING_MS = 30_000;
const ACTION_MS = 10_000;
/** How much longer than Asterisk the bridge may take. */
const ORIGINATE_MARGIN_MS = 60_000;
const MARGIN_MS = 10_000;
/** With a request id nothing is dialled twice, so what may have been done may be asked again. */
const AGAIN_WITH_ID: ReadonlySet<StatusName> = new Set<StatusName>(["UNAVAILABLE", "UNKNOWN", "CANCELLED"]);
const AGAIN_READING: ReadonlySet<StatusName> = new Set<StatusName>(["UNAVAILABLE"]);

/**
 * Asks the bridge for what Asterisk's manager can do. Nothing is connected before something is asked.
 *
 * ```ts
 * const manager = new Manager({ bridge: "bridge:4575", token });
 * const call = await manager.originate("PJSIP/3200", { context: "internal", extension: "84951234567" });
 * ```
 *
 * What Asterisk says no to is an answer. A ManagerError tells that the bridge refused, or could not be asked.
 */
export class Manager {
  private readonly client: Client;
  private readonly logger: Logger;
  private readonly closing = new AbortController();
  private readonly subscriptions = new Set<Subscription>();

  /** @throws {MisuseError} when `bridge` is no address */
  constructor(private readonly options: ManagerOptions) {
    const { bridge, tls, logger = stderrLogger } = options;
    const host = parseAddress(bridge)?.host;
    if (host === undefined) throw new MisuseError(`${bridge} is no address of a bridge; write it as host:port`);
    this.client = dial(bridge, host, tls);
    this.logger = logger;
  }

  /** Closes every subscription, and the connection. A request that runs fails with CANCELLED. */
  close(): void {
    this.closing.abort();
    for (const subscription of this.subscriptions) subscription.close();
    this.client.close();
  }

  /**
   * Calls `channel`, as `PJSIP/3200`, and once it is answered connects it to `destination`. Never dials twice: until `timeoutMs` it
   * is asked again with the same `requestId` when the bridge went away; without one it is not.
   *
   * @returns what became of it, or, with `wait: false`, that Asterisk took it
   * @throws {ManagerError}
   */
  async originate(channel: string, destination: Destination, options: OriginateOptions = {}): Promise<Originated> {
    const {
      requestId = randomUUID(),
      ringTimeoutMs = RING_MS,
      wait = true,
      codecs = [],
      signal,
      server = "",
    } = options;
    const { callerIdNumber, callerIdName, variables, accountCode, earlyMedia } = options;
    const { outcome, ...rest } = await this.ask({
      method: "Originate",
      request: [
        OriginateRequestSchema,
        {
          server,
          requestId,
          channel,
          destination: target(destination),
          callerIdNumber,
          callerIdName,
          ringTimeout: durationFromMs(ringTimeoutMs, "ringTimeoutMs"),
          variables: { ...variables },
          accountCode,
          earlyMedia,
          codecs: [...codecs],
          waitForOutcome: wait,
        },
      ],
      answer: OriginateResponseSchema,
      limitMs: options.timeoutMs ?? ringTimeoutMs + ORIGINATE_MARGIN_MS,
      again: requestId === "" ? undefined : AGAIN_WITH_ID,
      signal,
      requestId,
    });
    const { channel: called, uniqueId, detail } = rest;
    const answered = outcome === OriginateResponse_Outcome.ANSWERED;
    return {
      outcome: nameOf(OriginateResponse_Outcome, outcome),
      answered,
      channel: called,
      uniqueId,
      detail,
      requestId,
    };
  }

  /**
   * Sends any action, and gives Asterisk's answer with the list or the output that belongs to it. It is never asked again by itself,
   * since it may have been done: that is for whoever knows what the action does.
   *
   * @param headers an object, or pairs where a name repeats
   * @throws {ManagerError}
   */
  async sendAction(
    action: string,
    headers: Readonly<Record<string, string>> | Iterable<readonly [string, string]> = {},
    { server = "", timeoutMs = ACTION_MS, signal }: ActionOptions = {},
  ): Promise<ActionReply> {
    const pairs = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
    const answer = await this.ask({
      method: "SendAction",
      request: [
        SendActionRequestSchema,
        {
          server,
          action,
          headers: pairs.map(([key, value]) => ({ key, value })),
          timeout: durationFromMs(timeoutMs, "timeoutMs"),
        },
      ],
      answer: SendActionResponseSchema,
      limitMs: timeoutMs + MARGIN_MS,
      signal,
    });
    return replyOf(answer);
  }

  /**
   * The Asterisks that this client may use, and the bridge's link to each.
   * @throws {ManagerError}
   */
  async listServers({ signal }: Pick<RequestOptions, "signal"> = {}): Promise<ServerState[]> {
    const { servers } = await this.ask({
      method: "ListServers",
      request: [ListServersRequestSchema, {}],
      answer: ListServersResponseSchema,
      limitMs: MARGIN_MS,
      again: AGAIN_READING,
      signal,
    });
    return servers.map(stateOf);
  }

  /**
   * Calls `handler` with events, what was missed, and the state of the links. It comes back by itself when the bridge went away, for
   * as long as it is not closed.
   *
   * @throws {MisuseError} when the client is closed
   */
  subscribe(handler: EventHandler, { names = ["*"], match, server = "" }: SubscribeOptions = {}): Subscription {
    this.refuseWhenClosed();
    const request = create(WatchEventsRequestSchema, { server, names: [...names], match: { ...match } });
    const bytes = () => Buffer.from(toBinary(WatchEventsRequestSchema, request));
    const watch = () =>
      this.client.makeServerStreamRequest(`${SERVICE}/WatchEvents`, bytes, decodeTold, request, this.metadata());
    const subscription = new Subscription(watch, handler, this.logger);
    this.subscriptions.add(subscription);
    void quiet(subscription.closed.finally(() => this.subscriptions.delete(subscription)));
    return subscription;
  }

  /** Asks, and again after a pause where `again` permits it and there is time left. */
  private async ask<I extends DescMessage, O extends DescMessage>(asked: Asked<I, O>): Promise<MessageShape<O>> {
    this.refuseWhenClosed();
    const { method, again, limitMs, requestId, signal } = asked;
    const given = signal === undefined ? [] : [signal];
    const stop = AbortSignal.any([this.closing.signal, ...given]);
    const until = Date.now() + limitMs;
    for (let failures = 0; ; failures += 1) {
      let answer: MessageShape<O> | ServiceError | undefined;
      if (!stop.aborted) answer = await this.askOnce(asked, until, stop);
      signal?.throwIfAborted();
      if (stop.aborted || answer === undefined) {
        throw new ManagerError("CANCELLED", "the client was closed", method, requestId);
      }
      if (!(answer instanceof Error)) return answer;
      const code = status[answer.code] as StatusName;
      const pause = pauseMs(failures);
      if (again?.has(code) !== true || Date.now() + pause >= until) {
        throw new ManagerError(code, answer.details, method, requestId);
      }
      this.logger.info(`manager: ${method} is asked again (${code}: ${answer.details})`);
      await sleep(pause, undefined, { signal: stop }).catch(() => undefined);
    }
  }

  private askOnce<I extends DescMessage, O extends DescMessage>(
    { method, request: [schema, message], answer }: Asked<I, O>,
    deadline: number,
    stop: AbortSignal,
  ): Promise<MessageShape<O> | ServiceError> {
    return new Promise((resolve) => {
      const call = this.client.makeUnaryRequest(
        `${SERVICE}/${method}`,
        (request: MessageShape<I>) => Buffer.from(toBinary(schema, request)),
        (bytes: Buffer) => fromBinary(answer, bytes),
        create(schema, message),
        this.metadata(),
        { deadline },
        (error, answered) => {
          stop.removeEventListener("abort", cancel);
          resolve(error ?? (answered as MessageShape<O>));
        },
      );
      const cancel = () => {
        call.cancel();
      };
      stop.addEventListener("abort", cancel);
    });
  }

  private metadata(): Metadata {
    const metadata = credentialsOf(this.options.token);
    for (const [name, value] of Object.entries(traceContext())) metadata.set(name, value);
    return metadata;
  }

  private refuseWhenClosed(): void {
    if (this.closing.signal.aborted) throw new MisuseError("this manager client is closed; make a new one");
  }
}

function target(destination: Destination): MessageInitShape<typeof OriginateRequestSchema>["destination"] {
  if ("route" in destination) return { case: "route", value: destination.route };
  if ("application" in destination) {
    const { application, data } = destination;
    return { case: "application", value: { application, data } };
  }
  const { context, extension, priority } = destination;
  return { case: "dialplan", value: { context, extension, priority } };
}

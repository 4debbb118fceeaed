// What the manager client takes and gives.
import { inspect } from "node:util";
import {
  type Header,
  type ManagerEvent as Event,
  OriginateResponse_Outcome,
  type SendActionResponse,
  type ServerState as State,
} from "./gen/agibridge/v1/manager_pb.js";
import type { Unknown } from "./names.js";
import { dateFromTimestamp } from "./time.js";

/** Where a call that was answered goes: an extension of the dialplan, an application, or a route of the bridge. */
export type Destination =
  | { readonly context: string; readonly extension: string; /** Unset: 1. */ readonly priority?: number }
  | { readonly application: string; readonly data?: string }
  | { /** As `/reminder?appointment=4711`. */ readonly route: string };

/**
 * What became of a call that was started. None of them is an error.
 * - `ACCEPTED`: Asterisk took it; nobody waited for more
 * - `REFUSED`: no such device, number or extension, or Asterisk refused it: `detail` says which
 * - `FAILED`: rejected or hung up before it was answered, or another cause: see `detail`
 * - `UNKNOWN`: the link to Asterisk broke, and what came of it could not be learnt. It is never dialled again.
 */
export type Outcome = Extract<keyof typeof OriginateResponse_Outcome, string> | Unknown;

export interface Originated {
  readonly outcome: Outcome;
  /** Whether somebody answered. */
  readonly answered: boolean;
  /** Name of the channel that was called; empty while it is not known. */
  readonly channel: string;
  /** Its id: `call.channel.uniqueId` of a handler on it. */
  readonly uniqueId: string;
  /** For people. */
  readonly detail: string;
  /** Ask again with it, and nothing is dialled twice. */
  readonly requestId: string;
}

/** Headers in order. A name may be there more than once, and is found in any case. */
export class ManagerHeaders implements Iterable<readonly [name: string, value: string]> {
  private readonly items: readonly (readonly [string, string])[];

  /** @internal */
  constructor(headers: readonly Pick<Header, "key" | "value">[]) {
    this.items = headers.map(({ key, value }) => [key, value]);
  }

  /** The first value of a name. */
  get(name: string): string | undefined {
    return this.getAll(name)[0];
  }

  getAll(name: string): string[] {
    return this.items.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  }

  [Symbol.iterator](): Iterator<readonly [string, string]> {
    return this.items[Symbol.iterator]();
  }
}

/** An event of Asterisk. */
export class ManagerEvent {
  readonly kind = "event";
  readonly server: string;
  readonly name: string;
  readonly headers: ManagerHeaders;
  readonly receivedAt: Date;

  /** @internal */
  constructor({ server, name, headers, receivedAt }: Event) {
    this.server = server;
    this.name = name;
    this.headers = new ManagerHeaders(headers);
    this.receivedAt = dateFromTimestamp(receivedAt) ?? new Date(0);
  }

  /** The value of a header; empty when it is not there. */
  get(name: string): string {
    return this.headers.get(name) ?? "";
  }

  /** One line: the name, then the headers. */
  toString(): string {
    return [this.name, ...[...this.headers].map(([key, value]) => `${key}=${inspect(value)}`)].join(" ");
  }
}

/** So many events were dropped since the one before, because this subscriber is slow. */
export interface Missed {
  readonly kind: "missed";
  readonly count: number;
}

/** The bridge's link to an Asterisk. When it was lost, or came back, events may be missing around it. */
export interface ServerState {
  readonly kind: "serverState";
  readonly server: string;
  readonly connected: boolean;
  readonly asteriskVersion: string;
  /** Why it is not connected. */
  readonly detail: string;
}

/** The stream from the bridge broke, or cannot be had: events are missing until a `ServerState` comes. */
export interface Lost {
  readonly kind: "lost";
  readonly detail: string;
}

/** What a subscription's handler is called with. */
export type Told = ManagerEvent | Missed | ServerState | Lost;

/** Asterisk's answer to an action. */
export interface ActionReply {
  readonly success: boolean;
  readonly message: string;
  readonly headers: ManagerHeaders;
  /** The list that came with it. */
  readonly events: readonly ManagerEvent[];
  /** Lines of `Command`. */
  readonly output: readonly string[];
  /** It was too long, and something is missing. */
  readonly truncated: boolean;
}

/** @internal */
export function stateOf({ server, connected, asteriskVersion, detail }: State): ServerState {
  return { kind: "serverState", server, connected, asteriskVersion, detail };
}

/** @internal */
export function replyOf({ success, message, headers, events, output, truncated }: SendActionResponse): ActionReply {
  return {
    success,
    message,
    headers: new ManagerHeaders(headers),
    events: events.map((event) => new ManagerEvent(event)),
    output,
    truncated,
  };
}

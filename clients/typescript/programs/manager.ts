// Asks a bridge with the manager client by lines of JSON. Usage: manager API [TOKEN]
import { createInterface } from "node:readline";
import {
  AgiBridgeError,
  Manager,
  ManagerError,
  type ManagerEvent,
  type ServerState,
  type Subscription,
  type Told,
  type Destination,
} from "@agibridge/client";
import { enumName, type Json, ms } from "./json.js";

type Headers = { key: string; value?: string }[];

/** A request's fields, in ProtoJSON. */
interface Asked extends Json {
  server?: string;
  channel: string;
  dialplan?: { context: string; extension: string; priority?: number };
  application?: { application: string; data?: string };
  route?: string;
  callerIdNumber?: string;
  callerIdName?: string;
  ringTimeout?: string;
  variables?: Record<string, string>;
  accountCode?: string;
  earlyMedia?: boolean;
  codecs?: string[];
  waitForOutcome?: boolean;
  requestId?: string;
  action: string;
  headers?: Headers;
  timeout?: string;
  names?: string[];
  match?: Record<string, string>;
}

type Method = "originate" | "sendAction" | "listServers" | "watchEvents" | "cancel";
type Line = { id: string } & Partial<Record<Method, Asked>>;

const [bridge = "", token] = process.argv.slice(2);
const manager = new Manager({ bridge, token });
const subscriptions = new Map<string, Subscription>();
const running: Promise<void>[] = [];

function write(id: string, line: Json): void {
  process.stdout.write(`${JSON.stringify({ id, ...line })}\n`);
}

function headersJson(headers: Iterable<readonly [string, string]>): Headers {
  return [...headers].map(([key, value]) => ({ key, value }));
}

function eventJson({ server, name, headers, receivedAt }: ManagerEvent): Json {
  return { server, name, headers: headersJson(headers), receivedAt: receivedAt.toISOString() };
}

function stateJson({ server, connected, asteriskVersion, detail }: ServerState): Json {
  return { server, connected, asteriskVersion, detail };
}

function toldJson(told: Told): Json {
  switch (told.kind) {
    case "event":
      return { event: eventJson(told) };
    case "missed":
      return { missed: told.count };
    case "serverState":
      return { serverState: stateJson(told) };
    case "lost":
      return { lost: { detail: told.detail } };
  }
}

function destination({ dialplan, application, route = "" }: Asked): Destination {
  return dialplan ?? application ?? { route };
}

async function originate(asked: Asked): Promise<Json> {
  const { channel, ringTimeout, waitForOutcome = false, ...rest } = asked;
  const ringTimeoutMs = ms(ringTimeout);
  const call = await manager.originate(channel, destination(asked), { ...rest, ringTimeoutMs, wait: waitForOutcome });
  return { ...call, answered: undefined, outcome: enumName("OUTCOME", call.outcome) };
}

async function sendAction({ action, headers = [], server, timeout }: Asked): Promise<Json> {
  const pairs = headers.map(({ key, value = "" }) => [key, value] as const);
  const reply = await manager.sendAction(action, pairs, { server, timeoutMs: ms(timeout) });
  return { ...reply, headers: headersJson(reply.headers), events: reply.events.map(eventJson) };
}

async function answer(line: Line): Promise<Json> {
  if (line.originate) return { originate: await originate(line.originate) };
  if (line.sendAction) return { sendAction: await sendAction(line.sendAction) };
  if (line.listServers) return { listServers: { servers: (await manager.listServers()).map(stateJson) } };
  const subscription = subscriptions.get(line.id);
  subscription?.close();
  await subscription?.closed;
  return { cancelled: {} };
}

async function watch(id: string, { names, match, server }: Asked): Promise<void> {
  const tell = (told: Told) => {
    write(id, toldJson(told));
  };
  const subscription = manager.subscribe(tell, { names, match, server });
  subscriptions.set(id, subscription);
  await subscription.closed;
}

async function serve(line: Line): Promise<void> {
  try {
    if (line.watchEvents) await watch(line.id, line.watchEvents);
    else write(line.id, await answer(line));
  } catch (error) {
    if (!(error instanceof AgiBridgeError)) throw error;
    const code = error instanceof ManagerError ? error.code : "MISUSE";
    write(line.id, { error: { code, message: error.message } });
  }
}

for await (const line of createInterface({ input: process.stdin })) running.push(serve(JSON.parse(line) as Line));
for (const subscription of subscriptions.values()) subscription.close();
await Promise.all(running);
manager.close();

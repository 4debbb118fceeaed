// The WebSocket server, asked by a real client in the same process.
import assert from "node:assert/strict";
import { test } from "./test.js";
import { create, fromBinary, toJsonString } from "@bufbuild/protobuf";
import { WebSocket } from "ws";
import { CallControlSchema, CallEventSchema } from "../src/gen/agibridge/v1/call_pb.js";
import { type Handler, WebSocketServer, type WebSocketServerOptions } from "../src/index.js";
import { ENDED, encode, event, type Event, Inbox, logged, STARTED } from "./bridge.js";

const PROTO = "agibridge.v1.proto";
const JSON_TEXT = "agibridge.v1.json";

async function serving(
  options: WebSocketServerOptions,
  handler: Handler,
  work: (url: string, server: WebSocketServer) => Promise<void>,
): Promise<void> {
  const server = new WebSocketServer({ port: 0, logger: logged(), ...options }, handler);
  await server.start();
  try {
    await work(`ws://${server.address}`, server);
  } finally {
    await server.drain(0);
  }
}

const json = (said: Event) => toJsonString(CallEventSchema, create(CallEventSchema, { event: said }));
const answering: Handler = async (call) => {
  await call.answer();
};

async function connect(url: string, protocols: string[], headers = {}) {
  const socket = new WebSocket(url, protocols, { headers });
  const frames = new Inbox<{ data: Buffer; binary: boolean }>();
  socket.on("message", (data: Buffer, binary) => {
    frames.push({ data, binary });
  });
  const closed = event(socket, "close") as Promise<[number, Buffer]>;
  await event(socket, "open");
  return { socket, frames, closed };
}

/** The status of a handshake that is refused. */
async function refused(url: string, headers = {}, protocols = [PROTO]): Promise<number | undefined> {
  const socket = new WebSocket(url, protocols, { headers });
  socket.on("error", () => undefined);
  const [, response] = (await event(socket, "unexpected-response")) as [unknown, { statusCode?: number }];
  return response.statusCode;
}

test("protobuf is chosen where it is offered, and a call is driven in binary frames", async () => {
  await serving({}, answering, async (url) => {
    const { socket, frames, closed } = await connect(url, [PROTO, JSON_TEXT]);
    assert.equal(socket.protocol, PROTO);
    socket.send(encode(STARTED));
    const { data, binary } = await frames.next();
    assert.ok(binary);
    assert.equal(fromBinary(CallControlSchema, data).control.case, "command");
    socket.send(encode({ case: "result", value: { id: 1, outcome: { case: "done", value: {} } } }));
    assert.equal(fromBinary(CallControlSchema, (await frames.next()).data).control.case, "end");
    socket.send(encode(ENDED));
    assert.equal((await closed)[0], 1000);
  });
});

test("a call is driven in JSON where only that is offered", async () => {
  await serving({}, answering, async (url) => {
    const { socket, frames, closed } = await connect(url, [JSON_TEXT]);
    socket.send(json(STARTED));
    const { data, binary } = await frames.next();
    assert.equal(binary, false);
    assert.deepEqual(JSON.parse(data.toString()), { command: { id: 1, answer: {} } });
    socket.send(json({ case: "result", value: { id: 1, outcome: { case: "done", value: {} } } }));
    assert.deepEqual(JSON.parse((await frames.next()).data.toString()), { end: {} });
    socket.send(json(ENDED));
    assert.equal((await closed)[0], 1000);
  });
});

test("a frame of the wrong type closes with 1003", async () => {
  await serving({}, answering, async (url) => {
    const { socket, closed } = await connect(url, [PROTO]);
    socket.send(json(STARTED));
    assert.equal((await closed)[0], 1003);
  });
});

test("a handler that throws closes with 1011, and a release with 1012", async () => {
  const handler: Handler = async (call) => {
    if (call.route === "test") throw new TypeError("ö".repeat(100));
    await call.release();
  };
  await serving({}, handler, async (url) => {
    const thrown = await connect(url, [PROTO]);
    thrown.socket.send(encode(STARTED));
    const [code, reason] = await thrown.closed;
    assert.equal(code, 1011);
    assert.match(reason.toString(), /the handler threw: ö+$/);
    const released = await connect(url, [PROTO]);
    released.socket.send(encode({ case: "started", value: { route: "other" } }));
    assert.equal((await released.closed)[0], 1012);
  });
});

test("handshakes are refused without the token, with another path or no subprotocol, when full and when draining", async () => {
  const handler: Handler = (call) => call.waitFor("ended");
  await serving({ token: "secret", path: "/calls", maxCalls: 1 }, handler, async (url, server) => {
    const authorization = "Bearer secret";
    assert.equal(await refused(`${url}/calls`), 401);
    assert.equal(await refused(`${url}/other`, { authorization }), 404);
    assert.equal(await refused(`${url}/calls`, { authorization }, []), 400);
    const { socket, closed } = await connect(`${url}/calls?x=1`, [PROTO], { authorization });
    socket.send(encode(STARTED));
    assert.equal(await refused(`${url}/calls`, { authorization }), 503);
    const stopped = server.drain();
    assert.equal(await refused(`${url}/calls`, { authorization }), 503);
    socket.send(encode(ENDED));
    assert.equal((await closed)[0], 1000);
    await stopped;
  });
});

test("a connection that breaks is a loss of its call", async () => {
  const outcome = new Inbox<unknown>();
  const handler: Handler = async (call) => {
    outcome.push(await call.noop().catch((error: unknown) => error));
  };
  await serving({}, handler, async (url) => {
    const { socket, frames } = await connect(url, [PROTO]);
    socket.send(encode(STARTED));
    await frames.next();
    socket.terminate();
    assert.match(String(await outcome.next()), /CallLostError/);
  });
});

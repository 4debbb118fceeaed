// What comes from the bridge: whatever it is, only its own call suffers, and the error says what to do.
import assert from "node:assert/strict";
import { test } from "./test.js";
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { CommandError, HungUpError } from "../src/index.js";
import { decodeEvent, decodeEventJson } from "../src/codec.js";
import {
  type CallControl,
  CallEnded_Reason,
  type CallEvent,
  CallEventSchema,
  Hangup_Source,
  Resumption_Cause,
} from "../src/gen/agibridge/v1/call_pb.js";
import { CommandError_Code, CommandErrorSchema } from "../src/gen/agibridge/v1/command_pb.js";
import type { Close, Transport } from "../src/machine.js";
import { type Handler, Session, Undecodable } from "../src/session.js";

class Recorded implements Transport {
  ready = true;
  readonly sent: CallControl[] = [];
  closed: Close | undefined;

  send(control: CallControl): void {
    this.sent.push(control);
  }

  close(close: Close): void {
    this.closed ??= close;
  }

  get cases(): (string | undefined)[] {
    return this.sent.map(({ control }) => control.case);
  }
}

type Event = MessageInitShape<typeof CallEventSchema>["event"];

function begin(handler: Handler) {
  const transport = new Recorded();
  const log: string[] = [];
  const line = (...parts: unknown[]) => log.push(parts.map(String).join(" "));
  const session = new Session(transport, handler, { logger: { info: line, warn: line, error: line } }, {});
  const say = (event: Event) => {
    session.onMessage(create(CallEventSchema, { event }));
  };
  return { transport, log, session, say };
}

const started: Event = { case: "started", value: { callId: "c", maxQueuedCommands: 32 } };
const ended: Event = { case: "ended", value: { reason: CallEnded_Reason.SERVICE } };

/** An event of a contract to come: field 12, which this one does not have. */
const newer = (): CallEvent => {
  const bytes = new BinaryWriter().tag(12, WireType.LengthDelimited).string("news").finish();
  return fromBinary(CallEventSchema, bytes);
};

test("an event of a newer contract is passed over", async () => {
  const { session, say, transport } = begin(async (call) => {
    await call.noop();
  });
  session.onMessage(newer());
  say(started);
  session.onMessage(newer());
  await Promise.resolve();
  await Promise.resolve();
  say({ case: "result", value: { id: 1, outcome: { case: "done", value: {} } } });
  await new Promise(setImmediate);
  assert.deepEqual(transport.cases, ["command", "end"]);
  say(ended);
  await session.finished;
  assert.equal(transport.closed?.how, "done");
});

/** A code of a contract to come, as it is decoded. */
const newerCode = fromBinary(CommandErrorSchema, Uint8Array.of(8, 77)).code;

test("a code and a kind of result that are not known are errors with advice", async () => {
  const errors: unknown[] = [];
  const { session, say } = begin(async (call) => {
    const outcomes = await Promise.allSettled([call.noop(), call.noop(), call.getData("pin")]);
    for (const each of outcomes) if (each.status === "rejected") errors.push(each.reason);
  });
  say(started);
  await new Promise(setImmediate);
  say({
    case: "result",
    value: { id: 1, outcome: { case: "error", value: { code: newerCode, detail: "new" } } },
  });
  say({ case: "result", value: { id: 2 } });
  say({ case: "result", value: { id: 3, outcome: { case: "done", value: {} } } });
  await new Promise(setImmediate);
  say(ended);
  await session.finished;
  const [unknown, none, other] = errors as CommandError[];
  assert.equal(unknown?.code, "UNKNOWN(77)");
  assert.match(unknown.message, /newer version/);
  assert.equal(none?.code, "PROTOCOL_ERROR");
  assert.equal(other?.code, "PROTOCOL_ERROR");
});

test("a result for an id that was never sent is passed over", async () => {
  const { session, say, log } = begin(async (call) => {
    await call.waitFor("ended");
  });
  say(started);
  say({ case: "result", value: { id: 99, outcome: { case: "done", value: {} } } });
  say(ended);
  await session.finished;
  assert.deepEqual(log, []);
});

test("a message before `started` fails that call", async () => {
  const { session, say, transport, log } = begin(() => assert.fail("it must not run"));
  say({ case: "result", value: { id: 1 } });
  await session.finished;
  assert.equal(transport.closed?.how, "failed");
  assert.match(log.join(), /before `started`/);
});

test("a second `started` is passed over", async () => {
  let runs = 0;
  const { session, say, log } = begin(async (call) => {
    runs += 1;
    await call.waitFor("ended");
  });
  say(started);
  say(started);
  say(ended);
  await session.finished;
  assert.equal(runs, 1);
  assert.match(log.join(), /twice/);
});

test("an unexpected end of the stream is a loss", async () => {
  let error: unknown;
  const { session, say, transport } = begin(async (call) => {
    error = await call.noop().catch((thrown: unknown) => thrown);
  });
  say(started);
  await new Promise(setImmediate);
  session.onEnd("the stream broke");
  await session.finished;
  assert.match(String(error), /CallLostError.*the stream broke.*another instance/);
  assert.equal(transport.closed?.how, "failed");
});

test("a stream that ends before `started` runs nothing", async () => {
  const { session, log } = begin(() => assert.fail("it must not run"));
  session.onEnd("cancelled");
  await session.finished;
  assert.deepEqual(log, []);
});

test("bytes and text that are no message fail that call", async () => {
  assert.ok(decodeEvent(Uint8Array.of(0xff, 0xff)) instanceof Undecodable);
  assert.ok(decodeEventJson("{") instanceof Undecodable);
  const { session, say, transport, log } = begin(async (call) => {
    await call.noop();
  });
  say(started);
  session.onMessage(decodeEvent(Uint8Array.of(0xff)));
  await session.finished;
  assert.equal(transport.closed?.how, "failed");
  assert.match(log.join(), /update this library/);
});

test("JSON of a newer contract is understood as far as it is known", () => {
  const event = decodeEventJson('{"ended": {"reason": "REASON_NEWER", "news": 1, "commands": 2}, "more": {}}');
  assert.ok(!(event instanceof Undecodable) && event.event.case === "ended");
  assert.equal(event.event.value.reason, 0);
  assert.equal(event.event.value.commands, 2);
});

test("CALL_ENDED is the hangup error once the caller is gone", async () => {
  let error: unknown;
  const { session, say } = begin(async (call) => {
    error = await call.noop().catch((thrown: unknown) => thrown);
  });
  say(started);
  await new Promise(setImmediate);
  say({ case: "hangup", value: { source: Hangup_Source.CONNECTION } });
  say({ case: "result", value: { id: 1, outcome: { case: "error", value: { code: CommandError_Code.CALL_ENDED } } } });
  say({ case: "ended", value: { reason: CallEnded_Reason.HANGUP } });
  await session.finished;
  assert.ok(error instanceof HungUpError);
});

test("ids go on above those of the service before, and the running command's result can be awaited", async () => {
  let digits: unknown;
  const { session, say, transport } = begin(async (call) => {
    const running = call.resumption?.running;
    assert.equal(running?.name, "getData");
    digits = await running.result;
    await call.noop();
  });
  const running = { id: 7, command: { case: "getData" as const, value: { file: "pin" } } };
  const results = [{ id: 6, outcome: { case: "error" as const, value: { code: CommandError_Code.FAILED } } }];
  say({
    case: "started",
    value: {
      callId: "c",
      resumption: { cause: Resumption_Cause.SERVICE_LOST, attempt: 1, running, results, lastCommandId: 9 },
    },
  });
  await new Promise(setImmediate);
  say({ case: "result", value: { id: 7, outcome: { case: "digits", value: { digits: "42" } } } });
  await new Promise(setImmediate);
  const [{ control }] = transport.sent as [CallControl];
  assert.ok(control.case === "command");
  assert.equal(control.value.id, 10);
  assert.deepEqual(digits, { digits: "42", timedOut: false });
  say(ended);
  await session.finished;
});

test("a checkpoint accounts for the results that the handler has", async () => {
  const { session, say, transport } = begin(async (call) => {
    await call.checkpoint("none yet");
    await call.noop();
    await call.checkpoint("one");
  });
  say(started);
  await new Promise(setImmediate);
  say({ case: "result", value: { id: 1, outcome: { case: "done", value: {} } } });
  await new Promise(setImmediate);
  const ids = transport.sent.flatMap(({ control }) =>
    control.case === "checkpoint" ? [control.value.lastResultId] : [],
  );
  assert.deepEqual(ids, [0, 1]);
  say(ended);
  await session.finished;
});

test("nothing is sent while the transport has no room, and all of it in order after that", async () => {
  const { session, say, transport } = begin(async (call) => {
    void call.noop();
    await call.checkpoint("state");
    await call.waitFor("ended");
  });
  transport.ready = false;
  say(started);
  await new Promise(setImmediate);
  assert.deepEqual(transport.cases, []);
  transport.ready = true;
  session.onReady();
  assert.deepEqual(transport.cases, ["command", "checkpoint"]);
  say(ended);
  await session.finished;
});

test("at most max_queued_commands are unanswered; the others wait for room", async () => {
  const { session, say, transport } = begin(async (call) => {
    await Promise.all(Array.from({ length: 9 }, () => call.noop()));
  });
  say({ case: "started", value: { callId: "c", maxQueuedCommands: 3 } });
  await new Promise(setImmediate);
  assert.equal(transport.sent.length, 3);
  for (let id = 1; id <= 9; id += 1) {
    say({ case: "result", value: { id, outcome: { case: "done", value: {} } } });
    assert.equal(transport.sent.length, Math.min(9, 3 + id));
  }
  await new Promise(setImmediate);
  assert.equal(transport.cases.at(-1), "end");
  say(ended);
  await session.finished;
});

// Keys between commands, and commands that are stopped.
import assert from "node:assert/strict";
import { mock } from "node:test";
import { test } from "./test.js";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CallLostError, CommandError, type Handler, HungUpError, MisuseError } from "../src/index.js";
import { CallEnded_Reason, type CallControl, CallEventSchema, Hangup_Source } from "../src/gen/agibridge/v1/call_pb.js";
import type { Close, Transport } from "../src/machine.js";
import { Session } from "../src/session.js";
import { FakeCall, NEVER } from "../src/testing.js";

type Event = MessageInitShape<typeof CallEventSchema>["event"];

class Recorded implements Transport {
  readonly ready = true;
  readonly sent: CallControl["control"][] = [];

  send({ control }: CallControl): void {
    this.sent.push(control);
  }

  closed: Close | undefined;

  close(close: Close): void {
    this.closed = close;
  }
}

/** A call whose bridge the test is, that has begun. */
async function begin(handler: Handler, maxQueuedCommands = 32) {
  const transport = new Recorded();
  const session = new Session(transport, handler, {}, {});
  const say = async (event: Event) => {
    session.onMessage(create(CallEventSchema, { event }));
    await new Promise(setImmediate);
  };
  await say({ case: "started", value: { callId: "c", maxQueuedCommands } });
  const finish = async () => {
    await say({ case: "ended", value: { reason: CallEnded_Reason.SERVICE } });
    await session.finished;
    if (session.fault !== undefined) throw session.fault.error;
  };
  return { session, say, sent: transport.sent, finish };
}

const key = (digit: string): Event => ({ case: "digit", value: { digit, duration: { seconds: 0n, nanos: 120e6 } } });
const played = (id: number): Event => ({ case: "result", value: { id, outcome: { case: "playback", value: {} } } });

test("keys are taken in their order, and waited for", async () => {
  const taken: unknown[] = [];
  const { say, finish } = await begin(async (call) => {
    for (let pressed = await call.nextDigit(); pressed?.digit !== "#"; pressed = await call.nextDigit()) {
      taken.push(pressed);
    }
  });
  for (const digit of "12#") await say(key(digit));
  await finish();
  assert.deepEqual(taken, [
    { digit: "1", durationMs: 120 },
    { digit: "2", durationMs: 120 },
  ]);
});

test("what was typed ahead is taken at once, and once", async () => {
  await new FakeCall().press("12#").run(async (call) => {
    await call.answer();
    assert.deepEqual([call.takeDigits(), call.takeDigits()], ["12#", ""]);
    assert.equal(await call.nextDigit({ timeoutMs: 0 }), undefined);
  });
});

test("the time for a key counts while no command runs", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    let over = false;
    const { say, finish } = await begin(async (call) => {
      const pressed = call.nextDigit({ timeoutMs: 1000 });
      void call.streamFile("menu");
      assert.equal(await pressed, undefined);
      over = true;
    });
    mock.timers.tick(1500);
    await say(played(1));
    mock.timers.tick(900);
    await new Promise(setImmediate);
    assert.equal(over, false);
    mock.timers.tick(100);
    await new Promise(setImmediate);
    assert.equal(over, true);
    await finish();
  } finally {
    mock.timers.reset();
  }
});

test("a prompt is stopped as soon as a key comes, what is behind it first, and each once", async () => {
  const outcomes: (Error | undefined)[] = [];
  const { say, finish, sent } = await begin(async (call) => {
    const prompts = ["a", "b", "c"].map((file) => call.streamFile(file));
    assert.equal((await call.nextDigit({ timeoutMs: 5000 }))?.digit, "7");
    call.interrupt();
    call.interrupt();
    outcomes.push(
      ...(await Promise.allSettled(prompts)).map((each) =>
        each.status === "rejected" ? (each.reason as Error) : undefined,
      ),
    );
    await call.noop();
  }, 2);
  await say(key("7"));
  const cancels = sent.flatMap((control) => (control.case === "cancel" ? [control.value] : []));
  assert.deepEqual(
    cancels.map(({ id, interrupt }) => [id, interrupt]),
    [
      [2, true],
      [1, true],
    ],
  );
  await say(played(1));
  await say(played(2));
  await say({ case: "result", value: { id: 4, outcome: { case: "done", value: {} } } });
  await finish();
  assert.deepEqual(outcomes.slice(0, 2), [undefined, undefined]);
  assert.equal((outcomes[2] as CommandError).code, "CANCELLED");
});

test("keys before the hangup are there after it, and then the hangup is told", async () => {
  const { say, finish } = await begin(async (call) => {
    await call.waitFor("hangup");
    assert.equal((await call.nextDigit())?.digit, "1");
    await assert.rejects(call.nextDigit({ timeoutMs: 60_000 }), HungUpError);
    assert.equal(call.takeDigits(), "");
  });
  await say(key("1"));
  await say({ case: "hangup", value: { source: Hangup_Source.SIGNAL, grace: { seconds: 10n } } });
  await finish();
});

test("the keys one after the other end with the call", async () => {
  const iterated: string[] = [];
  const { say, finish } = await begin(async (call) => {
    for await (const { digit } of call.digits()) iterated.push(digit);
  });
  await say(key("5"));
  await say(key("6"));
  await finish();
  assert.deepEqual(iterated, ["5", "6"]);
});

test("what ends the waiting is the hangup, the end or the loss", async () => {
  for (const [how, kind] of [
    ["hangUp", HungUpError],
    ["lose", CallLostError],
  ] as const) {
    const fake = new FakeCall();
    await fake.run(async (call) => {
      const waits = call.nextDigit();
      fake[how]();
      await assert.rejects(waits, kind);
      await assert.rejects(call.nextDigit(), kind);
    });
  }
});

test("more keys than are taken are dropped, and the first ones kept", async () => {
  const fake = new FakeCall().press(`${"1".repeat(64)}23`);
  await fake.run(async (call) => {
    await call.noop();
    assert.equal(call.takeDigits(), "1".repeat(64));
  });
  assert.equal(fake.log.filter((line) => line.includes("newer ones are dropped")).length, 1);
});

test("to give up waiting for a key leaves it to the next one", async () => {
  const { say, finish } = await begin(async (call) => {
    const controller = new AbortController();
    const waits = call.nextDigit({ signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(waits, /enough/);
    assert.equal((await call.nextDigit())?.digit, "4");
    await assert.rejects(call.nextDigit({ timeoutMs: -1 }), RangeError);
  });
  await say(key("4"));
  await finish();
});

test("keys are misuse after a handoff, whose state may have them", async () => {
  const fake = new FakeCall().press("99");
  await fake.run(async (call) => {
    await call.handoff("/sales", call.takeDigits());
    await assert.rejects(call.nextDigit(), MisuseError);
  });
  assert.deepEqual(fake.handoff, { route: "/sales", state: "99" });
});

test("a fake call lets commands run until they are interrupted or the caller hangs up", async () => {
  const fake = new FakeCall().reply("recordFile", NEVER).reply("waitForDigit", NEVER);
  const { error } = await fake.run(async (call) => {
    const recording = call.recordFile("message", "wav");
    const dial = call.exec("Dial", ["PJSIP/1"]);
    await Promise.resolve();
    fake.press("1");
    assert.equal((await call.nextDigit())?.digit, "1");
    call.interrupt();
    assert.deepEqual(await recording, { end: "DIGIT", digit: undefined, endSamples: 0 });
    await assert.rejects(dial, { code: "CANCELLED" });
    const waits = call.waitForDigit();
    await new Promise(setImmediate);
    fake.hangUp();
    await waits;
  });
  assert.ok(error instanceof HungUpError);
  assert.deepEqual(fake.names, ["recordFile", "waitForDigit"]);
  assert.throws(() => new FakeCall().press("1x"), /there is no key x/);
});

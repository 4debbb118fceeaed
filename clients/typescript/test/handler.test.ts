// What a handler sees of a call, on the fake call: results, order, batches, hangup, errors and the end.
import assert from "node:assert/strict";
import { test } from "./test.js";
import { setTimeout as sleep } from "node:timers/promises";
import { type Call, CallLostError, CommandError, type Ended, HungUpError, MisuseError } from "../src/index.js";
import { FakeCall } from "../src/testing.js";

test("a handler's commands run in order and give typed results", async () => {
  const fake = new FakeCall({ query: "lang=de&lang=at", channel: { callerIdNumber: "3200" } })
    .reply("getData", { digits: "0042", timedOut: false })
    .reply("getVariable", "red", undefined)
    .reply("channelStatus", "UNKNOWN(77)");
  const { how, error } = await fake.run(async (call) => {
    await call.answer();
    assert.deepEqual(await call.getData("pin", { timeoutMs: 1500, maxDigits: 4 }), { digits: "0042", timedOut: false });
    assert.equal(await call.getVariable("COLOUR"), "red");
    assert.equal(await call.getVariable("COLOUR"), undefined);
    assert.equal(await call.channelStatus(), "UNKNOWN(77)");
    assert.equal(await call.exec("NoOp", ["a", "b"]), 0);
    assert.deepEqual(call.queryParameters.getAll("lang"), ["de", "at"]);
    assert.equal(call.channel.callerIdNumber, "3200");
  });
  assert.equal(error, undefined);
  assert.equal(how, "ended");
  assert.deepEqual(fake.names, ["answer", "getData", "getVariable", "getVariable", "channelStatus", "exec"]);
  assert.deepEqual(fake.commands[5]?.fields, { application: "NoOp", arguments: ["a", "b"] });
  assert.deepEqual(fake.end, {});
});

test("commands that nobody awaits still run before the end", async () => {
  const fake = new FakeCall({ maxQueuedCommands: 2 });
  await fake.run(async (call) => {
    for (let n = 0; n < 10; n += 1) void call.noop(String(n));
    await Promise.resolve();
  });
  assert.equal(fake.commands.length, 10);
  assert.deepEqual(fake.end, {});
});

test("a failure that nobody awaits does not end the process", async () => {
  const fake = new FakeCall().reply("streamFile", new CommandError("FAILED", "no such file", "streamFile"));
  const { how } = await fake.run(async (call) => {
    void call.streamFile("missing");
    void call.ask("missing");
    void call.batch((b) => [b.streamFile("missing")]);
    await call.noop();
  });
  await sleep(0);
  assert.equal(how, "ended");
});

test("a thousand commands that wait are a fault of the handler", async () => {
  const fake = new FakeCall({ maxQueuedCommands: 1 });
  await fake.run(async (call) => {
    const all = Array.from({ length: 1100 }, () => call.noop());
    await assert.rejects(all.at(-1) ?? Promise.resolve(), MisuseError);
  });
});

test("a batch gives the value of each command", async () => {
  const fake = new FakeCall().reply("getData", { digits: "12", timedOut: false });
  await fake.run(async (call) => {
    const [answered, digits, value] = await call.batch((b) => [b.answer(), b.getData("pin"), b.getVariable("X")]);
    const typed: [undefined, string, string | undefined] = [answered as undefined, digits.digits, value];
    assert.deepEqual(typed, [undefined, "12", undefined]);
  });
});

test("a command of a batch is skipped when the one before failed, unless the batch is independent", async () => {
  const fake = new FakeCall().reply("streamFile", new CommandError("FAILED", "", "streamFile"));
  await fake.run(async (call) => {
    const outcomes = await call.batchSettled((b) => [b.streamFile("a"), b.noop(), b.noop()]);
    const codes = outcomes.map((each) => (each.status === "rejected" ? (each.reason as CommandError).code : "done"));
    assert.deepEqual(codes, ["FAILED", "SKIPPED", "SKIPPED"]);
    await assert.rejects(
      call.batch((b) => [b.streamFile("a"), b.noop()]),
      { code: "FAILED" },
    );
    const [first, second] = await call.batchSettled((b) => [b.streamFile("a"), b.noop()], { independent: true });
    assert.deepEqual([first.status, second.status], ["rejected", "fulfilled"]);
  });
});

test("a batch is sent with nothing between its commands", async () => {
  const fake = new FakeCall();
  await fake.run(async (call) => {
    await Promise.all([call.batch((b) => [b.noop("1"), b.noop("2")]), call.noop("3")]);
  });
  assert.deepEqual(
    fake.commands.map(({ fields }) => fields.text),
    ["1", "2", "3"],
  );
});

test("an async batch function, and a batch that is used later, are misuse", async () => {
  const fake = new FakeCall();
  await fake.run(async (call) => {
    const wrong = (() => Promise.resolve([])) as unknown as () => [];
    await assert.rejects(call.batch(wrong), MisuseError);
    let kept: Pick<Call, "noop"> | undefined;
    await call.batch((b) => {
      kept = b;
      return [];
    });
    await assert.rejects(kept?.noop() ?? Promise.resolve(), MisuseError);
  });
});

test("the hangup is an error of the next command that needs the channel, and of no other", async () => {
  const fake = new FakeCall().hangUpAt("getData").reply("getVariable", "ANSWER");
  const { how, error } = await fake.run(async (call) => {
    await assert.rejects(call.getData("pin"), HungUpError);
    assert.equal(call.hungUp, true);
    assert.equal(await call.getVariable("DIALSTATUS"), "ANSWER");
    await call.streamFile("beep");
  });
  assert.ok(error instanceof HungUpError);
  assert.equal(how, "ended");
  assert.deepEqual(fake.log, []);
});

test("who waits for something else is told of the hangup", async () => {
  const fake = new FakeCall({ graceMs: 5_000 }).hangUpAfter(1);
  await fake.run(async (call) => {
    const told: number[] = [];
    call.on("hangup", ({ graceMs }) => told.push(graceMs));
    await call.answer();
    assert.equal((await call.waitFor("hangup")).source, "SIGNAL");
    assert.deepEqual(told, [5_000]);
    assert.equal(call.signal.aborted, false);
  });
});

test("a handler that stays after the grace is cancelled, and its commands fail", async () => {
  const fake = new FakeCall({ graceMs: 20 }).hangUpAfter(1);
  const { how } = await fake.run(async (call) => {
    await call.answer();
    await assert.rejects(sleep(60_000, undefined, { signal: call.signal }), { name: "AbortError" });
    await assert.rejects(call.setVariable("LATE", "1"), HungUpError);
  });
  assert.equal(how, "ended");
  assert.deepEqual(fake.names, ["answer"]);
});

test("a handler that never returns is reported, and the stream is closed without it", async () => {
  const fake = new FakeCall({ graceMs: 20 }).hangUpAfter(1);
  await fake.run(async (call) => {
    await call.answer();
    await new Promise(() => undefined);
  });
  assert.match(fake.log.join("\n"), /still there .* call\.signal/);
});

test("after the session's end commands fail at once", async () => {
  const fake = new FakeCall();
  const { error } = await fake.run(async (call) => {
    await call.answer();
    fake.endSession("OPERATOR");
    await call.noop();
  });
  assert.ok(error instanceof CommandError);
  assert.equal(error.code, "CALL_ENDED");
  assert.match(error.message, /OPERATOR/);
  assert.doesNotMatch(fake.log.join(), /error:/);
});

test("a lost stream is an error of what runs and of what follows", async () => {
  const fake = new FakeCall().reply("streamFile", () => new Promise(() => undefined));
  const { how, error } = await fake.run(async (call) => {
    const playing = call.streamFile("long");
    fake.lose();
    await assert.rejects(playing, CallLostError);
    await assert.rejects(call.waitFor("hangup"), CallLostError);
    await call.noop();
  });
  assert.ok(error instanceof CallLostError);
  assert.equal(how, "failed");
});

test("to give up waiting takes back a command that was not sent", async () => {
  const fake = new FakeCall({ maxQueuedCommands: 1 });
  await fake.run(async (call) => {
    const giveUp = new AbortController();
    const first = call.noop("1");
    const second = call.noop("2", { signal: giveUp.signal });
    giveUp.abort();
    await assert.rejects(second, { name: "AbortError" });
    await first;
    await call.noop("3");
    await assert.rejects(call.noop("4", { signal: giveUp.signal }), { name: "AbortError" });
  });
  assert.deepEqual(
    fake.commands.map(({ fields }) => fields.text),
    ["1", "3"],
  );
});

test("to give up waiting cancels a command that was sent, and drops its result", async () => {
  const fake = new FakeCall();
  await fake.run(async (call) => {
    const giveUp = new AbortController();
    const first = call.noop("1");
    const second = call.noop("2", { signal: giveUp.signal });
    giveUp.abort();
    await assert.rejects(second, { name: "AbortError" });
    await first;
    await call.noop("3");
  });
  assert.deepEqual(
    fake.commands.map(({ fields }) => fields.text),
    ["1", "3"],
  );
});

test("an argument that cannot be sent is an error of its command alone", async () => {
  const fake = new FakeCall();
  await fake.run(async (call) => {
    await assert.rejects(call.getData("pin", { timeoutMs: -1 }), { code: "INVALID_ARGUMENT" });
    await assert.rejects(call.waitForDigit({ timeoutMs: NaN }), { code: "INVALID_ARGUMENT" });
    await assert.rejects(call.sayDate(new Date("never")), { code: "INVALID_ARGUMENT" });
    await call.noop();
  });
  assert.deepEqual(fake.names, ["noop"]);
});

test("a call that another handler uses is misuse", async () => {
  let shared: Call | undefined;
  const first = new FakeCall();
  await first.run(async (call) => {
    shared = call;
    const second = new FakeCall();
    const stolen = second.run(async () => {
      await call.noop();
    });
    await assert.rejects(stolen, (error) => error instanceof MisuseError && error.message.includes("given"));
    await call.noop();
  });
  await assert.rejects(shared?.noop() ?? Promise.resolve(), MisuseError);
  assert.deepEqual(first.names, ["noop"]);
});

test("the end sets variables and says how the session ended", async () => {
  const fake = new FakeCall();
  let ended: Ended | undefined;
  await fake.run(async (call) => {
    await call.answer();
    ended = await call.end({
      variables: { SCORE: "1/2" },
      gotoDialplan: { context: "agents", extension: "s", priority: 1 },
    });
    await assert.rejects(call.noop(), { code: "CALL_ENDED" });
    await assert.rejects(call.end(), MisuseError);
  });
  assert.deepEqual(fake.end, {
    variables: { SCORE: "1/2" },
    gotoDialplan: { context: "agents", extension: "s", priority: 1 },
  });
  assert.equal(ended?.reason, "SERVICE");
  assert.equal(ended.commands, 1);
});

test("two ends in one are misuse", async () => {
  await new FakeCall().run(async (call) => {
    await assert.rejects(call.end({ hangUp: true, failDialplan: { reason: "x" } }), MisuseError);
  });
});

test("a handler that throws lets another instance take the call, and is logged", async () => {
  const fake = new FakeCall();
  const run = fake.run(() => {
    throw new TypeError("oh dear");
  });
  await assert.rejects(run, TypeError);
  assert.match(fake.log.join("\n"), /error: .*oh dear/s);
});

test("a release lets another instance take the call, and any command after it is misuse", async () => {
  const fake = new FakeCall();
  const { how } = await fake.run(async (call) => {
    await call.checkpoint("step 1");
    await call.release();
    await assert.rejects(call.noop(), MisuseError);
  });
  assert.equal(how, "released");
  assert.deepEqual(fake.checkpoints, ["step 1"]);
});

test("a handoff gives the call away with its state, and any command after it is misuse", async () => {
  const fake = new FakeCall();
  const { how } = await fake.run(async (call) => {
    await call.handoff("/sales/eu", "state");
    await assert.rejects(call.noop(), MisuseError);
    await assert.rejects(call.end(), MisuseError);
  });
  assert.equal(how, "handed over");
  assert.deepEqual(fake.handoff, { route: "/sales/eu", state: "state" });
});

test("a resumed call has its checkpoint", async () => {
  const fake = new FakeCall({ resumption: { checkpoint: "step 1", attempt: 2 } });
  await fake.run((call) => {
    assert.equal(call.resumption?.cause, "SERVICE_LOST");
    assert.equal(call.resumption.attempt, 2);
    assert.equal(new TextDecoder().decode(call.resumption.checkpoint), "step 1");
  });
});

test("draining and progress are told", async () => {
  const deadline = new Date("2026-07-01T12:00:00Z");
  const fake = new FakeCall().reply("gosub", () => {
    fake.progress("halfway");
    return { abnormalExit: false, returnValue: "5" };
  });
  await fake.run(async (call) => {
    const progress: string[] = [];
    call.on("progress", ({ text }) => progress.push(text));
    assert.equal((await call.gosub("subs", "check", 1)).returnValue, "5");
    assert.deepEqual(progress, ["halfway"]);
    const told = call.waitFor("draining");
    fake.drain(deadline);
    assert.deepEqual(await told, { deadline });
    assert.deepEqual(call.draining, { deadline });
  });
});

test("a listener that throws is logged, and hurts nobody else", async () => {
  const fake = new FakeCall().hangUpAfter(1);
  const { how } = await fake.run(async (call) => {
    call.on("hangup", () => {
      throw new Error("in a listener");
    });
    await call.answer();
    await call.waitFor("hangup");
  });
  assert.equal(how, "ended");
  assert.match(fake.log.join(), /in a listener/);
});

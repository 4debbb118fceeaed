// A worker, with a bridge in the same process.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "./test.js";
import { status } from "@grpc/grpc-js";
import { AgiBridgeError, type Handler, tokenFile, Worker, type WorkerOptions } from "../src/index.js";
import { encode, ENDED, logged, STARTED, WorkerBridge } from "./bridge.js";

async function working(
  options: Partial<WorkerOptions>,
  handler: Handler,
  work: (bridge: WorkerBridge, worker: Worker, port: number) => Promise<void>,
): Promise<void> {
  const bridge = new WorkerBridge();
  const port = await bridge.listen();
  const worker = new Worker({ bridge: `127.0.0.1:${port}`, groups: ["sales"], logger: logged(), ...options }, handler);
  try {
    await work(bridge, worker, port);
  } finally {
    await worker.drain(0).catch(() => undefined);
    bridge.close();
  }
}

test("a worker registers with its name, groups, room and token, and takes an offered call", async () => {
  const handler: Handler = async (call) => {
    await call.answer();
  };
  const options = { token: "secret", workerId: "w1", maxCalls: 4, labels: { zone: "a" } };
  await working(options, handler, async (bridge, worker) => {
    await worker.start();
    const registration = await bridge.registrations.next();
    assert.deepEqual(registration.metadata.get("authorization"), ["Bearer secret"]);
    assert.match(String(registration.metadata.get("user-agent")[0]), /^agi-bridge-typescript\/\d/);
    const hello = await registration.reports.next();
    assert.ok(hello.case === "hello");
    const { workerId, groups, maxCalls, labels } = hello.value;
    assert.deepEqual([workerId, groups, maxCalls, labels], ["w1", ["sales"], 4, { zone: "a" }]);

    bridge.offer(registration.stream, { case: "call", value: { token: "offer-1" } });
    const call = await bridge.taken.next();
    assert.deepEqual(call.metadata.get("agibridge-offer-token"), ["offer-1"]);
    assert.deepEqual(call.metadata.get("authorization"), ["Bearer secret"]);
    call.stream.write(encode(STARTED));
    const command = await call.controls.next();
    assert.ok(!(command instanceof Error) && command.case === "command");
    call.stream.write(encode({ case: "result", value: { id: 1, outcome: { case: "done", value: {} } } }));
    const end = await call.controls.next();
    assert.ok(!(end instanceof Error) && end.case === "end");
    call.stream.write(encode(ENDED));
    call.stream.end();
  });
});

/** Gives, or throws, one after the other. */
function tokens(...these: (string | Error)[]): () => string {
  return () => {
    const next = these.shift() ?? new Error("gone");
    if (next instanceof Error) throw next;
    return next;
  };
}

test("a token that is a function is asked for every registration and call", async () => {
  const token = tokens("one", new Error("no such file"), "", "a\nb", "two", "three");
  await working(
    { token },
    (call) => call.waitFor("ended"),
    async (bridge, worker) => {
      await worker.start();
      const first = await bridge.registrations.next();
      assert.deepEqual(first.metadata.get("authorization"), ["Bearer one"]);
      first.stream.end();
      const second = await bridge.registrations.next();
      assert.deepEqual(second.metadata.get("authorization"), ["Bearer two"]);
      await second.reports.next();
      bridge.offer(second.stream, { case: "call", value: { token: "1" } });
      const call = await bridge.taken.next();
      assert.deepEqual(call.metadata.get("authorization"), ["Bearer three"]);
      call.stream.end();
      bridge.offer(second.stream, { case: "call", value: { token: "2" } });
      const declined = await second.reports.next();
      assert.ok(declined.case === "declined");
      assert.equal(declined.value.reason, "this worker has no token now");
    },
  );
});

test("after a refused token the next one is tried, and each reason is told once", async () => {
  const logger = logged();
  const sealed = new Error("sealed");
  const token = tokens("stale", "stale", sealed, sealed, "good");
  await working(
    { token, logger },
    () => undefined,
    async (bridge, worker) => {
      bridge.token = "good";
      await worker.start();
      const { metadata } = await bridge.registrations.next();
      assert.deepEqual(metadata.get("authorization"), ["Bearer good"]);
      const warned = logger.lines.filter((line) => line.includes("trying again"));
      assert.equal(warned.length, 2, warned.join("\n"));
      assert.match(warned[0] ?? "", /the token is refused \(not this one\)/);
      assert.match(warned[1] ?? "", /there is no token: sealed/);
    },
  );
});

test("what is no matter of the token ends a worker with a function too", async () => {
  await working(
    { token: tokens("good") },
    () => undefined,
    async (bridge, worker) => {
      bridge.refusal = { code: status.PERMISSION_DENIED, details: "no" };
      await worker.start().catch(() => undefined);
      await assert.rejects(worker.stopped, /permit the groups sales/);
    },
  );
});

test("a token file is read each time", async () => {
  const folder = mkdtempSync(join(tmpdir(), "agibridge-"));
  const file = join(folder, "token");
  writeFileSync(file, "one\n");
  await working(
    { token: tokenFile(file) },
    () => undefined,
    async (bridge, worker) => {
      await worker.start();
      const first = await bridge.registrations.next();
      assert.deepEqual(first.metadata.get("authorization"), ["Bearer one"]);
      writeFileSync(file, "two\n");
      first.stream.end();
      const second = await bridge.registrations.next();
      assert.deepEqual(second.metadata.get("authorization"), ["Bearer two"]);
    },
  ).finally(() => {
    rmSync(folder, { recursive: true });
  });
});

test("offers above max_calls are declined", async () => {
  const handler: Handler = (call) => call.waitFor("ended");
  await working({ maxCalls: 1 }, handler, async (bridge, worker) => {
    await worker.start();
    const { stream, reports } = await bridge.registrations.next();
    await reports.next();
    bridge.offer(stream, { case: "call", value: { token: "1" } });
    bridge.offer(stream, { case: "call", value: { token: "2" } });
    const declined = await reports.next();
    assert.ok(declined.case === "declined");
    assert.equal(declined.value.token, "2");
    const call = await bridge.taken.next();
    call.stream.end();
  });
});

test("a handler that throws breaks its stream, so that another worker takes the call", async () => {
  const handler: Handler = () => {
    throw new TypeError("oh dear");
  };
  await working({}, handler, async (bridge, worker) => {
    await worker.start();
    const { stream } = await bridge.registrations.next();
    bridge.offer(stream, { case: "call", value: { token: "1" } });
    const call = await bridge.taken.next();
    call.stream.write(encode(STARTED));
    assert.ok((await call.controls.next()) instanceof Error, "a message that is none");
    call.stream.emit("error", { code: status.INTERNAL });
  });
});

for (const [code, advice] of [
  [status.UNAUTHENTICATED, /set `token`/],
  [status.PERMISSION_DENIED, /permit the groups sales/],
  [status.ALREADY_EXISTS, /set `workerId`/],
] as const) {
  test(`a worker that is refused with ${status[code]} ends with an error that says what to do`, async () => {
    await working(
      {},
      () => undefined,
      async (bridge, worker) => {
        bridge.refusal = { code, details: "no" };
        await worker.start().catch(() => undefined);
        await assert.rejects(worker.stopped, (error) => error instanceof AgiBridgeError && advice.test(error.message));
      },
    );
  });
}

test("a worker connects again when a bridge goes away, and calls go on", async () => {
  const handler: Handler = (call) => call.waitFor("ended");
  await working({}, handler, async (bridge, worker) => {
    await worker.start();
    const first = await bridge.registrations.next();
    bridge.offer(first.stream, { case: "call", value: { token: "1" } });
    const call = await bridge.taken.next();
    call.stream.write(encode(STARTED));
    first.stream.emit("error", { code: status.UNAVAILABLE, details: "the bridge is draining" });
    await bridge.registrations.next();
    assert.equal(worker.calls, 1);
    call.stream.write(encode(ENDED));
    call.stream.end();
  });
});

test("a worker registers at each address of a list", async () => {
  const [one, two] = [new WorkerBridge(), new WorkerBridge()];
  const bridge = [`127.0.0.1:${await one.listen()}`, `127.0.0.1:${await two.listen()}`];
  const worker = new Worker({ bridge, groups: ["sales"], logger: logged() }, () => undefined);
  await worker.start();
  await Promise.all([one.registrations.next(), two.registrations.next()]);
  await worker.drain(0);
  one.close();
  two.close();
});

test("a drain says so to the bridge, declines offers, lets calls finish, and withdraws", async () => {
  const handler: Handler = (call) => call.waitFor("ended");
  await working({}, handler, async (bridge, worker) => {
    await worker.start();
    const { stream, reports } = await bridge.registrations.next();
    await reports.next();
    bridge.offer(stream, { case: "call", value: { token: "1" } });
    const call = await bridge.taken.next();
    call.stream.write(encode(STARTED));
    const stopped = worker.drain();
    const draining = await reports.next();
    assert.ok(draining.case === "status" && draining.value.draining);
    bridge.offer(stream, { case: "call", value: { token: "2" } });
    assert.equal((await reports.next()).case, "declined");
    call.stream.write(encode(ENDED));
    call.stream.end();
    await stopped;
  });
});

test("an address without a port is an error that says how to write it", async () => {
  const worker = new Worker({ bridge: "bridge", groups: ["sales"], logger: logged() }, () => undefined);
  await worker.start().catch(() => undefined);
  await assert.rejects(worker.stopped, /host:port/);
});

// The manager client, with a bridge in the same process.
import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import { ServerCredentials, status } from "@grpc/grpc-js";
import { OriginateResponse_Outcome as Outcome, OriginateResponseSchema } from "../src/gen/agibridge/v1/manager_pb.js";
import { Manager, ManagerError, ManagerEvent, type ManagerOptions, MisuseError, type Told } from "../src/index.js";
import { Inbox, logged } from "./bridge.js";
import { cert, key } from "./certificate.js";
import { ManagerBridge, type Refusal } from "./manager-bridge.js";
import { test } from "./test.js";

const AWAY: Refusal = { code: status.UNAVAILABLE, details: "the bridge is draining" };
/** An outcome of a newer contract: field 1 is 77. */
const UNHEARD_OF = fromBinary(OriginateResponseSchema, Uint8Array.of(8, 77));
const UP = {
  case: "serverState",
  value: { server: "pbx", connected: true, asteriskVersion: "22.1" },
} as const;
const missed = (count: number) => ({ case: "missed", value: BigInt(count) }) as const;

async function asking(
  work: (bridge: ManagerBridge, manager: Manager, port: number, logger: ReturnType<typeof logged>) => Promise<void>,
  options: Partial<ManagerOptions> = {},
): Promise<void> {
  const bridge = new ManagerBridge();
  const port = await bridge.listen();
  const logger = logged();
  const manager = new Manager({ bridge: `127.0.0.1:${port}`, logger, ...options });
  try {
    await work(bridge, manager, port, logger);
  } finally {
    manager.close();
    bridge.close();
  }
}

/** The first originate that was asked for. */
function originated({ asked: [first] }: ManagerBridge) {
  assert.ok(first?.$typeName === "agibridge.v1.OriginateRequest");
  return first;
}

function refusedWith(code: string, text: RegExp) {
  return (error: unknown) => error instanceof ManagerError && error.code === code && text.test(error.message);
}

test("originate says what became of the call", async () => {
  const work = async (bridge: ManagerBridge, manager: Manager) => {
    bridge.answers = [{ outcome: Outcome.ANSWERED, channel: "PJSIP/1-1", uniqueId: "u-1" }];
    const target = { context: "internal", extension: "8495", priority: 2 };
    const call = await manager.originate("PJSIP/3200", target, {
      server: "pbx",
      callerIdNumber: "100",
      callerIdName: "Ann",
      ringTimeoutMs: 12_500,
      variables: { __A: "b" },
      accountCode: "acc",
      earlyMedia: true,
      codecs: ["alaw"],
    });
    assert.deepEqual(
      [call.outcome, call.answered, call.channel, call.uniqueId],
      ["ANSWERED", true, "PJSIP/1-1", "u-1"],
    );
    const asked = originated(bridge);
    assert.match(asked.requestId, /^[0-9a-f-]{36}$/);
    assert.equal(asked.requestId, call.requestId);
    assert.ok(asked.destination.case === "dialplan");
    const { context, extension, priority } = asked.destination.value;
    assert.deepEqual({ context, extension, priority }, target);
    assert.deepEqual([asked.server, asked.channel, asked.waitForOutcome], ["pbx", "PJSIP/3200", true]);
    assert.deepEqual([asked.callerIdNumber, asked.callerIdName, asked.accountCode], ["100", "Ann", "acc"]);
    assert.deepEqual([asked.ringTimeout?.seconds, asked.ringTimeout?.nanos], [12n, 500_000_000]);
    assert.deepEqual([asked.variables, asked.earlyMedia, asked.codecs], [{ __A: "b" }, true, ["alaw"]]);
    const metadata = await bridge.arrived.next();
    assert.deepEqual(metadata.get("authorization"), ["Bearer secret"]);
    assert.match(String(metadata.get("user-agent")[0]), /^agi-bridge-typescript\/\d/);
  };
  await asking(work, { token: "secret" });
});

test("a call goes to an application or a route, and nobody need wait", async () => {
  await asking(async (bridge, manager) => {
    bridge.answers = [{ outcome: Outcome.ACCEPTED }, UNHEARD_OF];
    const first = await manager.originate(
      "PJSIP/1",
      { application: "Wait", data: "60" },
      { wait: false, requestId: "a" },
    );
    assert.deepEqual([first.outcome, first.answered, first.requestId], ["ACCEPTED", false, "a"]);
    const second = await manager.originate("PJSIP/1", { route: "/reminder?a=1" });
    assert.equal(second.outcome, "UNKNOWN(77)");
    const [one, two] = bridge.asked;
    assert.ok(one?.$typeName === "agibridge.v1.OriginateRequest" && one.destination.case === "application");
    assert.deepEqual([one.destination.value.application, one.destination.value.data], ["Wait", "60"]);
    assert.deepEqual([one.requestId, one.waitForOutcome, one.ringTimeout?.seconds], ["a", false, 30n]);
    assert.ok(two?.$typeName === "agibridge.v1.OriginateRequest");
    assert.deepEqual(two.destination, { case: "route", value: "/reminder?a=1" });
  });
});

test("originate is asked again with the same requestId", async () => {
  await asking(async (bridge, manager) => {
    const stops = { code: status.UNKNOWN, details: "the bridge stops" };
    bridge.answers = [{ refused: AWAY }, { refused: stops }, { outcome: Outcome.ANSWERED }];
    assert.ok((await manager.originate("PJSIP/1", { route: "/x" })).answered);
    const ids = bridge.asked.map((asked) => "requestId" in asked && asked.requestId);
    assert.deepEqual([ids.length, new Set(ids).size], [3, 1]);
  });
});

test("originate survives a bridge that is restarted", async () => {
  await asking(async (bridge, manager, port) => {
    bridge.answers = ["never"];
    const calling = manager.originate("PJSIP/1", { route: "/x" });
    await bridge.arrived.next();
    bridge.close();
    const again = new ManagerBridge();
    again.answers = [{ outcome: Outcome.ANSWERED }];
    await again.listen(port);
    assert.ok((await calling).answered);
    assert.equal(originated(again).requestId, originated(bridge).requestId);
    again.close();
  });
});

test("without a requestId nothing is asked again, and actions never are", async () => {
  await asking(async (bridge, manager) => {
    bridge.answers = [{ refused: AWAY }, { refused: AWAY }];
    const refused = refusedWith("UNAVAILABLE", /draining/);
    await assert.rejects(manager.originate("PJSIP/1", { route: "/x" }, { requestId: "" }), refused);
    await assert.rejects(manager.sendAction("Ping"), refused);
    assert.equal(bridge.asked.length, 2);
  });
});

test("the deadline ends an originate, and its error has the requestId", async () => {
  await asking(async (bridge, manager) => {
    bridge.answers = ["never"];
    await assert.rejects(manager.originate("PJSIP/1", { route: "/x" }, { timeoutMs: 100 }), (error) => {
      assert.ok(error instanceof ManagerError);
      // The bridge sees the deadline too, and may be first.
      assert.ok(["DEADLINE_EXCEEDED", "CANCELLED"].includes(error.code), error.message);
      assert.equal(error.requestId, originated(bridge).requestId);
      return true;
    });
    bridge.close();
    const away = manager.originate("PJSIP/1", { route: "/x" }, { timeoutMs: 500 });
    await assert.rejects(away, refusedWith("UNAVAILABLE", /away/));
  });
});

test("an action gives its list and its output; what Asterisk says no to is an answer", async () => {
  await asking(async (bridge, manager) => {
    const list = {
      success: true,
      headers: [
        { key: "Variable", value: "1" },
        { key: "variable", value: "2" },
      ],
      events: [{ name: "CoreShowChannel", headers: [{ key: "Channel", value: "PJSIP/1" }] }],
      output: ["a", "b"],
      truncated: true,
    };
    bridge.answers = [list, { message: "No such channel" }];
    const pairs = [
      ["V", "1"],
      ["V", "2"],
    ] as const;
    const reply = await manager.sendAction("X", pairs, { server: "pbx", timeoutMs: 3000 });
    const [asked] = bridge.asked;
    assert.ok(asked?.$typeName === "agibridge.v1.SendActionRequest");
    assert.deepEqual(
      asked.headers.map(({ key: name, value }) => [name, value]),
      pairs,
    );
    assert.deepEqual([asked.action, asked.server, asked.timeout?.seconds], ["X", "pbx", 3n]);
    assert.deepEqual([reply.success, reply.output, reply.truncated], [true, ["a", "b"], true]);
    assert.deepEqual([reply.headers.get("VARIABLE"), reply.headers.getAll("Variable")], ["1", ["1", "2"]]);
    assert.deepEqual(
      reply.events.map((event) => [event.name, event.get("channel"), event.get("none")]),
      [["CoreShowChannel", "PJSIP/1", ""]],
    );
    const no = await manager.sendAction("Hangup", { Channel: "PJSIP/1" });
    assert.deepEqual([no.success, no.message], [false, "No such channel"]);
  });
});

for (const [code, advice] of [
  ["UNAUTHENTICATED", /api\.clients/],
  ["PERMISSION_DENIED", /granted/],
  ["DATA_LOSS", /the bridge's log/],
] as const) {
  test(`a refusal with ${code} is an error that says what to do`, async () => {
    await asking(async (bridge, manager) => {
      bridge.answers = [{ refused: { code: status[code], details: "why" } }];
      await assert.rejects(manager.originate("PJSIP/1", { route: "/x" }), refusedWith(code, advice));
    });
  });
}

test("servers are listed, and asked for again", async () => {
  await asking(async (bridge, manager) => {
    bridge.answers = [{ refused: AWAY }, { servers: [{ server: "pbx", detail: "no connection" }] }];
    const state = {
      kind: "serverState",
      server: "pbx",
      connected: false,
      asteriskVersion: "",
      detail: "no connection",
    };
    assert.deepEqual(await manager.listServers(), [state]);
  });
});

test("a subscription tells events, what was missed, and the links", async () => {
  await asking(async (bridge, manager) => {
    const told = new Inbox<Told>();
    const tell = (what: Told) => {
      told.push(what);
    };
    const match = { Uniqueid: "1" };
    const subscription = manager.subscribe(tell, { names: ["Hangup"], match, server: "pbx" });
    const watched = await bridge.watches.next();
    assert.deepEqual(
      [watched.request.names, watched.request.match, watched.request.server],
      [["Hangup"], match, "pbx"],
    );
    watched.say(UP);
    watched.say({ case: "event", value: { server: "pbx", name: "Hangup", headers: [{ key: "Cause", value: "16" }] } });
    watched.say(missed(3));
    const state = { kind: "serverState", server: "pbx", connected: true, asteriskVersion: "22.1", detail: "" };
    assert.deepEqual(await told.next(), state);
    const event = await told.next();
    assert.ok(event instanceof ManagerEvent);
    assert.deepEqual([event.server, event.get("cause"), String(event)], ["pbx", "16", "Hangup Cause='16'"]);
    assert.deepEqual(await told.next(), { kind: "missed", count: 3 });
    subscription.close();
    await subscription.closed;
    await watched.cancelled;
  });
});

for (const end of [undefined, AWAY, { code: status.UNKNOWN, details: "reset" }]) {
  test(`a subscription comes back when its stream ends with ${end?.details ?? "nothing"}`, async () => {
    await asking(async (bridge, manager) => {
      const told = new Inbox<Told["kind"]>();
      manager.subscribe(({ kind }) => {
        told.push(kind);
      });
      const watched = await bridge.watches.next();
      assert.deepEqual(watched.request.names, ["*"]);
      watched.say(UP);
      assert.equal(await told.next(), "serverState");
      watched.end(end);
      assert.equal(await told.next(), "lost");
      (await bridge.watches.next()).say(UP);
      assert.equal(await told.next(), "serverState");
    });
  });
}

test("a subscription survives a bridge that is restarted, and tells the loss once", async () => {
  await asking(async (bridge, manager, port) => {
    const told = new Inbox<Told["kind"]>();
    manager.subscribe(({ kind }) => {
      told.push(kind);
    });
    await bridge.watches.next();
    bridge.close();
    assert.equal(await told.next(), "lost");
    const again = new ManagerBridge();
    again.refusals.push(AWAY, AWAY);
    await again.listen(port);
    (await again.watches.next()).say(UP);
    assert.equal(await told.next(), "serverState");
    again.close();
  });
});

test("a refusal ends a subscription", async () => {
  await asking(async (bridge, manager, _, logger) => {
    bridge.refusals.push({ code: status.PERMISSION_DENIED, details: "names: `Hangup` is not granted" });
    const subscription = manager.subscribe(() => undefined, { names: ["Hangup"] });
    await assert.rejects(subscription.closed, refusedWith("PERMISSION_DENIED", /WatchEvents.*Hangup/));
    assert.match(logger.lines.join("\n"), /a subscription to events ended/);
  });
});

test("a handler that fails ends its subscription and no other", async () => {
  await asking(async (bridge, manager) => {
    const failing = manager.subscribe(() => Promise.reject(new TypeError("oh dear")));
    const first = await bridge.watches.next();
    const told = new Inbox<Told>();
    manager.subscribe((what) => {
      told.push(what);
    });
    const second = await bridge.watches.next();
    first.say(missed(1));
    await assert.rejects(failing.closed, TypeError);
    await first.cancelled;
    second.say(missed(2));
    assert.deepEqual(await told.next(), { kind: "missed", count: 2 });
  });
});

test("a handler may close its own subscription, and is not called again", async () => {
  await asking(async (bridge, manager) => {
    const told: Told[] = [];
    const subscription = manager.subscribe((what) => {
      told.push(what);
      subscription.close();
    });
    const watched = await bridge.watches.next();
    watched.say(missed(1));
    watched.say(missed(2));
    await subscription.closed;
    assert.deepEqual(told, [{ kind: "missed", count: 1 }]);
  });
});

test("a signal gives up waiting", async () => {
  await asking(async (bridge, manager) => {
    bridge.answers = ["never"];
    const controller = new AbortController();
    const asked = manager.sendAction("Ping", {}, { signal: controller.signal });
    await bridge.arrived.next();
    controller.abort(new RangeError("enough"));
    await assert.rejects(asked, RangeError);
  });
});

test("closing ends subscriptions, and fails what runs", async () => {
  await asking(async (bridge, manager) => {
    bridge.answers = ["never"];
    const running = manager.originate("PJSIP/1", { route: "/x" });
    await bridge.arrived.next();
    const subscription = manager.subscribe(() => undefined);
    await bridge.watches.next();
    manager.close();
    await subscription.closed;
    await assert.rejects(running, refusedWith("CANCELLED", /closed/));
    await assert.rejects(manager.listServers(), MisuseError);
    assert.throws(() => manager.subscribe(() => undefined), MisuseError);
  });
});

test("the bridge's certificate is checked", async () => {
  const bridge = new ManagerBridge();
  const keys = [{ private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }];
  const port = await bridge.listen(0, ServerCredentials.createSsl(null, keys));
  bridge.answers = [{ success: true }];
  const trusting = new Manager({ bridge: `localhost:${port}`, tls: { ca: cert }, logger: logged() });
  assert.ok((await trusting.sendAction("Ping")).success);
  trusting.close();
  const stranger = new Manager({ bridge: `localhost:${port}`, tls: {}, logger: logged() });
  await assert.rejects(stranger.sendAction("Ping"), refusedWith("UNAVAILABLE", /certificate/));
  stranger.close();
  bridge.close();
});

test("an address without a port is misuse", () => {
  assert.throws(() => new Manager({ bridge: "bridge" }), /host:port/);
});

// Asking the caller, on the fake call.
import assert from "node:assert/strict";
import { test } from "./test.js";
import { type Call, HungUpError, MisuseError, NoInputError } from "../src/index.js";
import { FakeCall } from "../src/testing.js";

const digits = (...each: string[]) => each.map((text) => ({ digits: text, timedOut: text === "" }));
const keys = (...each: (string | undefined)[]) => each.map((digit) => ({ digit, endSamples: 0 }));

/** Runs it in a handler, and gives what it gave. */
async function within<T>(fake: FakeCall, work: (call: Call) => Promise<T>): Promise<T> {
  let given: { value: T } | undefined;
  const { error } = await fake.run(async (call) => {
    given = { value: await work(call) };
  });
  if (given === undefined) throw error;
  return given.value;
}

test("play goes on until a digit stops it", async () => {
  const fake = new FakeCall().reply("streamFile", ...keys(undefined, "5"));
  assert.equal(await within(fake, (call) => call.play(["a", "b", "c"], { escapeDigits: "5" })), "5");
  assert.deepEqual(
    fake.commands.map(({ fields }) => fields.file),
    ["a", "b"],
  );
  assert.equal(await within(new FakeCall(), (call) => call.play("a")), undefined);
});

test("ask tries again until the digits will do, and plays `invalid` only after digits", async () => {
  const fake = new FakeCall().reply("getData", ...digits("", "9999", "1234"));
  const pin = await within(fake, (call) =>
    call.ask("pin", { maxDigits: 4, validate: async (found) => Promise.resolve(found === "1234"), invalid: "wrong" }),
  );
  assert.equal(pin, "1234");
  assert.deepEqual(fake.names, ["getData", "getData", "streamFile", "getData"]);
});

test("ask gives up after its tries", async () => {
  const fake = new FakeCall();
  await assert.rejects(
    within(fake, (call) => call.ask("pin", { tries: 2 })),
    NoInputError,
  );
  assert.deepEqual(fake.names, ["getData", "getData"]);
  assert.match(fake.log.join(), /info: .*2 tries of pin/);
});

test("a menu gives what the choices have for the digit", async () => {
  const fake = new FakeCall().reply("getOption", ...keys(undefined, "9", "2"));
  const choice = await within(fake, (call) => call.menu("main", { 1: "sales", 2: "support" }, { invalid: "wrong" }));
  const typed: "sales" | "support" = choice;
  assert.equal(typed, "support");
  assert.deepEqual(fake.names, ["getOption", "getOption", "streamFile", "getOption"]);
  assert.equal(fake.commands[0]?.fields.escapeDigits, "0123456789*#");
});

test("a confirmation is true or false", async () => {
  assert.equal(await within(new FakeCall().reply("getOption", ...keys("1")), (call) => call.confirm("sure")), true);
  assert.equal(await within(new FakeCall().reply("getOption", ...keys("2")), (call) => call.confirm("sure")), false);
  const swapped = new FakeCall().reply("getOption", ...keys("9"));
  assert.equal(await within(swapped, (call) => call.confirm("sure", { yes: "9" })), true);
});

test("a hangup ends the asking", async () => {
  const fake = new FakeCall().hangUpAt("getData");
  await assert.rejects(
    within(fake, (call) => call.ask("pin")),
    HungUpError,
  );
  assert.deepEqual(fake.names, ["getData"]);
});

test("no tries at all are misuse", async () => {
  await assert.rejects(
    within(new FakeCall(), (call) => call.ask("pin", { tries: 0 })),
    MisuseError,
  );
});

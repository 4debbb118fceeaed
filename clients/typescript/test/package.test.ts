// The package and what it says of itself.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "./test.js";
import { KINDS } from "../src/results.js";
import { VERSION } from "../src/version.js";

test("the version in the program is that of the package", async () => {
  const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
  assert.equal(VERSION, version);
});

test("there are 47 commands, and raw", () => {
  assert.equal(Object.keys(KINDS).length, 48);
});

// The console as a person sees it, in Debian's Chromium. Run by main.rs, which has the service that the calls are for.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, afterEach, before, beforeEach, test } from "node:test";

const { BRIDGE, SERVICE, PACKAGES, SCREENSHOTS } = process.env;
const { chromium } = createRequire(join(PACKAGES, "package.json"))("playwright-core");

const TOKEN = "s3cret-of-the-test";
const PATIENCE = 40_000;
const LIMIT = { timeout: 3 * PATIENCE };
/** What a caller may be called, and a channel. */
const HOSTILE = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`;

let [folder, agi, admin, bridge, browser, page] = [];
/** Whatever the page complained of, or asked; nothing of it is expected. */
let complaints = [];
let children = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "agi-bridge-console-"));
  [agi, admin] = [await freePort(), await freePort()];
  writeFileSync(join(folder, "bridge.yaml"), configuration());
  bridge = await startBridge();
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
});

after(async () => {
  await browser?.close();
  bridge?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  page = await open({ viewport: { width: 1180, height: 760 } });
});

afterEach(async () => {
  await page.context().close();
  for (const child of children) child.kill("SIGKILL");
  children = [];
  assert.deepEqual(complaints, [], "the page complained, or asked something");
});

test("a simulated call is made on the page and played by its keypad", LIMIT, async () => {
  await page.goto(url("/phone"));
  await page.getByLabel("Path").fill("/game");
  await page.getByRole("button", { name: "Call", exact: true }).click();
  // A change needs the token: a wrong one is told, the right one goes on with the call.
  const ask = page.getByRole("dialog");
  await ask.getByLabel("Token").fill("wrong");
  await ask.getByRole("button", { name: "Unlock" }).click();
  await ask.getByRole("alert").getByText("this token is not known").waitFor();
  await ask.getByLabel("Token").fill(TOKEN);
  await ask.getByRole("button", { name: "Unlock" }).click();

  await page.getByText("GET DATA").first().waitFor();
  await page.locator(".heard", { hasText: "hears" }).waitFor();
  const first = await answer(0);
  await page.getByRole("group", { name: "Keypad" }).getByRole("button", { name: first, exact: true }).click();
  await page.locator(".talk", { hasText: "auth-thankyou" }).waitFor();
  await page.locator(".heard", { hasText: "hears auth-thankyou" }).waitFor();
  await shot("phone", page);
  // The second answer is typed.
  const second = await answer(1);
  await page.keyboard.press(second);
  await page.locator(".screen.good", { hasText: "SUCCESS" }).waitFor();

  // What the bridge keeps of it is masked, though the phone itself shows what was pressed.
  const line = page.locator(".timeline");
  await line.locator("tr", { hasText: "digits=•" }).first().waitFor();
  assert.equal(await line.getByText(`digits=${first}`).count(), 0);
  await page.getByRole("link", { name: "This call's own page" }).click();
  await page.locator(".outcome.good", { hasText: "ended after" }).waitFor();
  await shot("call", page);
});

test("a call that runs shows what it does, as it does it, and is hung up", LIMIT, async () => {
  const caller = call("/game", ["--caller-id", "Alice <3200>"]);
  await page.goto(url("/calls"));
  const row = page.locator("tbody tr", { hasText: "game" });
  await row.locator(".pill.busy").waitFor();
  assert.equal(await page.getByText("3200").count(), 0, "numbers are for those who may see them");
  await page.getByRole("button", { name: "Unlock" }).click();
  await page.getByRole("dialog").getByLabel("Token").fill(TOKEN);
  await page.getByRole("dialog").getByRole("button", { name: "Unlock" }).click();
  await row.getByText("3200").waitFor();
  await row.getByRole("link").click();

  const line = page.locator(".timeline tbody tr");
  await line.filter({ hasText: "service took the call" }).waitFor();
  await line.filter({ hasText: "STREAM FILE" }).filter({ hasText: "file=hello" }).first().waitFor();
  const before = await line.count();
  await page.waitForFunction((count) => document.querySelectorAll(".timeline tbody tr").length > count, before);
  await line.locator(".pill.busy", { hasText: "runs" }).waitFor();
  await page.getByText("Alice <3200>").waitFor();
  await shot("live", page);

  await page.getByRole("button", { name: "Hang up" }).click();
  await page.locator(".outcome", { hasText: "ended after" }).filter({ hasText: "OPERATOR" }).waitFor();
  await line.filter({ hasText: "hangup by an operator" }).waitFor();
  await caller.ended;
  await page.getByRole("link", { name: "Ended" }).click();
  await page.locator("tbody tr", { hasText: "operator OPERATOR" }).first().waitFor();
});

test("the routes show who is up and how their calls did", LIMIT, async () => {
  await call("/down").ended;
  await call("/game", ["--hangup-after", "300ms"]).ended;
  await page.goto(url("/routes"));
  const game = page.locator(".card", { has: page.getByRole("heading", { name: "game" }) });
  await game.locator(".dot.serving").first().waitFor();
  await game.getByText("ended:").waitFor();
  const down = page.locator(".card", { has: page.getByRole("heading", { name: "down" }) });
  await down.locator(".dot.unreachable").first().waitFor();
  await down.getByText("by a fault of the service").waitFor();
  await shot("routes", page);
  await game.getByRole("link", { name: "Call it" }).click();
  assert.equal(await page.getByLabel("Path").inputValue(), "/game");
});

test("names of callers and channels, and values of services, are text and nothing else", LIMIT, async () => {
  const scenario = join(folder, "hostile.yaml");
  const quoted = JSON.stringify(HOSTILE);
  writeFileSync(
    scenario,
    `name: hostile\ncaller: {name: ${quoted}, number: ${quoted}, dialed_number: ${quoted}, context: ${quoted}, account_code: ${quoted}, channel: ${JSON.stringify(`PJSIP/${HOSTILE}\u202egnol`)}}\nservice: []\n`,
  );
  const path = `/open/${HOSTILE.replaceAll(" ", "")}?${encodeURIComponent(HOSTILE)}=${encodeURIComponent(HOSTILE)}`;
  const caller = call(path, ["--script", scenario]);
  await page.goto(url("/calls"));
  await page.getByRole("button", { name: "Unlock" }).click();
  await page.getByRole("dialog").getByLabel("Token").fill(TOKEN);
  await page.getByRole("dialog").getByRole("button", { name: "Unlock" }).click();
  const row = page.locator("tbody tr", { hasText: "<img src=x" });
  await row.waitFor();
  await harmless();
  await row.getByRole("link").click();
  await page.getByRole("heading", { name: "<img src=x" }).waitFor();
  await page.locator(".timeline tbody tr", { hasText: "STREAM FILE" }).first().waitFor();
  await harmless();
  caller.kill("SIGKILL");
  await page.locator(".outcome", { hasText: "ended after" }).waitFor();
  await page.getByRole("link", { name: "Ended" }).click();
  await page.locator("tbody tr", { hasText: "<img src=x" }).first().waitFor();
  await harmless();

  await page.goto(`http://127.0.0.1:${admin}/#/phone?path=${encodeURIComponent(`/open/${HOSTILE}`)}`);
  await harmless();
  await page.goto(`http://127.0.0.1:${admin}/#/call/${encodeURIComponent(HOSTILE)}`);
  await page.locator(".outcome", { hasText: "no live call" }).waitFor();
  await harmless();

  const answered = await fetch(`http://127.0.0.1:${admin}/`);
  const policy = answered.headers.get("content-security-policy");
  for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"]) assert.ok(policy.includes(rule), policy);
});

test("the page comes back by itself when the bridge is restarted under it", LIMIT, async () => {
  await page.goto(url("/calls"));
  const link = page.locator("#link");
  await link.filter({ hasText: /^ready$/ }).waitFor();
  await stopBridge();
  await link.filter({ hasText: "no connection" }).waitFor();
  bridge = await startBridge();
  await link.filter({ hasText: /^ready$/ }).waitFor();
  await page.getByText("The bridge was restarted.").waitFor();
  call("/game");
  await page.locator("tbody tr", { hasText: "game" }).waitFor();
  // What it complained of was the bridge that was gone.
  complaints = complaints.filter((text) => !text.includes("ERR_"));
});

test("it works by keyboard alone, in the dark, on a narrow screen", LIMIT, async () => {
  call("/game", ["--caller-id", "Alice <3200>"]);
  const narrow = await open({ viewport: { width: 380, height: 740 }, colorScheme: "dark" });
  await narrow.goto(url("/calls"));
  await narrow.locator("tbody tr").first().waitFor();
  await fits(narrow);
  const focused = () => narrow.evaluate(() => document.activeElement.textContent);
  const tabTo = async (text) => {
    for (let at = 0; at < 30; at += 1) {
      if ((await focused()).startsWith(text)) return;
      await narrow.keyboard.press("Tab");
    }
    assert.fail(`no key leads to ${text}`);
  };
  await narrow.evaluate(() => document.activeElement.blur());
  await tabTo("Routes");
  await narrow.keyboard.press("Enter");
  await narrow.locator(".card").first().waitFor();
  await fits(narrow);
  await tabTo("Calls");
  await narrow.keyboard.press("Enter");
  await narrow.locator("tbody tr").first().waitFor();
  await tabTo("Local/");
  await narrow.keyboard.press("Enter");
  await narrow.locator(".timeline .pill.good").first().waitFor();
  await fits(narrow);
  await shot("narrow", narrow);
  await narrow.goto(url("/phone"));
  await narrow.getByLabel("Path").waitFor();
  await fits(narrow);
  const dark = await narrow.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(dark, "rgb(18, 22, 29)");
  await narrow.context().close();
});

/** The answer to a sum that the service asked: 0 is the first. */
async function answer(which) {
  const lines = () => page.locator(".talk li.to .with").allTextContents();
  const said = async () => (await lines()).map((text) => /^SAY NUMBER "?(\d+)"?/.exec(text)?.[1]).filter(Boolean).map(Number);
  const asked = async () => (await lines()).filter((text) => text.startsWith("GET DATA")).length;
  await until("the sum is asked", async () => (await said()).length >= 2 * which + 2 && (await asked()) > which);
  const numbers = await said();
  return String(numbers[2 * which] - numbers[2 * which + 1]);
}

async function until(what, so) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
    if (await so()) return;
    await page.waitForTimeout(50);
  }
  assert.fail(`waited for: ${what}`);
}

/** Nothing became an element, and no script ran. */
async function harmless() {
  assert.equal(await page.title(), "agi-bridge");
  assert.equal(await page.locator("main img, main script").count(), 0);
}

/** Nothing is wider than the screen. */
async function fits(narrow) {
  const [page, screen] = await narrow.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(page <= screen, `${page} of ${screen}`);
}

async function shot(name, of) {
  if (SCREENSHOTS) await of.screenshot({ path: join(SCREENSHOTS, `console-${name}.png`) });
}

for (const everybody of ["nothing", "metrics"]) {
  test(`with everybody: ${everybody} the page asks for a token before it shows anything`, LIMIT, async () => {
    const [agiPort, adminPort] = [await freePort(), await freePort()];
    const keys = `listen: "127.0.0.1:${adminPort}", everybody: ${everybody}`;
    writeFileSync(join(folder, "closed.yaml"), configuration(agiPort, keys));
    children.push(await startBridge("closed.yaml"));
    await page.goto(`http://127.0.0.1:${adminPort}/#/routes`);
    const ask = page.getByRole("dialog");
    await ask.getByText("Calls are shown to those who have a token.").waitFor();
    assert.equal(await page.getByText("/open/{*name}").count(), 0);
    await ask.getByLabel("Token").fill("wrong");
    await ask.getByRole("button", { name: "Unlock" }).click();
    await ask.getByRole("alert").getByText("this token is not known").waitFor();
    assert.equal(await page.getByText("/open/{*name}").count(), 0);
    await ask.getByLabel("Token").fill(TOKEN);
    await ask.getByRole("button", { name: "Unlock" }).click();
    await page.getByText("/open/{*name}").waitFor();
    await page.locator("#link", { hasText: /^ready$/ }).waitFor();
  });
}

async function open(options) {
  const context = await browser.newContext({ colorScheme: "light", locale: "en-GB", ...options });
  context.setDefaultTimeout(PATIENCE);
  const opened = await context.newPage();
  complaints = [];
  opened.on("pageerror", (error) => complaints.push(`error: ${error}`));
  opened.on("dialog", (dialog) => complaints.push(`dialog: ${dialog.message()}`));
  // A refused token is an answer, which the browser notes.
  opened.on("console", (message) => {
    if (message.type() === "error" && !/status of 40[134]/.test(message.text())) complaints.push(message.text());
  });
  return opened;
}

function url(view) {
  return `http://127.0.0.1:${admin}/#${view}`;
}

function configuration(agiPort = agi, adminKeys = `listen: "127.0.0.1:${admin}"`) {
  return `
agi: {listen: "127.0.0.1:${agiPort}", cores: 1}
admin: {${adminKeys}, token: ${TOKEN}}
shutdown: {linger: 0s}
routes:
  - {name: game, path: /game, services: [{url: "${SERVICE}"}]}
  - {name: open, path: "/open/{*name}", redact: nothing, services: [{url: "${SERVICE}"}]}
  - {name: down, path: /down, retry_for: 200ms, services: [{url: "grpc://127.0.0.1:1"}]}
`;
}

async function startBridge(file = "bridge.yaml") {
  const child = spawn(BRIDGE, ["serve", "--config", join(folder, file)], { stdio: ["ignore", "ignore", "pipe"] });
  const lines = createInterface({ input: child.stderr });
  const said = [];
  await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      said.push(line);
      if (line.includes('"listening"')) resolve();
    });
    child.on("exit", () => reject(new Error(`the bridge ended: ${said.join("\n")}`)));
  });
  return child;
}

async function stopBridge() {
  const ended = once(bridge, "exit");
  bridge.kill("SIGTERM");
  bridge.kill("SIGTERM");
  const hurry = setInterval(() => bridge.kill("SIGTERM"), 500);
  await ended;
  clearInterval(hurry);
}

/** Somebody else calls. */
function call(path, more = []) {
  const child = spawn(BRIDGE, ["call", `agi://127.0.0.1:${agi}${path}`, "--quiet", ...more], { stdio: "ignore" });
  child.ended = once(child, "exit");
  children.push(child);
  return child;
}

async function freePort() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// The admin port: requests, streams that come back by themselves, and the right to change things.

/** The token, for as long as the page lives; nowhere else. */
let token = "";
/** What the bridge said of itself last. */
export const bridge = { up: false, offset: 0 };
/** Whether it is worth asking for what only some may see. */
let refused = false;
const listeners = new Set();

export class Refused extends Error {}

export function onChange(listener) {
  listeners.add(listener);
}

function changed(what) {
  for (const listener of listeners) listener(what);
}

/** Whether numbers and unmasked content are asked for: with a token, or where none is needed. */
export function entitled() {
  return !refused && (token !== "" || bridge.token === false);
}

export function hasToken() {
  return token !== "";
}

/** Tries a token, and keeps it if it is right. */
export async function unlock(given) {
  const before = token;
  token = given;
  try {
    refused = false;
    await request("GET", "/calls?limit=0&callers=true").catch(async (error) => {
      if (error.status !== 403) throw error;
      // It may be good for looking alone.
      await request("GET", "/calls?limit=0");
      refused = true;
    });
    changed("right");
  } catch (error) {
    token = before;
    throw error;
  }
}

export function lock() {
  token = "";
  changed("right");
}

/** Now, by the bridge's clock. */
export function now() {
  return Date.now() + bridge.offset;
}

export const get = (path) => request("GET", path);
export const post = (path, body = {}) => request("POST", path, body);

async function request(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: headers(body ? { "content-type": "application/json" } : {}),
    body: body ? JSON.stringify(body) : undefined,
    cache: "no-store",
    redirect: "error",
    signal: AbortSignal.timeout(10_000),
  });
  return answer(response);
}

async function answer(response) {
  const given = await response.json().catch(() => ({}));
  if (response.ok) return given;
  const why = typeof given.error === "string" ? given.error : `the bridge answered ${response.status}`;
  const error = response.status === 401 || response.status === 403 ? new Refused(why) : new Error(why);
  error.status = response.status;
  throw error;
}

function headers(more) {
  // No page of another site can send this header.
  const all = { "agibridge-client": "console", ...more };
  if (token) all.authorization = `Bearer ${token}`;
  return all;
}

const SILENCE_MAX = 25_000;
const PAUSE_MAX = 5_000;

/**
 * Follows a view until it is over or the returned function is called. A stream that breaks is opened again, and begins anew:
 * `begin` says so. `parameters` may be a function, which is asked each time.
 */
export function follow(parameters, { begin = () => {}, state, gone = () => {} }) {
  const stop = new AbortController();
  run(parameters, { begin, state, gone }, stop.signal);
  return () => stop.abort();
}

async function run(parameters, on, stop) {
  let pause = 300;
  let wants = false;
  while (!stop.aborted) {
    try {
      const asked = typeof parameters === "function" ? parameters() : parameters;
      wants = entitled();
      const query = new URLSearchParams(wants ? { ...asked, callers: "true" } : asked);
      const done = await stream(`/events?${query}`, on, stop, () => (pause = 300));
      if (done) return;
    } catch (error) {
      if (stop.aborted) return;
      if (error instanceof Refused) {
        if (parameters.of === "phone") return on.gone(error.message);
        // Without a token elsewhere than on this machine, or with one that is right no more.
        if (wants) {
          refused = true;
          if (error.status === 401) token = "";
          changed("right");
          continue;
        }
        // Not even looking is open to everybody: it is tried again, with whatever token there is by then.
        token = "";
        changed("closed");
      }
    }
    if (stop.aborted) return;
    if (bridge.up) {
      bridge.up = false;
      changed("bridge");
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, PAUSE_MAX);
  }
}

/** True when there is nothing more to follow. */
async function stream(path, on, stop, heard) {
  const broken = new AbortController();
  const end = () => broken.abort();
  stop.addEventListener("abort", end);
  let silence = setTimeout(end, SILENCE_MAX);
  try {
    const response = await fetch(path, { headers: headers({}), cache: "no-store", redirect: "error", signal: broken.signal });
    if (!response.ok) await answer(response);
    on.begin();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return false;
      clearTimeout(silence);
      silence = setTimeout(end, SILENCE_MAX);
      heard();
      text += value;
      for (let at = text.indexOf("\n\n"); at >= 0; at = text.indexOf("\n\n")) {
        const [name, data] = parse(text.slice(0, at));
        text = text.slice(at + 2);
        if (stop.aborted) return true;
        if (name === "bridge") told(data);
        if (name === "state") on.state(data);
        if (name === "gone") {
          on.gone(data.error);
          return true;
        }
      }
    }
  } finally {
    clearTimeout(silence);
    stop.removeEventListener("abort", end);
    broken.abort();
  }
}

function parse(block) {
  let [name, data] = ["", "null"];
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    if (line.startsWith("data: ")) data = line.slice(6);
  }
  return [name, JSON.parse(data)];
}

function told(data) {
  const restarted = bridge.instance !== undefined && bridge.instance !== data.instance;
  Object.assign(bridge, data, { up: true, offset: data.now_ms - Date.now() });
  if (restarted) refused = false;
  changed(restarted ? "restart" : "bridge");
}

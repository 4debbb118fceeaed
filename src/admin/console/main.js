// The frame of the page: which view is shown, how the bridge is, and the dialog that asks for the token.
import * as api from "./api.js";
import { put } from "./dom.js";
import * as calls from "./calls.js";
import * as call from "./call.js";
import * as ended from "./ended.js";
import * as routes from "./routes.js";
import * as phone from "./phone.js";

const views = { calls, call, ended, routes, phone };
const element = (id) => document.getElementById(id);
let close = () => {};

/** `#/call/0199…` or `#/phone?path=/ivr`: the view, what it is of, and its parameters. */
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const known = Object.hasOwn(views, name);
  return { name: known ? name : "calls", id: decode(rest.join("/")), query: new URLSearchParams(query) };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function show() {
  close();
  const { name, id, query } = place();
  const view = element("view");
  view.replaceChildren();
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.getAttribute("href") === `#/${name === "call" ? "calls" : name}`;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  close = views[name].open(view, { id, query, perform, say }) ?? (() => {});
}

/** Does what needs the right to change things, and asks for the token when that is missing. */
async function perform(change) {
  try {
    return await change();
  } catch (error) {
    if (!(error instanceof api.Refused)) {
      say(error.message);
      return undefined;
    }
    if (api.bridge.token === false) {
      say(error.message);
      return undefined;
    }
    if (!(await ask(api.hasToken() ? error.message : ""))) return undefined;
    return perform(change);
  }
}

let silence;

/** A short notice. */
function say(text) {
  const notice = element("notice");
  put(notice, text);
  notice.hidden = false;
  clearTimeout(silence);
  silence = setTimeout(() => (notice.hidden = true), 8_000);
}

/** True once the token is right. */
function ask(why) {
  const [dialog, input, error] = [element("ask"), element("token"), element("ask-error")];
  const complain = (text) => {
    put(error, text);
    error.hidden = !text;
  };
  complain(why);
  input.value = "";
  return new Promise((resolve) => {
    const form = dialog.querySelector("form");
    const submit = async (event) => {
      event.preventDefault();
      try {
        await api.unlock(input.value);
        finish(true);
      } catch (failure) {
        complain(failure.message);
        input.select();
      }
    };
    const cancel = () => finish(false);
    const finish = (result) => {
      form.removeEventListener("submit", submit);
      element("ask-cancel").removeEventListener("click", cancel);
      dialog.removeEventListener("cancel", cancel);
      input.value = "";
      dialog.close();
      resolve(result);
    };
    form.addEventListener("submit", submit);
    element("ask-cancel").addEventListener("click", cancel);
    dialog.addEventListener("cancel", cancel);
    dialog.showModal();
    input.focus();
  });
}

/** Whether a token was asked for to see anything at all. */
let asked = false;

function bridgeChanged(what) {
  const { up, active, missing = [], version, token } = api.bridge;
  const link = element("link");
  const text = !up ? "no connection" : missing.includes("not draining") ? "draining" : missing.length ? "not ready" : "ready";
  put(link, text);
  link.className = `pill ${!up ? "bad" : missing.length ? "warn" : "good"}`;
  link.title = up ? `agi-bridge ${version}${missing.length ? `; unmet: ${missing.join(", ")}` : ""}` : "the page tries again by itself";
  put(element("active"), up ? `${active} ${active === 1 ? "call" : "calls"}` : "");
  const unlock = element("unlock");
  unlock.hidden = token === false;
  put(unlock, api.hasToken() ? "Lock" : "Unlock");
  if (what === "right") asked = false;
  if (what === "closed" && !asked) {
    asked = true;
    ask("Calls are shown to those who have a token.");
  }
  if (what === "restart") say("The bridge was restarted.");
  // A phone that is in use is not taken out of the hand; it finds out by itself.
  if ((what === "restart" || what === "right") && place().name !== "phone") show();
}

element("unlock").addEventListener("click", () => (api.hasToken() ? api.lock() : ask("")));
api.onChange(bridgeChanged);
addEventListener("hashchange", show);
show();

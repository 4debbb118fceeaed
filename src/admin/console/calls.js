// The calls that live: one line each, a page at a time.
import * as api from "./api.js";
import { age, h, keyed, put } from "./dom.js";

const PAGE = 50;

export function open(view, { query, perform, say }) {
  const offset = Math.max(0, Number(query.get("offset")) || 0);
  const route = query.get("route") ?? "";
  const rows = h("tbody");
  const none = h("p", { class: "none", hidden: true }, "No call lives now.");
  const table = h("table", { class: "calls" }, head(["Route", "Channel", "Caller", "Doing", "Age", "Dead air", "Commands", "Service", ""]), rows);
  const pages = h("div", { class: "pages" });
  view.append(
    h("h1", {}, route ? `Calls on ${route}` : "Calls"),
    route && h("p", {}, h("a", { href: "#/calls" }, "All routes")),
    h("div", { class: "scroll" }, table),
    none,
    pages,
  );
  let shown = [];
  const state = ({ count, calls }) => {
    shown = calls;
    none.hidden = calls.length > 0;
    table.hidden = calls.length === 0;
    keyed(rows, calls, (call) => call.call_id, (call) => row(call, perform, say), update);
    turn(pages, count, offset, route);
  };
  const stop = api.follow({ of: "calls", offset, limit: PAGE, ...(route && { route }) }, { state });
  const tick = setInterval(() => {
    for (const [at, call] of shown.entries()) if (rows.children[at]) update(rows.children[at], call);
  }, 1_000);
  return () => {
    clearInterval(tick);
    stop();
  };
}

export function head(names) {
  return h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name))));
}

function row(call, perform, say) {
  const end = async () => {
    if (await perform(() => api.post(`/calls/${call.call_id}/hangup`))) say("The call is told to end.");
  };
  return h(
    "tr",
    {},
    h("td", { "data-name": "Route" }),
    h("td", { "data-name": "Channel" }, h("a", { href: `#/call/${call.call_id}` })),
    h("td", { "data-name": "Caller", class: "number" }),
    h("td", { "data-name": "Doing" }, h("span", { class: "pill" })),
    h("td", { "data-name": "Age", class: "number" }),
    h("td", { "data-name": "Dead air", class: "number" }),
    h("td", { "data-name": "Commands", class: "number" }),
    h("td", { "data-name": "Service", class: "quiet" }),
    h("td", {}, h("button", { type: "button", class: "danger", onclick: end }, "Hang up")),
  );
}

function update(row, call) {
  const [route, channel, caller, doing, old, silent, commands, service, button] = row.children;
  put(route, call.route);
  put(channel.firstChild, call.channel || call.call_id);
  put(caller, call.caller_number ?? "–");
  const pill = doing.firstChild;
  put(pill, words(call));
  pill.className = `pill ${call.hung_up ? "warn" : call.command ? "busy" : call.state === "opening" ? "warn" : ""}`;
  put(old, age((api.now() - Date.parse(call.accepted_at)) / 1000));
  put(silent, deadAir(call));
  put(commands, call.commands);
  put(service, call.service ?? "–");
  button.firstChild.setAttribute("aria-label", `Hang up ${call.channel}`);
}

/** How long the caller heard nothing for want of a command, up to now: while it lasts, the page counts on. */
export function deadAir(call) {
  const since = call.silent_since_seconds;
  const running = since === undefined ? 0 : Math.max(0, (api.now() - Date.parse(call.accepted_at)) / 1000 - since);
  const total = call.dead_air_seconds + running;
  return total < 0.05 ? "–" : `${total.toFixed(1)} s`;
}

/** What a call is doing, in words. */
export function words(call) {
  const doing = call.command ?? call.state.replaceAll("_", " ");
  return call.hung_up && call.state !== "hung_up" ? `${doing}, hung up` : doing;
}

function turn(pages, count, offset, route) {
  const to = (at, text) => h("a", { class: "button", href: `#/calls?offset=${at}${route ? `&route=${encodeURIComponent(route)}` : ""}` }, text);
  const text = `${Math.min(offset + 1, count)}–${Math.min(offset + PAGE, count)} of ${count}`;
  if (pages.dataset.text === text) return;
  pages.dataset.text = text;
  pages.replaceChildren();
  if (count <= PAGE && offset === 0) return;
  if (offset > 0) pages.append(to(Math.max(0, offset - PAGE), "Older"));
  pages.append(h("span", {}, text));
  if (offset + PAGE < count) pages.append(to(offset + PAGE, "Newer"));
}

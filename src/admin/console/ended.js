// The last calls that ended, the newest first.
import * as api from "./api.js";
import { clock, h, keyed, put, span } from "./dom.js";
import { head } from "./calls.js";
import { tone } from "./call.js";

const PAGE = 50;

export function open(view, { query }) {
  const before = query.get("before");
  const route = query.get("route") ?? "";
  const rows = h("tbody");
  const none = h("p", { class: "none" }, "No call has ended yet.");
  const table = h("table", {}, head(["Began", "Lasted", "Route", "Channel", "Caller", "Ended by", "Dead air", "Commands", "Service"]), rows);
  const pages = h("div", { class: "pages" });
  view.append(
    h("h1", {}, route ? `Ended calls on ${route}` : "Ended calls"),
    route && h("p", {}, h("a", { href: "#/ended" }, "All routes")),
    h("div", { class: "scroll" }, table),
    none,
    pages,
  );
  const state = ({ calls, is_on, total, truncated }) => {
    none.hidden = calls.length > 0;
    table.hidden = calls.length === 0;
    if (!is_on) put(none, "Calls that ended are not kept: recorder.calls is 0.");
    keyed(rows, calls, (call) => call.number, create, update);
    const link = (parameters, text) => {
      const all = new URLSearchParams({ ...parameters, ...(route && { route }) });
      return h("a", { class: "button", href: `#/ended?${all}` }, text);
    };
    pages.replaceChildren();
    if (before) pages.append(link({}, "Newest"));
    if (calls.length) pages.append(h("span", {}, `${total} since the start`));
    if (truncated) pages.append(link({ before: calls.at(-1).number }, "Older"));
  };
  return api.follow({ of: "ended", limit: PAGE, ...(before && { before }), ...(route && { route }) }, { state });
}

function create(call) {
  const cell = (name, type = "") => h("td", { "data-name": name, class: type });
  return h(
    "tr",
    {},
    cell("Began", "number quiet"),
    cell("Lasted", "number"),
    cell("Route"),
    h("td", { "data-name": "Channel" }, h("a", { href: `#/call/${call.call_id}` })),
    cell("Caller", "number"),
    h("td", { "data-name": "Ended by" }, h("span", { class: "pill" }), " ", h("span", { class: "with" })),
    cell("Dead air", "number"),
    cell("Commands", "number"),
    cell("Service", "quiet"),
  );
}

function update(row, call) {
  const [began, lasted, route, channel, caller, by, silent, commands, service] = row.children;
  put(began, clock(call.accepted_at));
  put(lasted, span(call.duration_seconds));
  put(route, call.route);
  put(channel.firstChild, call.channel || call.call_id);
  put(caller, call.caller_number ?? "–");
  const [pill, , detail] = by.childNodes;
  pill.className = `pill ${tone(call)}`;
  put(pill, call.status ? `${call.blame} ${call.status}` : call.blame === "none" ? call.reason : call.blame);
  put(detail, call.blame === "none" || call.blame === "caller" ? "" : call.detail);
  put(silent, call.dead_air_seconds < 0.05 ? "–" : `${call.dead_air_seconds.toFixed(1)} s`);
  put(commands, call.commands);
  put(service, call.service ?? "–");
}

// One call: what is known of it, and what happens in it, as it happens.
import * as api from "./api.js";
import { age, clock, h, keyed, put, span } from "./dom.js";
import { deadAir, words } from "./calls.js";

export function open(view, { id, perform, say }) {
  const title = h("h1", {}, "Call");
  const state = h("p", { class: "outcome" });
  const end = h("button", { type: "button", class: "danger", hidden: true }, "Hang up");
  const facts = h("dl", { class: "facts" });
  const line = timeline();
  end.addEventListener("click", async () => {
    if (await perform(() => api.post(`/calls/${encodeURIComponent(id)}/hangup`))) say("The call is told to end.");
  });
  view.append(h("div", { class: "title" }, title, end), state, facts, h("h2", {}, "What happened"), line.element);
  const stop = followCall(id, line, {
    show: (live, record) => {
      put(title, live?.channel ?? record?.channel ?? id);
      end.hidden = !live;
      put(state, live ? doing(live) : ended(record));
      state.className = `outcome ${live ? "busy" : tone(record?.end)}`;
      if (record) tell(facts, record);
    },
    gone: (error) => {
      end.hidden = true;
      if (error) put(state, `${error}; it has ended, and is not kept (any more)`);
    },
  });
  return stop;
}

/** Follows a call and keeps its timeline, also across a bridge that is gone for a while. */
export function followCall(id, line, { show, gone = () => {} }) {
  let [live, record] = [undefined, undefined];
  let fresh = true;
  const draw = () => {
    if (live || record) show(live, record);
    line.tick(live && record ? (api.now() - Date.parse(record.accepted_at)) / 1000 : undefined);
  };
  const tick = setInterval(draw, 500);
  const stop = api.follow(
    { of: "call", id },
    {
      begin: () => (fresh = true),
      state: (news) => {
        [live, record] = [news.live, news.record];
        if (record) line.add(record, fresh);
        else line.nothing();
        fresh = false;
        draw();
      },
      gone: (error) => {
        live = undefined;
        clearInterval(tick);
        line.tick(undefined);
        gone(error);
      },
    },
  );
  return () => {
    clearInterval(tick);
    stop();
  };
}

function doing(live) {
  const old = age((api.now() - Date.parse(live.accepted_at)) / 1000);
  const silent = deadAir(live);
  return `${words(live)}, on ${live.route}, for ${old}${silent === "–" ? "" : `, dead air ${silent}`}`;
}

export function ended(record) {
  const end = record?.end;
  if (!end) return "";
  const who = end.blame === "none" ? "" : ` (${end.blame})`;
  const silent = end.dead_air_seconds >= 0.05 ? `, dead air ${end.dead_air_seconds.toFixed(1)} s` : "";
  const status = end.status ? `, ${end.status}` : "";
  return `ended after ${span(end.duration_seconds)}: ${end.reason.replaceAll("_", " ")}${who}${status}${silent} – ${end.detail}`;
}

/** How bad an end is. */
export function tone(end) {
  if (!end) return "";
  return { none: "good", caller: "good", operator: "warn", bridge: "bad", asterisk: "bad", service: "bad" }[end.blame] ?? "";
}

function tell(facts, record) {
  const numbers = record.numbers ?? {};
  const masked = record.redact.length ? record.redact.join(", ") : "nothing";
  const shown = [
    ["Route", record.route],
    ["Service", record.services.join(" → ")],
    ["Path", record.path && record.path + (record.query ? `?${record.query}` : "")],
    ["Caller", [numbers.name, numbers.caller && `<${numbers.caller}>`].filter(Boolean).join(" ")],
    ["Dialled", [numbers.dialed, numbers.redirecting && `redirected by ${numbers.redirecting}`].filter(Boolean).join(", ")],
    ["Dialplan", [record.context, numbers.extension, record.priority].filter(Boolean).join(", ")],
    ["Arguments", record.arguments],
    ["Accepted", clock(record.accepted_at)],
    ["Masked", masked + (record.hidden ? "; more is shown to those who may change things" : "")],
    ["Call id", record.call_id],
    ["Trace id", record.trace_id],
  ].filter(([, text]) => text);
  keyed(
    facts,
    shown,
    ([name]) => name,
    ([name]) => h("div", {}, h("dt", {}, name), h("dd", {})),
    (pair, [, text]) => put(pair.lastChild, text),
  );
}

/** The entries of a call as a table that grows. */
export function timeline() {
  const rows = h("tbody");
  const none = h("p", { class: "none", hidden: true }, "What happens in calls is not kept: recorder.calls is 0.");
  const element = h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { class: "timeline" },
      h("thead", {}, h("tr", {}, ["At", "What", "With", "Came of it", "Took", "When"].map((name) => h("th", { scope: "col" }, name)))),
      rows,
    ),
    none,
  );
  const entries = new Map();
  let dropped = 0;
  const items = () => {
    const sorted = [...entries.values()].sort((one, other) => one.number - other.number);
    const gap = sorted.findIndex((entry, at) => at > 0 && entry.number > sorted[at - 1].number + 1);
    if (gap > 0) sorted.splice(gap, 0, { number: "gap", kind: "gap", text: `${dropped} more are not kept` });
    return sorted;
  };
  return {
    element,
    nothing: () => (none.hidden = false),
    add: (record, fresh) => {
      if (fresh) entries.clear();
      for (const entry of record.entries) entries.set(entry.number, entry);
      // Those between the first and the last ones go as new ones come.
      if (record.dropped !== dropped) {
        dropped = record.dropped;
        const numbers = [...entries.keys()].sort((one, other) => one - other);
        let first = 0;
        while (first < numbers.length && numbers[first] === first + 1) first += 1;
        const kept = Math.min(first, 64);
        for (const number of numbers) if (number > kept && number <= kept + dropped) entries.delete(number);
      }
      keyed(rows, items(), (entry) => entry.number, create, update);
    },
    /** `now`: since the accept, while the call lives. */
    tick: (now) => {
      const all = [...entries.values()];
      const total = now ?? Math.max(0.001, ...all.map((entry) => entry.answer?.at ?? entry.at));
      for (const row of rows.children) {
        const entry = entries.get(Number(row.dataset.key));
        if (entry) place(row, entry, total, now);
      }
    },
  };
}

function create(entry) {
  if (entry.kind === "gap") return h("tr", { class: "gap" }, h("td", {}), h("td", { colspan: "5" }));
  const cell = (name, type) => h("td", { "data-name": name, class: type });
  return h(
    "tr",
    { class: entry.kind === "command" ? "command" : `event ${entry.kind}` },
    cell("At", "number quiet"),
    cell("What", "what"),
    cell("With", "with"),
    h("td", { "data-name": "Came of it" }, h("span", { class: "pill" }), " ", h("span", { class: "with" })),
    cell("Took", "number"),
    h("td", { class: "lane", "aria-hidden": "true" }, h("div", { class: "track" }, h("div", { class: "queue" }), h("div", { class: "bar" }))),
  );
}

function update(row, entry) {
  if (entry.kind === "gap") return put(row.children[1], entry.text);
  const [at, what, text, came] = row.children;
  put(at, `+${entry.at.toFixed(3)} s`);
  put(what, entry.command ?? NAMES[entry.kind] ?? entry.kind);
  put(text, entry.text);
  const [pill, , said] = came.childNodes;
  if (entry.kind !== "command") {
    pill.hidden = true;
    return undefined;
  }
  const { answer } = entry;
  pill.className = `pill ${answer ? (answer.is_error ? "bad" : "good") : entry.written === undefined ? "" : "busy"}`;
  put(pill, answer ? answer.outcome.replaceAll("_", " ") : entry.written === undefined ? "waits" : "runs");
  put(said, answer?.text);
  return undefined;
}

const NAMES = {
  taken: "service took the call",
  lost: "service lost",
  sought: "another service is sought",
  hangup: "caller gone",
  handoff: "handed over",
  bridge: "bridge's own line",
  end: "service ends the session",
  ordered: "told to end",
};

/** Where an entry stands in the call's time. */
function place(row, entry, total, now) {
  const [took, lane] = [row.children[4], row.children[5]];
  const [queue, bar] = lane.firstChild.children;
  const percent = (time) => `${Math.min(100, Math.max(0, (100 * time) / total)).toFixed(2)}%`;
  if (entry.kind !== "command") {
    bar.style.left = percent(entry.at);
    return;
  }
  const begun = entry.written ?? entry.at;
  const over = entry.answer?.at ?? now ?? begun;
  put(took, entry.answer ? span(entry.answer.elapsed) : entry.written !== undefined && now ? span(now - begun) : "");
  queue.style.left = percent(entry.at);
  queue.style.width = percent(begun - entry.at);
  bar.style.left = percent(begun);
  bar.style.width = percent(over - begun);
}

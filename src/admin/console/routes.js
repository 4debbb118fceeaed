// The routes: where they lead, who is up, how their calls did.
import * as api from "./api.js";
import { h, put, span } from "./dom.js";
import { tone } from "./call.js";

export function open(view) {
  const list = h("div", { class: "cards" });
  view.append(h("h1", {}, "Routes"), list);
  let before = "";
  const state = ({ routes }) => {
    const text = JSON.stringify(routes);
    if (text === before) return;
    before = text;
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    list.replaceChildren(...routes.map(card));
    if (focused) [...list.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  };
  return api.follow({ of: "routes" }, { state });
}

function card(route) {
  const { tally } = route;
  const name = encodeURIComponent(route.name);
  return h(
    "article",
    { class: "card" },
    h("header", {}, h("h2", {}, route.name), h("code", {}, route.path), route.conditional && h("span", { class: "pill" }, "with conditions")),
    h("ul", { class: "services" }, route.services.map(service)),
    tally ? outcomes(tally) : h("p", { class: "quiet" }, "No call has ended on it yet."),
    tally &&
      h(
        "dl",
        { class: "facts" },
        times("First word of the service", tally.setup),
        times("Longest thought in a call", tally.thinking),
        times("Whole call", tally.duration),
      ),
    h("p", { class: "quiet" }, `Masked: ${route.redact.join(", ") || "nothing"}`),
    h(
      "p",
      { class: "links" },
      h("a", { href: `#/calls?route=${name}` }, "Live calls"),
      h("a", { href: `#/ended?route=${name}` }, "Ended calls"),
      h("a", { href: `#/phone?path=${encodeURIComponent(route.path)}` }, "Call it"),
    ),
  );
}

function service({ url, weight, workers, addresses }) {
  const of = (health, text) => h("li", {}, h("span", { class: `dot ${health}`, "aria-hidden": "true" }), text);
  const health = workers === undefined ? "" : workers > 0 ? "serving" : "unreachable";
  return h(
    "li",
    {},
    health && h("span", { class: `dot ${health}`, "aria-hidden": "true" }),
    h("code", {}, url),
    weight !== undefined && h("span", { class: "quiet" }, ` weight ${weight}`),
    workers !== undefined && h("span", { class: "quiet" }, ` ${workers} ${workers === 1 ? "worker" : "workers"}`),
    addresses.length > 0 &&
      h(
        "ul",
        {},
        addresses.map((it) =>
          of(
            it.penalised ? "unreachable" : it.health,
            `${it.address} ${HEALTH[it.health] ?? it.health}${it.penalised ? ", failed lately" : ""}, ${it.calls} ${it.calls === 1 ? "call" : "calls"}`,
          ),
        ),
      ),
  );
}

const HEALTH = { unknown: "taken for healthy", serving: "healthy", not_serving: "not serving", unreachable: "unreachable" };

function outcomes({ calls, blames, reasons }) {
  const parts = Object.entries(blames);
  const bar = h("div", { class: "outcomes", "aria-hidden": "true" });
  for (const [blame, count] of parts) {
    const part = h("div", { class: tone({ blame }) });
    part.style.flexGrow = String(count);
    bar.append(part);
  }
  const told = h("p", {});
  const said = Object.entries(reasons).map(([reason, count]) => `${count} ${reason.replaceAll("_", " ")}`);
  put(told, `${calls} ended: ${said.join(", ")}`);
  const faults = parts.filter(([blame]) => blame === "service" || blame === "bridge" || blame === "asterisk");
  return h(
    "div",
    {},
    bar,
    told,
    faults.length > 0 && h("p", { class: "error" }, faults.map(([blame, count]) => `${count} by a fault of the ${blame}`).join(", ")),
  );
}

function times(name, quantiles) {
  if (!quantiles) return undefined;
  return h("div", {}, h("dt", {}, name), h("dd", {}, `half below ${span(quantiles.p50)}, 95 % below ${span(quantiles.p95)}`));
}

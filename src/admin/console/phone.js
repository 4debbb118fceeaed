// A phone: calls a route of this bridge as Asterisk would, and is played with the mouse or the keyboard.
import * as api from "./api.js";
import { h, keyed, put, span } from "./dom.js";
import { followCall, timeline } from "./call.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const LETTERS = { 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ" };

export function open(view, { query, perform, say }) {
  const path = h("input", { id: "path", required: true, value: query.get("path") ?? "", placeholder: "/ivr/test?lang=en", spellcheck: "false", autocomplete: "off", list: "paths" });
  const paths = h("datalist", { id: "paths" });
  const caller = h("input", { id: "caller", value: "Console <100>", autocomplete: "off", spellcheck: "false" });
  const dialed = h("input", { id: "dialed", autocomplete: "off", spellcheck: "false" });
  const dial = h("button", { type: "submit", class: "main" }, "Call");
  const hangUp = h("button", { type: "button", class: "danger", disabled: true }, "Hang up");
  const screen = h("div", { class: "screen" }, h("p", { class: "heard", role: "status", "aria-live": "polite" }, "On hook"), h("div", { class: "progress" }, h("div")), h("p", { class: "quiet" }, "Nothing was pressed"));
  const keypad = h("div", { class: "keypad", role: "group", "aria-label": "Keypad" });
  const talk = h("ol", { class: "talk" });
  const link = h("a", { hidden: true }, "This call's own page");
  const line = timeline();
  const form = h(
    "form",
    { class: "dial" },
    h("label", {}, "Path ", path, paths),
    h("label", {}, "Caller ", caller),
    h("label", {}, "Dialled ", dialed),
    h("div", { class: "buttons" }, dial, hangUp),
  );
  view.append(
    h("h1", {}, "Phone"),
    h("p", { class: "quiet" }, "A simulated call to this bridge. The service takes it for a real one; what it does to others, it does."),
    h(
      "div",
      { class: "phone" },
      h("section", { class: "handset", "aria-label": "Phone" }, form, screen, keypad),
      h("section", { class: "said" }, h("h2", {}, "What is said"), talk, h("h2", {}, "What the bridge sees"), link, line.element),
    ),
  );

  let call = null;
  let stops = [];
  let pressed = "";
  let spoken = [];
  const quit = () => {
    for (const stop of stops) stop();
    stops = [];
  };
  const playing = (on) => {
    dial.disabled = on;
    hangUp.disabled = !on;
    for (const key of keypad.children) key.disabled = !on;
  };
  const press = (keys) => {
    if (!call) return;
    const id = call;
    pressed = (pressed + keys).slice(-24);
    put(screen.lastChild, `Pressed ${pressed}`);
    perform(() => api.post(`/phone/${id}/press`, { keys }));
  };
  for (const key of KEYS) {
    const button = h("button", { type: "button", disabled: true, "data-digit": key, "aria-label": key === "*" ? "star" : key === "#" ? "pound" : key }, h("span", {}, key), h("small", {}, LETTERS[key] ?? "\u00a0"));
    button.addEventListener("click", () => press(key));
    keypad.append(button);
  }

  const over = (text, tone) => {
    call = null;
    playing(false);
    put(screen.firstChild, text);
    screen.className = `screen ${tone}`;
    screen.children[1].firstChild.style.animationDuration = "0s";
    screen.children[1].hidden = true;
  };
  const hear = (entry) => {
    if (entry.speaker !== "--") return;
    const prompt = /^hears (.*) \((\d+\.\d+) s\)$/.exec(entry.text);
    if (!prompt && !entry.text.startsWith("hears ")) return;
    put(screen.firstChild, entry.text);
    const bar = h("div");
    bar.style.animationDuration = `${prompt ? prompt[2] : 0}s`;
    screen.children[1].hidden = !prompt;
    screen.children[1].replaceChildren(bar);
  };
  const state = (news) => {
    if (news.call_id && link.hidden) {
      link.hidden = false;
      link.href = `#/call/${news.call_id}`;
      stops.push(followCall(news.call_id, line, { show: () => {} }));
    }
    for (const entry of news.entries) {
      spoken.push(entry);
      hear(entry);
    }
    spoken = spoken.slice(-300);
    const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 30;
    // The prelude is Asterisk's, and of no use to who plays.
    const shown = spoken.filter((entry) => !(entry.speaker === "A>" && (entry.text.startsWith("agi_") || entry.text === "")));
    keyed(talk, shown, (entry) => entry.number, say_line, () => {});
    if (atEnd) talk.scrollTop = talk.scrollHeight;
    if (news.end) {
      const { agistatus, detail, position, duration_seconds: seconds } = news.end;
      over(`${agistatus}: ${detail}`, agistatus === "FAILURE" ? "bad" : "good");
      put(screen.lastChild, `${span(seconds)}${position ? `; the dialplan goes on at ${position}` : ""}`);
    }
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (call) return;
    dial.disabled = true;
    const body = { path: path.value.trim(), caller_id: caller.value, dialed_number: dialed.value };
    const made = await perform(() => api.post("/phone", body));
    dial.disabled = false;
    if (!made) return;
    quit();
    [call, pressed, spoken] = [made.id, "", []];
    link.hidden = true;
    talk.replaceChildren();
    line.add({ entries: [], dropped: 0 }, true);
    screen.className = "screen busy";
    put(screen.firstChild, "Calling");
    put(screen.lastChild, "Nothing was pressed");
    playing(true);
    keypad.querySelector("[data-digit='5']").focus();
    stops.push(
      api.follow(
        { of: "phone", id: made.id },
        {
          begin: () => (spoken = []),
          state,
          gone: (error) => {
            if (error && call === made.id) over(error, "bad");
          },
        },
      ),
    );
  });
  hangUp.addEventListener("click", () => {
    const id = call;
    if (id) perform(() => api.post(`/phone/${id}/hangup`));
  });
  const key = (event) => {
    const typing = event.target instanceof HTMLInputElement || event.ctrlKey || event.altKey || event.metaKey;
    if (call && !typing && KEYS.includes(event.key)) {
      event.preventDefault();
      keypad.querySelector(`[data-digit="${CSS.escape(event.key)}"]`)?.focus();
      press(event.key);
    }
  };
  addEventListener("keydown", key);
  api
    .get("/routes")
    .then(({ routes }) => {
      paths.append(...routes.map((route) => h("option", { value: route.path }, route.name)));
      if (!path.value && routes.length) path.value = routes[0].path;
    })
    .catch((error) => say(error.message));
  return () => {
    removeEventListener("keydown", key);
    // A page that looks away hangs up.
    if (call) api.post(`/phone/${call}/hangup`).catch(() => {});
    quit();
  };
}

function say_line(entry) {
  const who = { "A>": "Asterisk", "A<": "bridge", "--": "caller" }[entry.speaker] ?? entry.speaker;
  const type = { "A>": "from", "A<": "to", "--": "person" }[entry.speaker] ?? "";
  return h("li", { class: type }, h("span", { class: "quiet number" }, `+${entry.at.toFixed(2)} s`), " ", h("b", {}, who), " ", h("span", { class: "with" }, entry.text));
}

// Elements, made of text: nothing here, and nothing elsewhere on this page, reads markup from a string.

/** An element. Attributes that begin with "on" are listeners, `class` and the others are set as text; children are text or nodes. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, String(value));
  }
  add(element, children);
  return element;
}

function add(parent, children) {
  for (const child of children.flat()) {
    if (child === undefined || child === null || child === false) continue;
    parent.append(child instanceof Node ? child : harmless(String(child)));
  }
}

/** Puts text in place of whatever is there, if it differs. */
export function put(element, text) {
  const shown = harmless(text === undefined || text === null ? "" : String(text));
  if (element.textContent !== shown) element.textContent = shown;
}

/** Control characters, and those that turn the direction of a line, come from strangers and show nothing. */
export function harmless(text) {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** Keeps one child for each item, in their order; a child that stays is changed in place and so keeps its focus. */
export function keyed(parent, items, key, create, update) {
  const wanted = new Set(items.map((item) => String(key(item))));
  const known = new Map();
  for (const child of [...parent.children]) {
    if (wanted.has(child.dataset.key)) known.set(child.dataset.key, child);
    else child.remove();
  }
  let at = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = known.get(name);
    if (!child) {
      child = create(item);
      child.dataset.key = name;
    }
    update(child, item);
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
}

/** A moment for people, as short as it can be. */
export function clock(time) {
  const date = new Date(time);
  const today = new Date().toDateString() === date.toDateString();
  const hours = date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  return today ? hours : `${date.toLocaleDateString()} ${hours}`;
}

/** A span for people. */
export function span(seconds) {
  if (seconds === undefined || seconds === null || Number.isNaN(seconds)) return "";
  const value = Math.max(0, seconds);
  if (value < 0.0995) return `${(value * 1000).toFixed(value < 0.000995 ? 2 : value < 0.00995 ? 1 : 0)} ms`;
  if (value < 60) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
  const [hours, minutes, rest] = [Math.floor(value / 3600), Math.floor(value / 60) % 60, Math.floor(value % 60)];
  return hours ? `${hours} h ${String(minutes).padStart(2, "0")} min` : `${minutes} min ${String(rest).padStart(2, "0")} s`;
}

/** An age in whole seconds. */
export function age(seconds) {
  const value = Math.max(0, Math.floor(seconds));
  return value < 60 ? `${value} s` : span(value);
}

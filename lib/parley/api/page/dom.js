// Elements from data: text is only ever text.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: h("button.quiet", {onclick, "aria-label": "Close"}, "Close"). */
export function h(what, ...parts) {
  const [name, ...classes] = what.split(".");
  return filled(document.createElement(name || "div"), classes, parts);
}

/** Make an element of a drawing. */
export function s(what, ...parts) {
  const [name, ...classes] = what.split(".");
  return filled(document.createElementNS(SVG, name), classes, parts);
}

function filled(element, classes, parts) {
  element.classList.add(...classes);
  for (const part of parts.flat(Infinity)) {
    if (part === null || part === undefined || part === false) continue;
    if (part instanceof Node) element.append(part);
    else if (typeof part === "object") set(element, part);
    else element.append(String(part));
  }
  return element;
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Put these into an element, in the place of what was there. */
export function fill(element, ...parts) {
  element.replaceChildren();
  return filled(element, [], parts);
}

export const $ = (selector, root = document) => root.querySelector(selector);

const PATHS = {
  plus: "M12 5v14M5 12h14",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M8 8h8v8H8z",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  up: "M7 11v9H4v-9h3zm0 0l4-8c1.5 0 2.5 1 2.5 2.5V9H19c1.2 0 2 1 1.8 2.2l-1.2 7c-.2 1-1 1.8-2 1.8H7",
  down: "M17 13V4h3v9h-3zm0 0l-4 8c-1.5 0-2.5-1-2.5-2.5V15H5c-1.2 0-2-1-1.8-2.2l1.2-7C4.600 4.800 5.400 4 6.400 4H17",
  bell: "M6 16V11a6 6 0 1112 0v5l1.500 2h-15zM10 21h4",
  truck: "M4 6h16v12H4zM4 7l8 6 8-6",
  gauge: "M4 20V10M10 20V4M16 20v-8M21 20H3",
  out: "M10 5H5v14h5M14 8l4 4-4 4M18 12H9",
  chat: "M5 5h14v11H10l-5 4z",
  check: "M5 13l4 4L19 7",
  tool: "M14 6a4 4 0 015 5l-9 9-4-4 9-9zM6 16l2 2",
  replay: "M5 12a7 7 0 107-7H7M10 2L7 5l3 3",
  shield: "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
};

/** Draw an icon; what it means is said by the element around it. */
export function icon(name) {
  return s("svg.icon", { viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: PATHS[name] }));
}

/** Say something to who listens to the page instead of looking at it. */
export function announce(text) {
  const live = $("#live");
  if (live) live.textContent = text;
}

/** Show for a moment that something went well, or not. */
export function toast(text, kind = "good") {
  const shown = h("p.toast", { "data-kind": kind, role: kind === "bad" ? "alert" : "status" }, text);
  document.body.append(shown);
  setTimeout(() => shown.remove(), 5000);
}

const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

/** Say how long ago something was. */
export function ago(time) {
  const seconds = (new Date(time) - Date.now()) / 1000;
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
    if (Math.abs(seconds) >= size) return AGO.format(Math.round(seconds / size), unit);
  return "just now";
}

/** Say how long something took. */
export function took(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(ms < 10000 ? 1 : 0)} s`;
  if (ms < 3600000) return `${Math.round(ms / 60000)} min`;
  return `${(ms / 3600000).toFixed(1)} h`;
}

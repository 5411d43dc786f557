// Markdown within a line: code, emphasis, links, line breaks. Gives nodes; text is only ever text.

import { h } from "./dom.js";

const RULES = [
  [/^\\([!-/:-@[-`{-~])/, (m) => m[1]],
  [/^(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)/, (m) => h("code", m[2].replace(/\n/g, " ").replace(/^ (.+) $/, "$1"))],
  [/^!\[([^\]]*)\]\([^()\s]*\)/, (m) => m[1]], // a picture from elsewhere would tell who reads
  [/^\[((?:[^[\]\\]|\\.)+)\]\(\s*<?([^\s<>()]*(?:\([^\s()]*\)[^\s<>()]*)*)>?(?:\s+"[^"]*")?\s*\)/, (m) => link(m[2], inline(m[1]))],
  [/^\[(\d{1,2})\](?!\()/, (m, say) => say.cite?.(Number(m[1])) ?? m[0]],
  [/^<(https?:\/\/[^\s<>]+)>/, (m) => link(m[1], m[1])],
  [/^(?:https?:\/\/)[^\s<>()"']*[^\s<>()"'.,;:!?]/, (m) => link(m[0], m[0])],
  [/^\*\*(?=\S)([\s\S]*?\S)\*\*(?!\*)/, (m, say) => h("strong", inline(m[1], say))],
  [/^__(?=\S)([\s\S]*?\S)__(?![\w_])/, (m, say) => h("strong", inline(m[1], say))],
  [/^~~(?=\S)([\s\S]*?\S)~~/, (m, say) => h("del", inline(m[1], say))],
  [/^\*(?=[^\s*])([\s\S]*?[^\s*])\*(?!\*)/, (m, say) => h("em", inline(m[1], say))],
  [/^_(?=[^\s_])([\s\S]*?[^\s_])_(?![\w_])/, (m, say) => h("em", inline(m[1], say))],
  [/^(?: {2,}|\\)\n/, () => h("br")],
];
const STARTS = /[\\`![<*_~]|https?:\/\/| {2,}\n/;

/** Give the nodes of a piece of text. `say.cite(n)`: what stands for the mark of source n. */
export function inline(text, say = {}) {
  const found = [];
  let rest = text;
  let before = "";
  while (rest) {
    const at = rest.search(STARTS);
    if (at < 0) break;
    found.push(rest.slice(0, at));
    before = at ? rest[at - 1] : before;
    rest = rest.slice(at);
    const [node, length] = matched(rest, before, say) ?? [rest[0], 1];
    found.push(node);
    before = rest[length - 1];
    rest = rest.slice(length);
  }
  return [...found, rest].filter((one) => one !== "");
}

function matched(rest, before, say) {
  for (const [pattern, make] of RULES) {
    const m = pattern.exec(rest);
    if (!m || (rest[0] === "_" && /\w/.test(before))) continue;
    return [make(m, say), m[0].length];
  }
  return null;
}

/** Make a link, when it leads to the web or to a mailbox; else give its text. */
export function link(url, inner) {
  if (!/^(https?:\/\/|mailto:)[^\s]+$/i.test(url)) return h("span", inner);
  return h("a", { href: url, rel: "noopener noreferrer nofollow", target: "_blank" }, inner);
}

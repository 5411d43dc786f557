// Markdown as nodes: the parts of CommonMark that answers use, and GFM's tables. No HTML: it stays text.

import { h } from "./dom.js";
import { inline } from "./inline.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?\s*#*\s*$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( +|$)(.*)$/;
const TABLE = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

/** Give the nodes of a text. `say`: see inline. */
export function markdown(text, say = {}) {
  return blocks(text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n"), say, 0);
}

function blocks(lines, say, depth) {
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const [node, next] = block(lines, at, say, depth);
    found.push(node);
    at = next;
  }
  return found;
}

function block(lines, at, say, depth) {
  const line = lines[at];
  const fence = FENCE.exec(line);
  if (fence) return code(lines, at, fence[1]);
  const heading = HEADING.exec(line);
  if (heading) return [h(`h${Math.min(heading[1].length + 2, 6)}`, inline(heading[2] || "", say)), at + 1];
  if (RULE.test(line)) return [h("hr"), at + 1];
  if (depth < 8 && QUOTE.test(line)) return quote(lines, at, say, depth);
  if (depth < 8 && ITEM.test(line)) return list(lines, at, say, depth);
  if (line.includes("|") && TABLE.test(lines[at + 1] || "")) return table(lines, at, say);
  return paragraph(lines, at, say);
}

function code(lines, at, mark) {
  let end = at + 1;
  const closes = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}\\s*$`);
  while (end < lines.length && !closes.test(lines[end])) end += 1;
  return [h("pre", { tabindex: "0" }, h("code", lines.slice(at + 1, end).join("\n"))), end + 1];
}

function quote(lines, at, say, depth) {
  let end = at;
  while (end < lines.length && lines[end].trim() && (QUOTE.test(lines[end]) || end > at)) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [h("blockquote", blocks(inner, say, depth + 1)), end];
}

function list(lines, at, say, depth) {
  const first = ITEM.exec(lines[at]);
  const ordered = /\d/.test(first[2]);
  const kind = ordered ? first[2].at(-1) : first[2];
  const items = [];
  let loose = false;
  let end = at;
  while (end < lines.length) {
    const item = ITEM.exec(lines[end]);
    if (!item || (/\d/.test(item[2]) ? item[2].at(-1) : item[2]) !== kind || RULE.test(lines[end])) break;
    const indent = item[1].length + item[2].length + Math.min(item[3].length || 1, 4);
    const [inner, next] = itemLines(lines, end, item[4], indent);
    items.push(inner);
    loose ||= inner.slice(0, -1).some((line, n) => !line.trim() && inner[n + 1].trim());
    end = next;
    while (end < lines.length && !lines[end].trim() && ITEM.test(lines[end + 1] || "")) end += 1;
  }
  const start = ordered && Number.parseInt(first[2], 10) !== 1 ? { start: Number.parseInt(first[2], 10) } : {};
  return [h(ordered ? "ol" : "ul", start, items.map((inner) => h("li", unwrapped(blocks(inner, say, depth + 1), loose)))), end];
}

function itemLines(lines, at, first, indent) {
  const inner = [first];
  let end = at + 1;
  for (; end < lines.length; end += 1) {
    const line = lines[end];
    const inside = line.startsWith(" ".repeat(indent));
    if (inside) inner.push(line.slice(indent));
    else if (!line.trim()) {
      if (!(lines[end + 1] || "").startsWith(" ".repeat(indent))) break;
      inner.push("");
    } else if (ITEM.test(line.trimStart()) || HEADING.test(line) || FENCE.test(line) || QUOTE.test(line)) break;
    else inner.push(line.trim());
  }
  return [inner, end];
}

function unwrapped(nodes, loose) {
  return loose ? nodes : nodes.flatMap((node) => (node.nodeName === "P" ? [...node.childNodes] : [node]));
}

function table(lines, at, say) {
  const marks = cells(lines[at + 1]);
  const sides = marks.map((mark) => (/^:-+:$/.test(mark) ? "center" : /-:$/.test(mark) ? "right" : "left"));
  const row = (line, name) =>
    h("tr", sides.map((side, n) => h(name, { "data-side": side }, inline(cells(line)[n] ?? "", say))));
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|") && lines[end].trim()) end += 1;
  const body = lines.slice(at + 2, end).map((line) => row(line, "td"));
  const whole = h("table", h("thead", row(lines[at], "th")), h("tbody", body));
  return [h("div.wide", { tabindex: "0", role: "group", "aria-label": "Table" }, whole), end];
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(^|[^\\])\|$/, "$1");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function paragraph(lines, at, say) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !interrupts(lines[end])) end += 1;
  const text = lines.slice(at, end).map((line) => line.trimStart()).join("\n").replace(/\s+$/, "");
  return [h("p", inline(text, say)), end];
}

function interrupts(line) {
  const item = ITEM.exec(line);
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || (item && item[4] && !/^(?!1[.)])\d/.test(item[2]));
}

// One request through its functions, as a picture: a lane for each who worked or was waited for, time from left to right.

import { announce, fill, h, s, took } from "./dom.js";
import { get } from "./api.js";
import { every, LOOKS } from "./lists.js";
import { delivery, tag } from "./settings.js";

const ORDER = ["request-api", "slack-ingest", "agent-turn", "tools", "person"];
const [LEFT, WIDTH, ROW, TOP] = [150, 1040, 46, 34];
const ENDED = new Set(["completed", "failed", "cancelled"]);

export async function timeline(place, { id, stops }) {
  const head = h("header.title");
  const picture = h("div.panel.picture");
  const sent = h("div.panel");
  fill(place, head, picture, sent);
  let last = "";
  let over = false;
  await every(1.5, stops, async () => {
    if (over) return;
    const found = await get(`/admin/requests/${id}/timeline`);
    const now = JSON.stringify([found.spans, found.state]);
    const moves = found.spans.some((span) => !span.end);
    over = ENDED.has(found.state) && !moves;
    if (now === last && !moves) return;
    if (last && now !== last) announce(`The request is ${found.state}.`);
    fill(head, h("h1", "Request"), tag(found.state, LOOKS), h("p.quiet.small", h("code", found.id)), facts(found));
    fill(picture, drawing(found), words(found));
    if (now !== last) fill(sent, h("h2", "Deliveries"), await deliveries(id));
    last = now;
  });
}

async function deliveries(id) {
  const { items, explained } = await get(`/requests/${id}/deliveries`);
  return [items.length ? items.map(delivery) : h("p.quiet.small.pad", "None: the answer is fetched, or there is none yet."),
    explained.length ? h("ul.why", explained.map((one) => h("li", one.says))) : null];
}

function facts(found) {
  const one = (name, value) => h("div", h("dt", name), h("dd", value));
  const end = new Date(found.finished_at ?? found.at);
  return h("dl.facts",
    one("of", h("a", { href: `#person/${found.user}` }, "a person")), one("from", found.source), one("took", took(end - new Date(found.created_at))), one("steps", found.step),
    one("claims", found.epoch), one("attempts since", found.attempt), one("nudges", found.nudges),
    found.due_at && one("due", new Date(found.due_at).toLocaleTimeString()));
}

/** Give the places of times: long waits are drawn short, so that what happened around them is seen. */
function scale(found) {
  const times = found.spans.flatMap((span) => [span.start, span.end ?? found.at]).map((time) => +new Date(time));
  const points = [...new Set(times)].sort((a, b) => a - b);
  const weights = points.slice(1).map((time, n) => Math.log1p((time - points[n]) / 30) + 0.02);
  const whole = weights.reduce((a, b) => a + b, 0) || 1;
  const places = new Map([[points[0], LEFT]]);
  let x = LEFT;
  weights.forEach((weight, n) => places.set(points[n + 1], (x += (weight / whole) * (WIDTH - LEFT - 36))));
  return { x: (time) => places.get(+new Date(time)), points, places };
}

function drawing(found) {
  const lanes = [...new Set(found.spans.map((span) => span.lane))].sort((a, b) => place(a) - place(b));
  const { x, points, places } = scale(found);
  const height = TOP + lanes.length * ROW + 14;
  const svg = s("svg.timeline", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `Timeline of a request that is ${found.state}: described below` });
  svg.append(...ticks(points, places, height));
  lanes.forEach((lane, row) => {
    const y = TOP + row * ROW;
    svg.append(s("g.lane", s("line", { x1: LEFT, x2: WIDTH, y1: y + ROW, y2: y + ROW }), s("text", { x: 0, y: y + ROW / 2 + 5 }, lane)));
    for (const span of found.spans.filter((one) => one.lane === lane)) svg.append(shape(span, y, x, found.at));
  });
  return h("div.wide", { tabindex: "0", role: "group", "aria-label": "Timeline" }, svg);
}

const place = (lane) => (ORDER.includes(lane) ? ORDER.indexOf(lane) : ORDER.length);

function ticks(points, places, height) {
  const shown = [];
  let right = -Infinity;
  for (const time of points) {
    const at = places.get(time);
    if (at - right < 74) continue;
    right = at;
    shown.push(s("g.tick", s("line", { x1: at, x2: at, y1: 22, y2: height }), s("text", { x: at, y: 14 }, `+${took(time - points[0])}`)));
  }
  return shown;
}

const HEIGHTS = { turn: 30, delivery: 6, queued: 6, attempt: 22, approval: 22 };

function shape(span, top, x, now) {
  const [from, to] = [x(span.start), x(span.end ?? now)];
  const middle = top + ROW / 2;
  const title = s("title", said(span, now));
  const look = { "data-is": span.state, "data-kind": span.kind, "data-open": !span.end };
  if (span.kind === "accepted" || span.kind === "end")
    return s("g.span", look, title, s("circle", { cx: from, cy: middle, r: 7 }));
  const high = HEIGHTS[span.kind] ?? 18;
  const wide = Math.max(to - from, 6);
  const label = wide > span.label.length * 6.7 + 12 && high > 12 && span.kind !== "turn" ? s("text", { x: from + wide / 2, y: middle + 4 }, span.label) : null;
  return s("g.span", look, title, s("rect", { x: from, y: middle - high / 2, width: wide, height: high, rx: Math.min(high / 2, 7) }), label);
}

function said(span, now) {
  const long = span.start === span.end ? "" : `, ${took(new Date(span.end ?? now) - new Date(span.start))}${span.end ? "" : " so far"}`;
  return `${span.lane}: ${span.label}${long}${span.detail ? ` (${span.detail})` : ""}`;
}

/** The same in words, for who does not look at pictures. */
function words(found) {
  return h("details.words", h("summary", "In words"), h("ol", found.spans.map((span) =>
    h("li", h("time.quiet.number", new Date(span.start).toLocaleTimeString([], { hour12: false })), " ", said(span, found.at), " ", span.state !== "done" && tag(span.state, { failed: "bad", open: "busy", waits: "warn" })))));
}

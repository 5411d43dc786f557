// Lists of the console: requests, the latest first, and what is stuck.

import { ago, fill, h, took } from "./dom.js";
import { get } from "./api.js";
import { tag } from "./settings.js";

export const LOOKS = { completed: "good", failed: "bad", cancelled: "", running: "busy", queued: "busy", requires_action: "warn",
  delivered: "good", sending: "busy", parked: "warn", expired: "bad", unknown: "warn", planned: "" };

/** Do something now and every few seconds, while its view is shown and somebody can see it. */
export async function every(seconds, stops, doIt) {
  await doIt();
  const timer = setInterval(() => document.hidden || doIt().catch(() => {}), seconds * 1000);
  stops.push(() => clearInterval(timer));
}

/** Show the latest requests of everybody. */
export async function requests(place, { stops }) {
  const body = h("tbody");
  const chosen = h("select", { "aria-label": "Status" }, [["", "All"], ["queued", "Queued"], ["running", "Running"], ["requires_action", "Waiting for a person"], ["completed", "Completed"], ["failed", "Failed"], ["cancelled", "Cancelled"]]
    .map(([value, said]) => h("option", { value }, said)));
  let next = null;
  const load = async (more = "") => {
    const wanted = chosen.value ? `&status=${chosen.value}` : "";
    const page = await get(`/requests?user_id=all&limit=25${wanted}${more}`);
    next = page.next_cursor;
    older.hidden = !next;
    const rows = page.items.map(row);
    if (more) body.append(...rows);
    else fill(body, rows.length ? rows : h("tr", h("td.quiet", { colspan: 5 }, "Nothing was asked.")));
  };
  const older = h("button.soft", { type: "button", hidden: true, onclick: () => load(`&cursor=${encodeURIComponent(next)}`) }, "Older ones");
  chosen.addEventListener("change", () => load());
  fill(place,
    h("header.title", h("h1", "Requests"), h("div.choice", chosen)),
    h("div.panel", table("Requests", ["Request", "From", "Status", "Asked", "Took"], body)), older);
  await every(5, stops, () => (older.dataset.used ? Promise.resolve() : load()));
  older.addEventListener("click", () => (older.dataset.used = "yes"));
}

function row(one) {
  const end = one.finished_at ? new Date(one.finished_at) : null;
  return h("tr",
    h("td", h("a", { href: `#timeline/${one.request_id}` }, one.content ? one.content.slice(0, 90) : one.request_id.slice(0, 18))),
    h("td.quiet", one.source), h("td", tag(one.status, LOOKS)),
    h("td.quiet", { title: one.created_at }, ago(one.created_at)),
    h("td.number", end ? took(end - new Date(one.created_at)) : "…"));
}

/** Make a table that can be scrolled on a phone. */
export function table(label, heads, body) {
  return h("div.wide", { tabindex: "0", role: "group", "aria-label": label }, h("table", h("thead", h("tr", heads.map((head) => h("th", { scope: "col" }, head)))), body));
}

/** Show what is overdue, or waits for somebody to mend something. */
export async function stuck(place, { stops }) {
  const body = h("tbody");
  fill(place, h("header.title", h("h1", "Stuck work"), h("p.quiet", "What is overdue by a minute or more, was nudged in vain, or waits for somebody to mend something.")),
    h("div.panel", table("Stuck work", ["What", "State", "Overdue", "Nudges", "Why"], body)));
  await every(5, stops, async () => {
    const { items } = await get("/admin/stuck");
    fill(body, items.length ? items.map((one) => h("tr",
      h("td", h("a", { href: `#timeline/${one.request_id}` }, one.kind === "request" ? "Turn" : `Delivery by ${one.channel}`)),
      h("td", tag(one.state, LOOKS)), h("td.number", took(one.overdue_seconds * 1000)), h("td.number", one.nudges), h("td.quiet", one.reason ?? "")))
      : h("tr", h("td.quiet", { colspan: 5 }, "Nothing is stuck.")));
  });
}

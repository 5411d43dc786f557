// What happened lately: what is open, questions and their ends, how long answers took, deliveries, votes.

import { fill, h, took } from "./dom.js";
import { get } from "./api.js";
import { every } from "./lists.js";
import { bars, lines, shares } from "./plots.js";

const TILES = [["queued", "Queued"], ["running", "Running"], ["waiting", "Waiting for people", "warn"], ["deliveries", "To be delivered"], ["dead_letters", "Dead letters", "bad", "#letters"], ["escalations", "Escalations", "warn"]];

export async function overview(place, { stops }) {
  const last = h("select", { "aria-label": "How far to look back" }, [["hour", "Last hour"], ["day", "Last day"], ["week", "Last week"]].map(([value, said]) => h("option", { value }, said)));
  last.value = "hour";
  const tiles = h("div.tiles");
  const plots = h("div.plots");
  const load = async () => {
    const found = await get(`/admin/metrics?last=${last.value}`);
    fill(tiles, TILES.map(([name, said, look, href]) => h(href ? "a.tile" : "div.tile", { href, "data-is": found.now[name] ? look : null }, h("b", found.now[name]), h("span", said))));
    fill(plots, questions(found), latency(found), sent(found), votes(found));
  };
  last.addEventListener("change", load);
  fill(place, h("header.title", h("h1", "Overview"), h("div.choice", last)), tiles, plots);
  await every(5, stops, load);
}

const panel = (title, note, ...inner) => h("section.panel.plot", h("h2", title, note && h("span.quiet", note)), inner);
const sum = (rows, name) => rows.reduce((whole, row) => whole + row[name], 0);

function questions({ requests }) {
  const kinds = [["completed", "accent"], ["failed", "bad"], ["cancelled", "edge"]];
  return panel("Questions", `${sum(requests, "asked")} asked`,
    bars("Questions over time", requests.map((row) => ({ at: row.at, parts: [...kinds.map(([name, look]) => ({ name, look, value: row[name] })), { name: "open", look: "tint", value: Math.max(0, row.asked - row.completed - row.failed - row.cancelled) }] }))));
}

function latency({ requests }) {
  const known = requests.filter((row) => row.p50 !== null);
  const newest = known.at(-1);
  return panel("Question to answer", newest ? `now ${took(newest.p50 * 1000)} in the middle` : "",
    lines("Time from the question to the answer", requests.map((row) => row.at), [{ name: "p95", look: "soft", values: requests.map((row) => row.p95) }, { name: "p50", look: "accent", values: requests.map((row) => row.p50) }]));
}

const GOOD = { delivered: "good", failed: "bad", retry: "warn", wait: "warn", unsure: "edge", parked: "warn" };

function sent({ deliveries }) {
  const channels = [...new Set(deliveries.map((one) => one.channel))];
  if (!channels.length) return panel("Attempts to deliver", "", h("p.quiet.small.pad", "None."));
  return panel("Attempts to deliver", `${sum(deliveries, "count")}`, channels.map((channel) =>
    shares(channel, deliveries.filter((one) => one.channel === channel).map((one) => ({ name: one.outcome, look: GOOD[one.outcome] ?? "edge", value: one.count })))));
}

function votes({ votes: { up, down, reasons } }) {
  if (!up && !down) return panel("Votes", "", h("p.quiet.small.pad", "Nobody has said anything yet."));
  return panel("Votes", `${Math.round((100 * up) / (up + down))} % helped`,
    shares("answers", [{ name: "helped", look: "good", value: up }, { name: "did not", look: "bad", value: down }]),
    reasons.length ? shares("why not", reasons.map((one, n) => ({ name: one.reason, look: ["bad", "warn", "edge", "soft", "tint"][n % 5], value: one.count }))) : null);
}

// Trouble that many deliveries share, and how one person is reached: what is in force, why, and their receivers.

import { ago, announce, fill, h, toast } from "./dom.js";
import { get, post } from "./api.js";
import { every, table } from "./lists.js";
import { tag } from "./settings.js";

const RECEIVERS = { ok: "good", failing: "warn", disabled: "bad" };

/** Show what is open; an admin says that it is over. */
export async function circuits(place, { me, stops }) {
  const body = h("tbody");
  const load = async () => {
    const { items } = await get("/admin/circuits");
    fill(body, items.length ? items.map((one) => row(one, me, load)) : h("tr", h("td.quiet", { colspan: 6 }, "There is no trouble.")));
  };
  fill(place, h("header.title", h("h1", "Trouble"), h("p.quiet", "Credentials or receivers that fail for many: what is to be sent there waits, and one delivery tries now and then.")),
    h("div.panel", table("Trouble", ["What", "Why", "Failures", "Since", "Waiting", "Actions"], body)));
  await every(10, stops, load);
}

function row(one, me, reload) {
  const over = (event) => acted(event, reload, "What was waiting is sent.", () => post(`/admin/circuits/${encodeURIComponent(one.name)}/close`));
  return h("tr", h("td", h("code", one.name)), h("td", [one.code, one.reason].filter(Boolean).join(" · ")), h("td.number", one.failures),
    h("td.quiet", { title: one.failing_since }, ago(one.failing_since)), h("td.number", one.parked),
    h("td.acts", me.role === "admin" && h("button.soft", { type: "button", "aria-label": `${one.name} is over`, onclick: over }, "It is over")));
}

async function acted(event, reload, said, doIt) {
  event.target.disabled = true;
  try {
    await doIt();
    toast(said);
    announce(said);
  } catch (problem) {
    toast(problem.message, "bad");
  }
  await reload();
}

/** Show how a person is reached: each field with where it comes from, and how their receivers are. */
export async function person(place, { id, me, stops }) {
  const [body, calls] = [h("tbody"), h("tbody")];
  const load = async () => {
    const [{ items }, own] = await Promise.all([get(`/users/${id}/integration-defaults?explain=1`), get(`/users/${id}/integrations`)]);
    fill(body, items.map(channel));
    const hooks = own.items.filter((one) => "url" in one.config);
    const states = await Promise.all(hooks.map((one) => get(`/users/${id}/integrations/${one.channel}/status`)));
    fill(calls, states.length ? states.map((one) => receiver(one, id, me, load)) : h("tr", h("td.quiet", { colspan: 5 }, "None.")));
  };
  fill(place, h("header.title", h("h1", "How a person is reached"), h("p.quiet.small", h("code", id))),
    h("div.panel", table("In force", ["Channel", "Used", "Rank", "Success is", "Address", "From"], body)),
    h("div.panel", h("h2", "Receivers"), table("Receivers", ["Channel", "State", "Why", "Secret", "Actions"], calls)));
  await every(10, stops, load);
}

function channel(one) {
  const from = Object.entries(one.origin ?? {}).filter(([, where]) => where !== "default").map(([name, where]) => `${name}: ${where}`);
  return h("tr", h("td", h("b", one.channel)), h("td", one.enabled ? "yes" : "never"), h("td.number", one.rank ?? "–"), h("td.quiet", one.level),
    h("td.quiet", Object.values(one.config ?? {}).join(" · ")), h("td.quiet", from.join(", ") || "default"));
}

function receiver(one, id, me, reload) {
  const path = `/users/${id}/integrations/${one.channel}`;
  const again = (event) => acted(event, reload, "It is called again.", () => post(`${path}/enable`));
  const missed = (event) => acted(event, reload, "What it missed in the last day is sent once more.",
    () => post(`${path}/replay`, { since: new Date(Date.now() - 864e5).toISOString(), until: new Date().toISOString() }, { "Idempotency-Key": crypto.randomUUID() }));
  return h("tr", h("td", h("b", one.channel)), h("td", tag(one.state, RECEIVERS)), h("td.quiet", one.reason ?? ""), h("td.number", one.generation),
    h("td.acts", me.role === "admin" && [h("button.soft", { type: "button", onclick: again }, "Call it again"), " ", h("button.soft", { type: "button", onclick: missed }, "Send what it missed")]));
}

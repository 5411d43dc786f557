// Events that a function could not take: look at them, and publish them again.

import { ago, announce, fill, h, icon, toast } from "./dom.js";
import { get, post } from "./api.js";
import { every, table } from "./lists.js";
import { dialog, tag } from "./settings.js";

const PATH = "/admin/dead-letters";

export async function letters(place, { me, stops }) {
  const body = h("tbody");
  const all = h("input", { type: "checkbox", role: "switch", id: "all" });
  const load = async () => {
    const { items } = await get(`${PATH}?limit=50${all.checked ? "&all=true" : ""}`);
    fill(body, items.length ? items.map((one) => row(one, me, load)) : h("tr", h("td.quiet", { colspan: 6 }, "There are no dead letters.")));
  };
  all.addEventListener("change", load);
  fill(place,
    h("header.title", h("h1", "Dead letters"), h("div.choice", h("label.small", { for: "all" }, "Those done, too"), all)),
    h("div.panel", table("Dead letters", ["Event", "Could not be taken by", "Why", "Since", "State", "Actions"], body)));
  await every(10, stops, load);
}

function row(one, me, reload) {
  const again = async (event) => {
    event.target.disabled = true;
    try {
      await post(`${PATH}/${one.id}/replay`);
      toast("It was published again.");
      announce("The dead letter was published again.");
    } catch (problem) {
      toast(problem.message, "bad");
    }
    await reload();
  };
  const state = one.closed_at ? tag("closed") : one.replayed_at ? tag("replayed", { replayed: "good" }) : tag("open", { open: "warn" });
  const look = me.role === "admin" && h("button.pill", { type: "button", onclick: () => show(one.id) }, "Look");
  return h("tr",
    h("td", h("code", one.type)), h("td.quiet", one.destination.replace(/^https?:\/\//, "")), h("td", [one.code, one.reason ?? one.closed_reason].filter(Boolean).join(" · ")),
    h("td.quiet", { title: one.stored_at }, ago(one.stored_at)), h("td", state),
    h("td.acts", look, !one.replayed_at && !one.closed_at && h("button.soft", { type: "button", "aria-label": `Replay ${one.type}`, onclick: again }, icon("replay"), "Replay")));
}

async function show(id) {
  const inner = dialog("Dead letter");
  try {
    const letter = await get(`${PATH}/${id}`);
    fill(inner, h("p.quiet.small", letter.source), h("pre", { tabindex: "0" }, JSON.stringify(letter.event, null, 2)));
  } catch (problem) {
    fill(inner, h("p.trouble", problem.message));
  }
}

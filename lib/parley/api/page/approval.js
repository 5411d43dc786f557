// What a turn wants to do and may not without a yes: shown as it would be done, decided by one of two buttons.

import { h, icon, toast } from "./dom.js";
import { post } from "./api.js";

/** Give the card of an action; `decided(decision)` is told when it is. A decision is bound to what is shown: to the digest of tool and arguments. */
export function approval(requestId, action, decided) {
  const id = `action-${action.action_id}`;
  const end = h("p.small.quiet", action.expires_at && `Open until ${new Date(action.expires_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}.`);
  const decide = async (decision) => {
    for (const button of buttons) button.disabled = true;
    try {
      await post(`/requests/${requestId}/actions/${action.action_id}`, { decision, digest: action.digest });
      decided(decision);
    } catch (problem) {
      toast(problem.message, "bad");
      for (const button of buttons) button.disabled = false;
    }
  };
  const buttons = [
    h("button.main", { type: "button", onclick: () => decide("approve") }, icon("check"), "Approve"),
    h("button.soft", { type: "button", onclick: () => decide("deny") }, "Deny"),
  ];
  const rows = Object.entries(action.arguments ?? {}).map(([name, value]) => [
    h("dt", name.replace(/_/g, " ")),
    h("dd", typeof value === "object" ? JSON.stringify(value) : String(value)),
  ]);
  return h("section.approval", { "aria-labelledby": id },
    h("h2", { id }, icon("shield"), "Shall I do this?"),
    h("p", action.summary),
    rows.length ? h("dl", rows) : null,
    h("div.buttons", buttons), end);
}

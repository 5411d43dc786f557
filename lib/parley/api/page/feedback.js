// What stands under an answer: copy it, say whether it helped, hand it to people.

import { fill, h, icon, toast } from "./dom.js";
import { post } from "./api.js";

const REASONS = { wrong: "Wrong", incomplete: "Incomplete", outdated: "Outdated", unclear: "Unclear", other: "Something else" };

/** Give the row of buttons. */
export function feedback(requestId, text) {
  const more = h("div.why");
  const rate = async (rating, reason) => {
    try {
      await post(`/requests/${requestId}/feedback`, reason ? { rating, reason } : { rating });
      up.setAttribute("aria-pressed", rating === "up");
      down.setAttribute("aria-pressed", rating === "down");
      if (rating === "up" || reason) fill(more, h("span.quiet.small", { role: "status" }, "Thank you."));
      else fill(more, h("span.quiet.small", "What was wrong?"), reasons());
    } catch (problem) {
      toast(problem.message, "bad");
    }
  };
  const reasons = () => Object.entries(REASONS).map(([reason, said]) =>
    h("button.pill", { type: "button", onclick: () => rate("down", reason) }, said));
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  };
  const hand = async () => {
    try {
      await post(`/requests/${requestId}/escalate`);
      fill(more, h("span.quiet.small", { role: "status" }, "People will look at it."));
    } catch (problem) {
      toast(problem.message, "bad");
    }
  };
  const button = (name, label, onclick, more = {}) => h("button.bare", { type: "button", "aria-label": label, title: label, onclick, ...more }, icon(name));
  const up = button("up", "It helped", () => rate("up"), { "aria-pressed": "false" });
  const down = button("down", "It did not help", () => rate("down"), { "aria-pressed": "false" });
  return h("div.after", button("copy", "Copy the answer", copy), up, down,
    h("button.pill", { type: "button", onclick: hand }, "Ask a person"), more);
}

// The progress of a request, as it happens: cut at any place, it goes on behind the last event that was seen.

import { API } from "./api.js";

const TYPES = ["status", "step", "text", "reset", "tool_call", "citation", "requires_action", "gap", "completed", "failed", "cancelled"];
export const ENDS = new Set(["completed", "failed", "cancelled"]);

/**
 * Follow a request. `take(type, data)` gets each event once; `state("open" | "cut")` tells how the line is, and
 * `over()` that all was told without an end being seen. Gives a function that stops it.
 *
 * The browser itself comes back with the number of the last event; what it would repeat is left out.
 */
export function follow(requestId, { take, state = () => {}, over = () => {} }) {
  const source = new EventSource(`${API}/requests/${requestId}/events`);
  let last = 0;
  const stop = () => source.close();
  for (const type of TYPES)
    source.addEventListener(type, (event) => {
      const seq = Number(event.lastEventId);
      if (type !== "gap" && seq <= last) return;
      if (type !== "gap") last = seq;
      if (ENDS.has(type)) stop();
      take(type, JSON.parse(event.data));
    });
  source.addEventListener("open", () => state("open"));
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) over();
    else state("cut");
  });
  return stop;
}

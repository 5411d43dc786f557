// The list of conversations, the latest first.

import { ago, fill, h, icon, toast } from "./dom.js";
import { call, get } from "./api.js";

export class Sessions {
  /** `choose(session)`: called when one is chosen, with null when the one that is shown was erased. */
  constructor(element, choose) {
    this.element = element;
    this.choose = choose;
    this.items = [];
    this.next = null;
    this.shown = null;
  }

  async load(more = "") {
    try {
      const page = await get(`/sessions?limit=30${more}`);
      this.items.push(...page.items.filter((one) => !this.items.some((known) => known.session_id === one.session_id)));
      this.next = page.next_cursor;
      this.draw();
    } catch (problem) {
      toast(problem.message, "bad");
    }
  }

  add(session) {
    this.items.unshift(session);
    this.mark(session.session_id);
  }

  /** Mark the one that is shown. */
  mark(sessionId) {
    this.shown = sessionId ?? null;
    this.draw();
  }

  draw() {
    const rows = this.items.filter((one) => one.status === "open").map((one) => this.row(one));
    const more = this.next && h("button.pill", { type: "button", onclick: () => this.load(`&cursor=${encodeURIComponent(this.next)}`) }, "Older ones");
    fill(this.element, rows.length ? h("ul", rows) : h("p.quiet.small", "Your conversations will be here."), more);
  }

  row(one) {
    const isShown = one.session_id === this.shown;
    const title = one.title || "Conversation";
    return h("li", { "data-on": isShown },
      h("a.row", { href: `/chat?session=${one.session_id}`, "aria-current": isShown ? "page" : null, onclick: (event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        this.choose(one);
      } }, h("span.name", title), h("time.quiet", { datetime: one.updated_at }, ago(one.updated_at))),
      h("button.bare", { type: "button", "aria-label": `Erase “${title}”`, onclick: () => this.erase(one) }, icon("close")));
  }

  async erase(one) {
    if (!confirm(`Erase “${one.title || "this conversation"}” for good?`)) return;
    try {
      const { headers } = await call("GET", `/sessions/${one.session_id}`);
      await call("DELETE", `/sessions/${one.session_id}`, undefined, { "If-Match": headers.get("ETag") });
      this.items = this.items.filter((other) => other !== one);
      if (one.session_id === this.shown) this.choose(null);
      else this.draw();
    } catch (problem) {
      toast(problem.message, "bad");
    }
  }
}

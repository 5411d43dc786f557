// One question and its answer, as it is shown: what streams in, what is done meanwhile, what came of it.

import { announce, fill, h, icon, toast } from "./dom.js";
import { get, post } from "./api.js";
import { approval } from "./approval.js";
import { feedback } from "./feedback.js";
import { markdown } from "./markdown.js";
import { follow, ENDS } from "./stream.js";

const DOING = { model: "Thinking", tool: "Using a tool", handover: "Handing over", summary: "Reading back" };

export class Turn {
  /** `changed(state)`: told whenever the turn begins to run, waits, or has ended. */
  constructor(question, changed = () => {}) {
    this.changed = changed;
    this.id = null;
    this.state = "queued";
    this.text = "";
    this.citations = [];
    this.tools = new Map();
    this.status = h("p.doing", { role: "status" }, h("span.dots", h("i"), h("i"), h("i")), h("span", "Sent"));
    this.chips = h("div.tools");
    this.body = h("div.answer");
    this.card = h("div.card");
    this.foot = h("div.foot");
    this.element = h("article.turn", { "aria-label": "Question and answer" },
      h("div.question", h("div.bubble", h("span.out", "You asked: "), question)),
      h("div.reply", this.chips, this.card, this.body, this.status, this.foot));
  }

  /** Follow a request that runs. */
  follow(requestId) {
    this.id = requestId;
    this.stop = follow(requestId, {
      take: (type, data) => this.take(type, data),
      state: (line) => this.element.toggleAttribute("data-cut", line === "cut"),
      over: () => this.load(),
    });
  }

  /** Show a request of a list that has ended. */
  show({ request_id, status, result, error }) {
    this.id = request_id;
    if (result || error || status === "cancelled") this.end(status, result, error);
    else this.end("failed", null, { title: "It was erased." });
  }

  /** Show what has become of the request, or go on to follow it. */
  async load() {
    try {
      const found = await get(`/requests/${this.id}/result`);
      if (!ENDS.has(found.status)) return this.follow(this.id);
      this.end(found.status, found.result, found.error);
    } catch (problem) {
      this.end("failed", null, { title: problem.status === 410 ? "It was erased." : problem.message });
    }
  }

  /** Take an event of the stream. */
  take(type, data) {
    if (type === "status") this.now(data.status);
    else if (type === "step") this.say(data.state === "started" ? (DOING[data.kind] ?? "Working") : null);
    else if (type === "text") this.write(this.text + data.delta);
    else if (type === "reset") this.write("");
    else if (type === "tool_call") this.tool(data);
    else if (type === "citation") this.citations.push(data);
    else if (type === "requires_action") this.ask(data.action_id);
    else if (ENDS.has(type)) this.end(type, data.result, data.error);
  }

  now(state) {
    this.state = state;
    if (state !== "requires_action") this.card.replaceChildren();
    this.say({ queued: "Waiting for its turn", running: "Thinking", requires_action: "Waiting for you" }[state]);
    this.changed(state);
  }

  say(text) {
    if (text) this.status.lastChild.textContent = text;
  }

  write(text) {
    this.text = text;
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      fill(this.body, markdown(this.text, this.marks()));
      this.changed("writing");
    });
  }

  tool({ step, tool, state }) {
    const known = this.tools.get(`${step} ${tool}`);
    const chip = known ?? this.chips.appendChild(h("span.chip", icon("tool"), tool.replace(/[_.]+/g, " "), h("span.out")));
    this.tools.set(`${step} ${tool}`, chip);
    chip.dataset.is = state;
    chip.lastChild.textContent = `: ${state}`;
  }

  async ask(actionId) {
    const status = await get(`/requests/${this.id}/status`);
    const action = status.requires_action.find((one) => one.action_id === actionId);
    if (!action) return;
    fill(this.card, approval(this.id, action, (decision) => this.decided(action, decision)));
    announce(`Parley asks for your approval: ${action.summary}`);
    this.changed("requires_action");
  }

  decided(action, decision) {
    const [state, said, name] = decision === "approve" ? ["done", "Approved", "check"] : ["failed", "Denied", "close"];
    this.card.replaceChildren();
    this.chips.append(h("span.chip", { "data-is": state, tabindex: "-1" }, icon(name), `${said}: ${action.summary}`));
    this.chips.lastChild.focus();
    announce(`${said}.`);
  }

  end(state, result, error) {
    cancelAnimationFrame(this.drawing);
    this.drawing = 1; // nothing is drawn any more
    this.state = state;
    this.status.remove();
    this.card.replaceChildren();
    this.element.dataset.is = state;
    if (state === "completed") this.answered(result);
    else fill(this.body, h("p.trouble", state === "cancelled" && !error?.title ? "Cancelled." : error?.title || "It did not work."));
    this.changed(state);
  }

  answered(result) {
    if (result.erased) return fill(this.body, h("p.quiet", "This answer was erased."));
    this.text = result.text ?? "";
    this.citations = (result.citations ?? []).map((one, n) => ({ marker: n + 1, title: one.title, section: one.heading, url: one.url }));
    fill(this.body, markdown(this.text, this.marks()));
    fill(this.foot, this.sources(), feedback(this.id, this.text));
    if (this.stop) announce(`Answer: ${this.body.textContent}`);
  }

  /** What stands for the mark of a source in the text. */
  marks() {
    return {
      cite: (n) => {
        const source = this.citations.find((one) => one.marker === n);
        return source ? h("sup.cite", { title: [source.title, source.section].filter(Boolean).join(", ") }, n) : null;
      },
    };
  }

  sources() {
    if (!this.citations.length) return null;
    const one = ({ marker, title, section, url }) => {
      const inner = [h("b", marker), h("span", title, section && section !== title && h("small", ` · ${section}`))];
      const isWeb = /^https?:\/\//.test(url ?? "");
      return h("li", isWeb ? h("a.source", { href: url, target: "_blank", rel: "noopener noreferrer" }, inner) : h("span.source", inner));
    };
    return h("ol.sources", { "aria-label": "Sources" }, this.citations.map(one));
  }

  /** Ask that it ends. */
  async cancel() {
    this.say("Cancelling");
    try {
      await post(`/requests/${this.id}/cancel`);
    } catch (problem) {
      toast(problem.message, "bad");
    }
  }
}

// How the user is told, and what was sent to whom: two dialogs.

import { ago, fill, h, icon, toast } from "./dom.js";
import { call, get, post } from "./api.js";

const LOOKS = { delivered: "good", failed: "bad", expired: "bad", unknown: "warn", parked: "warn", sending: "busy", queued: "busy" };
const NAMES = { slack: "Slack", email: "E-mail", sms: "Text message", webhook: "Webhook", test: "Test" };

/** Give the tag of a state. */
export function tag(state, looks = LOOKS) {
  return h("span.tag", { "data-is": looks[state] ?? "" }, String(state).replace(/_/g, " "));
}

/** Open a dialog; gives where its content goes. Escape closes it, and focus returns to where it was. */
export function dialog(title) {
  const inner = h("div", { "aria-live": "polite" }, h("p.quiet", "Loading …"));
  const close = h("button.bare", { type: "button", "aria-label": "Close", onclick: () => shown.close() }, icon("close"));
  const shown = h("dialog", { "aria-label": title }, h("header", h("h2", title), close), inner);
  shown.addEventListener("close", () => shown.remove());
  shown.addEventListener("click", (event) => event.target === shown && shown.close());
  document.body.append(shown);
  shown.showModal();
  return inner;
}

async function loaded(inner, load) {
  try {
    await load();
  } catch (problem) {
    fill(inner, h("p.trouble", { role: "alert" }, problem.message));
  }
}

/** Show by which channels the user is told, and let them change it. */
export function preferences() {
  const inner = dialog("How I am told");
  const load = () => loaded(inner, async () => {
    const [mine, defaults] = await Promise.all([get("/users/me/integration-defaults?explain=1"), get("/integration-defaults")]);
    const known = new Map(defaults.items.map((one) => [one.channel, one]));
    const order = mine.items.toSorted((a, b) => (a.rank ?? 99) - (b.rank ?? 99));
    fill(inner,
      h("p.quiet.small", "An answer to a question on this page is here. When Parley has to reach you elsewhere, it tries these in order."),
      order.map((one) => channel(one, known.get(one.channel) ?? {}, load)));
  });
  load();
}

function channel(one, standard, reload) {
  const locked = one.origin?.enabled === "locked";
  const id = `on-${one.channel}`;
  const isOn = h("input", { type: "checkbox", role: "switch", id, checked: one.enabled, disabled: locked });
  const fields = Object.entries(standard.address ?? {}).map(([name, kind]) => {
    const type = { email: "email", phone: "tel", url: "url" }[kind] ?? "text";
    return h("label.small", name, h("input", { type, name, value: one.config?.[name] ?? "", disabled: locked }));
  });
  const save = async () => {
    const given = Object.fromEntries(new FormData(form).entries());
    const config = Object.fromEntries(Object.entries(given).filter(([, value]) => value));
    for (const name of Object.keys(standard.options ?? {})) if (one.config?.[name]) config[name] = one.config[name];
    try {
      const kept = Object.keys(config).length || !isOn.checked ? config : {};
      await call("PUT", `/users/me/integrations/${one.channel}`, { enabled: isOn.checked, rank: one.rank, config: kept });
      toast("Saved.");
      reload();
    } catch (problem) {
      toast(problem.message, "bad");
    }
  };
  const shown = h("p.small");
  const renew = async () => {
    try {
      const made = await post(`/users/me/integrations/${one.channel}/rotate`, {}, { "Idempotency-Key": crypto.randomUUID() });
      fill(shown, "Shown only now; for a day the one before signs, too: ", h("code", made.secret));
    } catch (problem) {
      toast(problem.message, "bad");
    }
  };
  const secret = one.config?.url && h("button.soft", { type: "button", onclick: renew }, "New secret");
  const form = h("form.channel", { onsubmit: (event) => {
    event.preventDefault();
    save();
  } },
    h("div.head", h("label", { for: id }, NAMES[one.channel] ?? standard.name ?? one.channel), h("span.quiet.small", one.rank ? `rank ${one.rank}` : "only when asked for"), isOn),
    one.trouble && h("p.small.warn", one.trouble),
    locked && h("p.small.quiet", one.because),
    Object.values(one.config ?? {}).some((value) => value.includes("…")) && h("p.small.quiet", "The URL is shown shortened; left as it is, it stays."),
    fields.length ? h("div.fields", fields, h("button.soft", { disabled: locked }, "Save"), secret) : null, shown);
  isOn.addEventListener("change", save);
  return form;
}

/** Show what was sent to the user, each with its attempts. */
export function deliveries() {
  const inner = dialog("Deliveries");
  loaded(inner, async () => {
    const page = await get("/users/me/deliveries?limit=50");
    fill(inner, page.items.length ? page.items.map(delivery) : h("p.quiet", "Nothing was sent yet: answers on this page need no delivery."));
  });
}

/** Give one delivery, which opens to its attempts. */
export function delivery(one) {
  const more = h("div.attempts");
  const whole = h("details.delivery", h("summary",
    h("b", NAMES[one.channel] ?? one.channel), h("span.quiet", one.kind), tag(one.state), h("time.quiet.small", { datetime: one.created_at }, ago(one.created_at))), more);
  whole.addEventListener("toggle", () => whole.open && loaded(more, async () => fill(more, attempts(await get(`/deliveries/${one.id}`)))));
  return whole;
}

function attempts(whole) {
  const again = async () => {
    try {
      await post(`/deliveries/${whole.id}/redeliver`);
      toast("It is sent once more.");
    } catch (problem) {
      toast(problem.message, "bad");
    }
  };
  const row = (one) => h("li", h("b", `${one.number}.`), tag(one.outcome ?? "sending", { ...LOOKS, wait: "warn", retry: "warn", unsure: "warn" }),
    h("span.quiet.small", [one.reason, one.code, one.latency_ms !== null && `${one.latency_ms} ms`].filter(Boolean).join(" · ")));
  return [
    whole.reason && h("p.small", whole.reason),
    whole.attempts.length ? h("ol", whole.attempts.map(row)) : h("p.quiet.small", "No attempt was made yet."),
    h("button.soft", { type: "button", onclick: again }, icon("replay"), "Send it once more"),
  ];
}

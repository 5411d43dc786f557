// The page on which people ask.

import { $, fill, h, icon, toast } from "./dom.js";
import { get, post, signedIn, signOut } from "./api.js";
import { deliveries, preferences } from "./settings.js";
import { Sessions } from "./sessions.js";
import { Turn } from "./turn.js";
import { ENDS } from "./stream.js";

const IDEAS = ["How old must my laptop be before I can get a new one?", "How do I set up the VPN at home?", "I cannot sign in: how do I reset my password?"];
const me = await signedIn();
const turns = $("#turns");
const ask = $("#ask");
let session = null; // the conversation that is shown
let current = null; // the turn that runs

const sessions = new Sessions($("#sessions"), (chosen) => show(chosen));

/** Show a conversation, or an empty one. */
async function show(chosen, { push = true } = {}) {
  for (const turn of open) turn.stop?.();
  open.clear();
  session = chosen;
  current = null;
  turns.replaceChildren();
  side(false);
  $("#title").textContent = chosen?.title || (chosen ? "Conversation" : "New conversation");
  document.title = chosen?.title ? `${chosen.title} · Parley` : "Parley";
  if (push) history.pushState(null, "", chosen ? `/chat?session=${chosen.session_id}` : "/chat");
  sessions.mark(chosen?.session_id);
  if (chosen) await recall(chosen.session_id);
  else welcome();
  buttons();
  ask.focus();
}

const open = new Set();

async function recall(sessionId, before = "") {
  const page = await get(`/requests?session_id=${sessionId}&limit=20&results=true${before}`);
  if (session?.session_id !== sessionId) return;
  const made = page.items.toReversed().map((item) => [item, new Turn(item.content ?? "", changed)]);
  const top = turns.firstElementChild;
  const earlier = page.next_cursor && h("button.soft.earlier", { type: "button", onclick: () => {
    earlier.remove();
    recall(sessionId, `&cursor=${encodeURIComponent(page.next_cursor)}`);
  } }, "Show what was before");
  turns.prepend(...[earlier, ...made.map(([, turn]) => turn.element)].filter(Boolean));
  if (!top) toLast();
  for (const [item, turn] of made) {
    if (ENDS.has(item.status)) turn.show(item);
    else run(turn, item.request_id);
  }
}

function run(turn, requestId) {
  open.add(turn);
  current = turn;
  turn.follow(requestId);
  buttons();
}

function welcome() {
  const name = me.display_name || "";
  fill(turns, h("section.welcome",
    h("h2", name ? `Hello ${name}, what do you need?` : "What do you need?"),
    h("p.quiet", "Parley looks it up, and does it for you when you approve."),
    h("div.ideas", IDEAS.map((text) => h("button.soft", { type: "button", onclick: () => send(text) }, text)))));
}

/** Ask a question in the conversation that is shown, or in a new one. */
async function send(text) {
  const turn = new Turn(text, changed);
  $(".welcome")?.remove();
  turns.append(turn.element);
  toLast();
  try {
    if (!session) {
      const title = text.split("\n")[0].slice(0, 80);
      session = await post("/sessions", { title });
      history.replaceState(null, "", `/chat?session=${session.session_id}`);
      $("#title").textContent = title;
      sessions.add(session);
    }
    const body = { content: text, session_id: session.session_id, locale: navigator.language };
    const asked = await asking(body);
    run(turn, asked.request_id);
  } catch (problem) {
    turn.end("failed", null, { title: problem.message });
    if (!ask.value) ask.value = text;
    grow();
  }
}

/** Ask once, even when the network makes us try again. */
async function asking(body) {
  const headers = { Prefer: "respond-async", "Idempotency-Key": crypto.randomUUID() };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await post("/requests/web", body, headers);
    } catch (problem) {
      if (attempt === 4 || (problem.status && problem.status < 503)) throw problem;
      await new Promise((resolve) => setTimeout(resolve, 300 * 2 ** attempt));
    }
  }
}

function changed(state) {
  if (ENDS.has(state)) {
    for (const turn of open) if (ENDS.has(turn.state)) open.delete(turn);
    current = [...open].at(-1) ?? null;
  }
  if (state !== "writing") buttons();
}

/** Put the last question to the top, where its answer grows below it without moving. */
function toLast() {
  turns.lastElementChild?.scrollIntoView({ block: "start" });
}

function buttons() {
  const runs = current && !ask.value.trim();
  fill($("#go"), icon(runs ? "stop" : "send"));
  $("#go").setAttribute("aria-label", runs ? "Cancel the answer" : "Send");
  $("#go").disabled = !runs && !ask.value.trim();
}

function grow() {
  ask.style.height = "auto";
  ask.style.height = `${Math.min(ask.scrollHeight, 200)}px`;
  buttons();
}

function side(opens) {
  document.body.toggleAttribute("data-side", opens);
  $("#menu").setAttribute("aria-expanded", opens);
  if (opens) $("#new").focus();
}

$("#form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = ask.value.trim();
  if (!text) return current?.cancel();
  ask.value = "";
  grow();
  send(text);
});
ask.addEventListener("input", grow);
ask.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (ask.value.trim()) $("#form").requestSubmit();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.hasAttribute("data-side")) {
    side(false);
    $("#menu").focus();
  }
});
$("#menu").addEventListener("click", () => side(!document.body.hasAttribute("data-side")));
$("#veil").addEventListener("click", () => side(false));
$("#new").addEventListener("click", () => show(null));
addEventListener("popstate", () => start(false));

function around() {
  fill($("#menu"), icon("menu"));
  fill($("#new"), icon("plus"), "New conversation");
  const staff = ["support", "admin"].includes(me.role);
  const row = (name, label, onclick) => h("button.row", { type: "button", onclick }, icon(name), label);
  fill($("#who"),
    staff && h("a.row", { href: "/console" }, icon("gauge"), "Console"),
    row("bell", "How I am told", () => preferences()),
    row("truck", "Deliveries", () => deliveries()),
    row("out", "Sign out", signOut),
    h("p.me", { title: me.role }, h("span.face", { "aria-hidden": "true" }, (me.display_name || me.email || "?")[0].toUpperCase()), h("span", me.display_name || me.email || "You")));
}

async function start(push) {
  const wanted = new URLSearchParams(location.search).get("session");
  if (!wanted || !/^[0-9a-f-]{36}$/i.test(wanted)) return show(null, { push });
  try {
    await show(await get(`/sessions/${wanted}`), { push });
  } catch (problem) {
    toast(problem.message, "bad");
    await show(null);
  }
}

around();
await Promise.all([sessions.load(), start(false)]);

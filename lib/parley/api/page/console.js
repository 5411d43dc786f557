// The console of support and admins: which view is shown stands behind the #.

import { $, fill, h } from "./dom.js";
import { signedIn } from "./api.js";
import { letters } from "./letters.js";
import { requests, stuck } from "./lists.js";
import { overview } from "./overview.js";
import { timeline } from "./timeline.js";
import { circuits, person } from "./trouble.js";

const me = await signedIn();
const VIEWS = {
  overview: ["Overview", overview],
  requests: ["Requests", requests],
  stuck: ["Stuck work", stuck],
  letters: ["Dead letters", letters],
  circuits: ["Trouble", circuits],
};
const HIDDEN = { timeline: ["Timeline", timeline, "requests"], person: ["Person", person, "requests"] }; // reached from a row
let leave = () => {}; // what the view that is shown does when it is left

async function show() {
  const [name, id] = location.hash.slice(1).split("/");
  const [, view, tab] = VIEWS[name] ?? HIDDEN[name] ?? VIEWS.overview;
  leave();
  const stops = [];
  leave = () => stops.forEach((stop) => stop());
  tabs(tab ?? (VIEWS[name] ? name : "overview"));
  const place = h("div");
  fill($("#view"), place);
  try {
    await view(place, { id, me, stops });
  } catch (problem) {
    fill(place, h("p.trouble", { role: "alert" }, problem.message));
  }
}

function tabs(current) {
  fill($("#tabs"), Object.entries(VIEWS).map(([name, [title]]) =>
    h("a", { href: `#${name}`, "aria-current": name === current ? "page" : null }, title)));
}

if (["support", "admin"].includes(me.role)) {
  $("#me").textContent = `${me.email ?? me.display_name} · ${me.role}`;
  addEventListener("hashchange", show);
  await show();
} else {
  fill($("#view"), h("section.empty", h("h1", "The console is for support and admins."), h("p.quiet", "You are signed in as a user."), h("a.button.soft", { href: "/chat" }, "Back to your conversations")));
}

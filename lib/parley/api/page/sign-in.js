// Signing in: by key, at the provider, or by a link whose secret stands behind the #, where no server sees it.

import { $ } from "./dom.js";
import { get, post } from "./api.js";

const then = target(new URLSearchParams(location.search).get("then"));

/** Give where to go afterwards: a path of ours, and nothing else. */
function target(path) {
  try {
    const url = new URL(path ?? "/", location.origin);
    return url.origin === location.origin ? url.pathname + url.search + url.hash : "/";
  } catch {
    return "/";
  }
}

async function enter(key) {
  const said = $("#said");
  said.textContent = "";
  $("#go").disabled = true;
  try {
    await post("/session", { key });
    location.replace(then);
  } catch (problem) {
    said.textContent = problem.status === 401 ? "That did not work: it is not valid, too old, or was used already." : problem.message;
    $("#key").select();
    $("#key").setAttribute("aria-invalid", "true");
  } finally {
    $("#go").disabled = false;
  }
}

$("#form").addEventListener("submit", (event) => {
  event.preventDefault();
  enter($("#key").value.trim());
});

const secret = location.hash.slice(1);
if (secret.startsWith("pk_")) {
  history.replaceState(null, "", location.pathname + location.search); // not into the history
  enter(secret);
} else {
  const { ways, me } = await get("/session");
  if (me) location.replace(then);
  for (const part of ["#oidc", "#or"]) $(part).hidden = !ways.includes("oidc");
  $("#oidc a").href = `/sign-in/oidc?then=${encodeURIComponent(then)}`;
  if (location.search.includes("failed")) $("#said").textContent = "The provider did not let you in, or it took too long. Try again.";
}

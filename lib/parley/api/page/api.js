// The API, as the page calls it: with the cookie, which only our own pages may use.

export const API = "/api/v1";

/** An answer that is a problem (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The server answered ${status}.`);
    this.status = status;
    this.type = body.type || "";
  }
}

/** Call the API; gives {body, headers}. Raises Problem. Who is not signed in is sent to sign in. */
export async function call(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(API + path, {
      method,
      credentials: "same-origin",
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, { title: "Parley cannot be reached. Is there a network?" });
  }
  const text = await answer.text();
  let found = null;
  try {
    found = text ? JSON.parse(text) : null;
  } catch {
    throw new Problem(answer.status, { title: "What answered is not Parley." });
  }
  if (answer.status === 401 && path !== "/session") leave();
  if (!answer.ok && answer.status !== 304) throw new Problem(answer.status, found || {});
  return { status: answer.status, body: found, headers: answer.headers };
}

export const get = async (path) => (await call("GET", path)).body;
export const post = async (path, body, headers) => (await call("POST", path, body, headers)).body;

/** Go and sign in; come back to where we are. */
export function leave() {
  const here = location.pathname + location.search;
  location.assign(`/sign-in?then=${encodeURIComponent(here)}`);
}

/** Give who is signed in, or go and sign in. */
export async function signedIn() {
  const { me } = await get("/session");
  if (!me) {
    leave();
    return new Promise(() => {});
  }
  return me;
}

/** Sign out. */
export async function signOut() {
  await call("DELETE", "/session");
  location.assign("/sign-in");
}

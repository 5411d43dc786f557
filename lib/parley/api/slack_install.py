"""
Our app is added to a workspace: `/slack/install` sends the browser to Slack, `/slack/oauth_redirect` takes it back.

Source: https://docs.slack.dev/authentication/installing-with-oauth. `state` is signed, lives for ten minutes and counts
only in the browser that it was made for; Slack's code works once. Who is not on the list of workspaces gets nothing:
an app that answers a company's questions is no app for everybody.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol
from urllib.parse import urlencode

from pydantic import StringConstraints

from parley.adapters.postgres.database import Database
from parley.adapters.slack_tokens import SlackSettings, tokens
from parley.api.bodies import Strict
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.errors import Misconfigured, Rejected

LIVES = 600  # seconds of a state
COOKIE = "parley_slack_state"
PATH = "/slack/oauth_redirect"
SCOPES = (
    "app_mentions:read", "assistant:write", "channels:history", "chat:write", "commands", "files:read",
    "groups:history", "im:history", "im:write", "mpim:history", "users:read", "users:read.email",
)  # fmt: skip

_Text = Annotated[str, StringConstraints(max_length=500)]


class Returned(Strict, extra="ignore"):
    """What Slack sends the browser back with."""

    code: _Text = ""
    state: _Text = ""
    error: _Text = ""


class Installer(Protocol):
    """Where tokens are traded and kept."""

    def install(self, code: str, redirect_uri: str, allowed: Sequence[str]) -> Any:
        """Trade a code for tokens and keep them. Raises Rejected, Unavailable."""


class SlackApp:
    """Our app as Slack knows it; `workspaces` are the ids that may add it."""

    def __init__(
        self,
        client_id: str,
        scopes: Sequence[str],
        workspaces: Sequence[str],
        installer: Installer,
        *,
        authorize: str = "https://slack.com/oauth/v2/authorize",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.client_id = client_id
        self.scopes = tuple(scopes)
        self.workspaces = tuple(workspaces)
        self.installer = installer
        self.authorize = authorize
        self.clock = clock


@dataclass(frozen=True, kw_only=True)
class InstallSettings(SlackSettings):
    """With `slack_client_id`, those of `slack_workspaces` may add the app, at `public_url`."""

    slack_workspaces: tuple[str, ...] = ()
    slack_scopes: tuple[str, ...] = SCOPES
    slack_authorize_url: str = "https://slack.com/oauth/v2/authorize"
    public_url: str = ""


def slack_app(settings: InstallSettings, database: Database) -> SlackApp | None:
    """Give our app as Slack knows it, None where one token is a setting. Raises Misconfigured for half of it."""
    if not settings.slack_client_id:
        return None
    for name in ("slack_client_secret", "slack_token_key", "slack_workspaces", "public_url"):
        if not getattr(settings, name):
            raise Misconfigured(f"{name.upper()}: required with SLACK_CLIENT_ID, not set")
    return SlackApp(
        settings.slack_client_id,
        settings.slack_scopes,
        settings.slack_workspaces,
        tokens(settings, database),
        authorize=settings.slack_authorize_url,
    )


def install(desk: Desk, _: Call) -> Answer:
    """Send the browser to Slack, to add the app to a workspace."""
    app = _app(desk)
    until = int(app.clock()) + LIVES
    state = _state(desk, secrets.token_urlsafe(24), until)
    query = {
        "client_id": app.client_id,
        "scope": ",".join(app.scopes),
        "state": state,
        "redirect_uri": desk.rules.public_url + PATH,
    }
    return Answer(None, 302, {"Location": f"{app.authorize}?{urlencode(query)}", "Set-Cookie": _cookie(desk, state)})


def returned(desk: Desk, call: Call) -> Answer:
    """Take the browser back from Slack: the app is added, or nothing happens."""
    app, came = _app(desk), call.query
    held = _held(call.headers.get("Cookie", ""))
    if not (
        came.state
        and hmac.compare_digest(came.state.encode(), held.encode())
        and _is_ours(desk, came.state, app.clock())
    ):
        raise Problem(
            "bad-request", detail="This page was not opened from here, or too long ago. Begin at /slack/install."
        )
    if came.error or not came.code:
        raise Problem("bad-request", detail="Slack did not add the app.")
    try:
        one = app.installer.install(came.code, desk.rules.public_url + PATH, app.workspaces)
    except Rejected as refused:
        raise Problem("forbidden", detail=f"The app was not added: {refused}.") from None
    desk.staff.audit("slack", "slack.installed", one.workspace, {"enterprise": one.enterprise})
    page = _PAGE.encode()
    return Answer(page, 200, {**_HEADERS, "Set-Cookie": _cookie(desk, "", 0)}, media="text/html; charset=utf-8")


def _app(desk: Desk) -> SlackApp:
    app = desk.rules.slack_app
    if app is None or not desk.rules.public_url:
        raise Problem("not-found", detail="This installation serves one workspace, by its own token.")
    return app


def _state(desk: Desk, nonce: str, until: int) -> str:
    said = f"{nonce}.{until}"
    return f"{said}.{_mac(desk, said)}"


def _is_ours(desk: Desk, state: str, now: float) -> bool:
    said, _, mac = state.rpartition(".")
    until = said.rpartition(".")[2]
    is_signed = hmac.compare_digest(mac.encode(), _mac(desk, said).encode())
    return is_signed and until.isascii() and until.isdigit() and int(until) > now


def _mac(desk: Desk, said: str) -> str:
    return hmac.new(desk.rules.signing_key.encode(), b"slack-state:" + said.encode(), hashlib.sha256).hexdigest()


def _held(cookies: str) -> str:
    """Give the state that this browser was given."""
    parts = (part.strip().partition("=") for part in cookies.split(";"))
    return next((value for name, _, value in parts if name == COOKIE), "")


def _cookie(desk: Desk, state: str, lives: int = LIVES) -> str:
    secure = "" if desk.rules.public_url.startswith("http://127.0.0.1") else "; Secure"
    return f"{COOKIE}={state}; Max-Age={lives}; Path={PATH}; HttpOnly; SameSite=Lax{secure}"


_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Parley was added</title>
<style>
body{font:1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem;color:#1b1f24;background:#fff}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181b}}
</style>
<h1>Parley was added</h1><p>Write to it in Slack: in a direct message, or by mentioning it in a channel.</p></html>
"""

ROUTES = (
    Route("GET", "/slack/install", install, {302: None}, tag="slack", roles=None, problems=("not-found",),
          name="slack_install"),
    Route("GET", PATH, returned, {200: "text/html"}, tag="slack", roles=None, query=Returned,
          problems=("not-found", "forbidden"), name="slack_oauth_redirect"),
)  # fmt: skip

"""Signed links to one answer: who has the link can read that answer, until it expires, and nothing else."""

import html
from datetime import UTC, datetime, timedelta

from parley.api import views
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.domain import links

LIVES = timedelta(days=7)


def make(desk: Desk, call: Call) -> Answer:
    """Make a link to an answer, good for a week, for somebody without a key."""
    request_id = call.path["request_id"]
    desk.request(call.principal, request_id, "read")
    until = datetime.now(UTC).replace(microsecond=0) + LIVES
    path = links.path(desk.rules.link_key or desk.rules.signing_key, request_id, until)
    return Answer({"url": f"{desk.rules.public_url}{path}", "expires_at": views.time(until)}, 201)


def read(desk: Desk, call: Call) -> Answer:
    """Show the answer of a signed link."""
    request_id = links.read(desk.rules.link_key or desk.rules.signing_key, call.path["token"], datetime.now(UTC))
    row = desk.views.request(request_id) if request_id else None
    if row is None:
        raise Problem("not-found")
    if row["erased_at"]:
        raise Problem("gone", detail="The answer was erased.")
    text = (row["result"] or {}).get("text") or (row["error"] or {}).get("title") or "There is no answer yet."
    return Answer(_page(text), 200, dict(_HEADERS), media="text/html; charset=utf-8")


def _page(text: str) -> str:
    return _PAGE.replace("{text}", html.escape(text))


_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>An answer</title>
<style>
body{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
main{white-space:pre-wrap;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181b}}
</style>
<main>{text}</main></html>
"""

ROUTES = (
    Route("POST", "/api/v1/requests/{request_id}/link", make, {201: "Link"}, tag="requests", scope="requests:read",
          problems=("gone",), name="make_link"),
    Route("GET", "/r/{token}", read, {200: "text/html"}, tag="links", roles=None, problems=("gone",), name="read_link"),
)  # fmt: skip

"""
The page: files of `page/`, served as they are, without a build step.

Scripts and styles have the digest of them all in their address, so that a browser keeps them for good and never mixes
two versions. The policy allows our own files and nothing else: no inline script, no inline style, no other host; and
no script may turn text into markup (Trusted Types).
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path

import flask

from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route

FOLDER = Path(__file__).parent / "page"
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def chat(_: Desk, __: Call) -> Answer:
    """Show the page on which people ask."""
    return document("chat.html")


def console(_: Desk, __: Call) -> Answer:
    """Show the page on which support and admins look; what it shows asks for their role."""
    return document("console.html")


def sign_in(_: Desk, __: Call) -> Answer:
    """Show the page on which people sign in."""
    return document("sign-in.html")


def file(_: Desk, call: Call) -> Answer:
    """Give a script, a style or a picture of the page."""
    name = call.path["file"]
    if name not in _files() or name.endswith(".html") or call.path["digest"] != _digest():
        raise Problem("not-found")
    return _sent(name, {"Cache-Control": "public, max-age=31536000, immutable", **HEADERS})


def document(name: str) -> Answer:
    """Give one of the pages; it is asked for each time, and small."""
    return _sent(name, {"Cache-Control": "no-cache", **HEADERS})


def _sent(name: str, headers: dict[str, str]) -> Answer:
    packs = "gzip" in flask.request.headers.get("Accept-Encoding", "")
    more = {"Content-Encoding": "gzip"} if packs else {}
    kind = KINDS[Path(name).suffix]
    return Answer(_body(name, packs), 200, {**headers, "Vary": "Accept-Encoding", **more}, f"{kind}; charset=utf-8")


@cache
def _files() -> frozenset[str]:
    return frozenset(path.name for path in FOLDER.iterdir() if path.suffix in KINDS)


@cache
def _digest() -> str:
    whole = hashlib.sha256()
    for name in sorted(_files()):
        whole.update((FOLDER / name).read_bytes())
    return whole.hexdigest()[:16]


@cache
def _body(name: str, packed: bool) -> bytes:
    text = (FOLDER / name).read_bytes()
    if name.endswith(".html"):
        text = text.replace(b"{page}", f"/page/{_digest()}".encode())
    return gzip.compress(text, mtime=0) if packed else text


ROUTES = (
    Route("GET", "/chat", chat, {200: "text/html"}, tag="page", roles=None, name="chat_page"),
    Route("GET", "/console", console, {200: "text/html"}, tag="page", roles=None, name="console_page"),
    Route("GET", "/sign-in", sign_in, {200: "text/html"}, tag="page", roles=None, name="sign_in_page"),
    Route("GET", "/page/{digest}/{file}", file, {200: "text/css"}, tag="page", roles=None, name="page_file"),
)  # fmt: skip

"""
The page's cookie: a door of the API for browsers.

A browser sends a cookie by itself, whoever made it call. So what changes something must come from our own page: the
browser says so in `Sec-Fetch-Site`, or in `Origin`, which no page can forge; a call that has neither is refused.
The cookie is HttpOnly and SameSite=Lax; except on this machine it is Secure and bound to the very host (`__Host-`).
"""

from typing import Any
from urllib.parse import urlsplit

from werkzeug.http import dump_cookie

from parley.adapters.postgres.sign_ins import LIVES, SignIns
from parley.api.auth import Door
from parley.api.problems import Problem
from parley.domain.keys import Principal

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def door(sign_ins: SignIns) -> Door:
    """Give the door for who is signed in on the page."""

    def opened(request: Any) -> Principal | None:
        secret = request.cookies.get(name(request.host))
        if secret is None:
            return None
        if request.method not in SAFE:
            must_be_ours(request)
        return sign_ins.principal(secret)

    return opened


def name(host: str, of: str = "parley") -> str:
    """Give a cookie's name on this host; that of who is signed in, unless it is another one."""
    return of if is_loopback(host) else f"__Host-{of}"


def is_loopback(host: str) -> bool:
    """Whether a browser that names this host runs on the same machine."""
    return urlsplit(f"//{host}").hostname in _LOOPBACK


def must_be_ours(request: Any) -> None:
    """Raises Problem unless our own page makes this call."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin", "")
    is_ours = site == "same-origin" if site else bool(origin) and urlsplit(origin).netloc == request.host
    if not is_ours:
        raise Problem("forbidden", detail="With a cookie only Parley's own page may do this.")


def given(host: str, value: str, seconds: float = LIVES, of: str = "parley") -> str:
    """Give the header that sets the cookie; without a value it removes it."""
    return dump_cookie(
        name(host, of),
        value,
        max_age=int(seconds) if value else 0,
        path="/",
        httponly=True,
        secure=not is_loopback(host),
        samesite="Lax",
    )

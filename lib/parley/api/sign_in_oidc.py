"""
Signing in at the OpenID provider: there, and back with a code.

An attempt has a signed cookie of its own: whoever is lured here, or tries in two tabs, stays signed in as they were.
"""

import hashlib
import hmac
import time
from typing import Annotated

import flask
from pydantic import BaseModel, ConfigDict, Field

from parley.adapters.oidc_code import Attempt, CodeFlow
from parley.api import cookies
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.api.sign_in import signed_in

_PATIENCE = 600  # seconds that somebody may take at the provider
_COOKIE = "parley-attempt"


class There(BaseModel):
    """Where to go afterwards."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    then: Annotated[str, Field(max_length=500, description="A path of ours.")] = "/"


class Back(BaseModel):
    """What the provider sends back."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")

    state: Annotated[str, Field(max_length=500)] = ""
    code: Annotated[str, Field(max_length=4000)] = ""
    error: Annotated[str, Field(max_length=500)] = ""


def there(desk: Desk, call: Call) -> Answer:
    """Go to the OpenID provider to sign in."""
    attempt = Attempt.new(call.query.then if _is_path(call.query.then) else "/")
    cookie = cookies.given(flask.request.host, _signed(desk, attempt), _PATIENCE, _COOKIE)
    return Answer(None, 302, {"Location": _flow(desk).address(attempt), "Set-Cookie": cookie})


def back(desk: Desk, call: Call) -> Answer:
    """Come back from the OpenID provider, signed in; or to try again."""
    request = flask.request
    attempt = _begun(desk, request.cookies.get(cookies.name(request.host, _COOKIE), ""))
    who = _flow(desk).finish(attempt, call.query.state, call.query.code)
    if who is None or attempt is None:
        return Answer(None, 302, {"Location": "/sign-in?failed=1"})
    flask.after_this_request(_forgotten)
    return signed_in(desk, who, Answer(None, 302, {"Location": attempt.then}))


def _flow(desk: Desk) -> CodeFlow:
    if desk.rules.sign_in is None:
        raise Problem("not-found")
    return desk.rules.sign_in


def _signed(desk: Desk, attempt: Attempt) -> str:
    """Give an attempt as its cookie keeps it, with its end."""
    said = f"{int(time.time()) + _PATIENCE}.{attempt.packed()}"
    return f"{_mac(desk, said)}.{said}"


def _begun(desk: Desk, cookie: str) -> Attempt | None:
    """Give the attempt that was begun here, and not too long ago."""
    mac, _, said = cookie.partition(".")
    if not hmac.compare_digest(mac.encode(), _mac(desk, said).encode()):
        return None
    until, _, packed = said.partition(".")
    return Attempt.unpacked(packed) if int(until) > time.time() else None


def _mac(desk: Desk, said: str) -> str:
    return hmac.new(desk.rules.signing_key.encode(), b"sign-in:" + said.encode(), hashlib.sha256).hexdigest()


def _forgotten(response: flask.Response) -> flask.Response:
    """Let the browser forget the attempt, beside what else it is told."""
    response.headers.add("Set-Cookie", cookies.given(flask.request.host, "", of=_COOKIE))
    return response


def _is_path(text: str) -> bool:
    """Whether a browser stays with us when it is sent there."""
    return text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and text.isascii()


ROUTES = (
    Route("GET", "/sign-in/oidc", there, {302: None}, tag="page", roles=None, query=There, name="sign_in_oidc",
          problems=("not-found",)),
    Route("GET", "/sign-in/callback", back, {302: None}, tag="page", roles=None, query=Back, name="sign_in_callback",
          problems=("not-found", "forbidden")),
)  # fmt: skip

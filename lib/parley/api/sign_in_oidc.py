"""Signing in at the OpenID provider: there, and back with a code."""

from typing import Annotated

import flask
from pydantic import BaseModel, ConfigDict, Field

from parley.adapters.oidc_code import Attempt, CodeFlow
from parley.api import cookies
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.api.sign_in import signed_in

_PATIENCE = 600.0  # seconds that somebody may take at the provider
_MARK = "oidc."  # of a cookie that holds an attempt; a session takes its place


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
    cookie = cookies.given(flask.request.host, _MARK + attempt.packed(), _PATIENCE)
    return Answer(None, 302, {"Location": _flow(desk).address(attempt), "Set-Cookie": cookie})


def back(desk: Desk, call: Call) -> Answer:
    """Come back from the OpenID provider, signed in; or to try again."""
    request = flask.request
    kept = request.cookies.get(cookies.name(request.host), "")
    attempt = Attempt.unpacked(kept.removeprefix(_MARK)) if kept.startswith(_MARK) else None
    who = _flow(desk).finish(attempt, call.query.state, call.query.code)
    if who is None or attempt is None:
        return Answer(None, 302, {"Location": "/sign-in?failed=1", "Set-Cookie": cookies.given(request.host, "")})
    return signed_in(desk, who, Answer(None, 302, {"Location": attempt.then}))


def _flow(desk: Desk) -> CodeFlow:
    if desk.rules.sign_in is None:
        raise Problem("not-found")
    return desk.rules.sign_in


def _is_path(text: str) -> bool:
    """Whether a browser stays with us when it is sent there."""
    return text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and text.isascii()


ROUTES = (
    Route("GET", "/sign-in/oidc", there, {302: None}, tag="page", roles=None, query=There, name="sign_in_oidc",
          problems=("not-found",)),
    Route("GET", "/sign-in/callback", back, {302: None}, tag="page", roles=None, query=Back, name="sign_in_callback",
          problems=("not-found", "forbidden")),
)  # fmt: skip

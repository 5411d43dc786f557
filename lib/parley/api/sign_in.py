"""Signing in on the page: by an API key, by a link that works once, or at the OpenID provider."""

from typing import Any

import flask

from parley.api import bodies, cookies
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.domain.keys import Principal

PATH = "/api/v1/session"


def look(desk: Desk, _: Call) -> Answer:
    """Say who is signed in on this browser, if anybody is, and by which ways one can."""
    ways = ["key", *(["oidc"] if desk.rules.sign_in else [])]
    who = cookies.door(desk.sign_ins)(flask.request)
    return Answer({"ways": ways, "me": shown(desk, who) if who else None})


def open_(desk: Desk, call: Call) -> Answer:
    """Sign in with an API key, or with the secret of a link that works once: the answer sets a cookie."""
    cookies.must_be_ours(flask.request)
    who = desk.keys.principal(call.body.key) or desk.sign_ins.redeem(call.body.key)
    if who is None:
        raise Problem("unauthenticated", detail="It is not valid: perhaps too old, or a link that was used already.")
    return signed_in(desk, who, Answer({"me": shown(desk, who)}, 201))


def close(desk: Desk, _: Call) -> Answer:
    """Sign out of this browser."""
    request = flask.request
    cookies.must_be_ours(request)
    if secret := request.cookies.get(cookies.name(request.host)):
        desk.sign_ins.close(secret)
    return Answer(None, 204, {"Set-Cookie": cookies.given(request.host, "")})


def signed_in(desk: Desk, who: Principal, answer: Answer) -> Answer:
    """Open a session, and let the answer set its cookie. Raises Problem."""
    if who.role == "service":
        raise Problem("forbidden", detail="A service key is for programs.")
    answer.headers["Set-Cookie"] = cookies.given(flask.request.host, desk.sign_ins.open(who))
    return answer


def shown(desk: Desk, who: Principal) -> dict[str, Any]:
    """Give who somebody is, as in `/api/v1/me`."""
    row = desk.views.me(who.user_id)
    assert row, "who has a key is somebody"
    return {
        "user_id": str(row["user_id"]),
        "email": row["email"],
        "display_name": row["display_name"],
        "role": who.role,
        "scopes": None if who.scopes is None else sorted(who.scopes),
        "acting_for": False,
    }


ROUTES = (
    Route("GET", PATH, look, {200: "Browser"}, tag="page", roles=None, name="get_browser_session"),
    Route("POST", PATH, open_, {201: "SignedIn"}, tag="page", roles=None, body=bodies.SignIn,
          problems=("unauthenticated", "forbidden"), name="sign_in"),
    Route("DELETE", PATH, close, {204: None}, tag="page", roles=None, problems=("forbidden",), name="sign_out"),
)  # fmt: skip

"""API keys over HTTP: one's own; for admins, everybody's."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from parley.api import bodies, views
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.domain import keys
from parley.domain.keys import NAMED, Principal


class WhatElse(BaseModel):
    """What else becomes invalid."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    all: Annotated[bool, Field(description="Also the keys that it has made, and those that they have made.")] = False


def list_(desk: Desk, call: Call) -> Answer:
    """List your keys; an admin sees everybody's."""
    who = call.principal
    rows = desk.keys.all(None if who.role == "admin" else who.user_id)
    return Answer({"items": [_shown(row) for row in rows]})


def create(desk: Desk, call: Call) -> Answer:
    """Make a key. It is shown this once. It may never do more than the key that makes it."""
    who, wanted = call.principal, call.body
    role = wanted.role or who.role
    _must_not_exceed(who, role, wanted)
    scopes = wanted.scopes or (None if who.scopes is None else tuple(sorted(who.scopes)))
    with desk.unwalled():
        key = desk.keys.create(
            user_id=None if wanted.email else who.user_id,
            email=wanted.email,
            role=role,
            name=wanted.name,
            days=wanted.expires_days,
            scopes=scopes,
            made_by=who.key_id,
        )
        prefix = keys.prefix(key) or ""
        desk.audit(who, "create key", f"key {prefix}")
        row = next(row for row in desk.keys.all() if row["prefix"] == prefix)
    return Answer({**_shown(row), "key": key}, 201, made=prefix)


def made_before(_: Desk, __: Call, prefix: str) -> Answer:
    """Say which key the first call made: it was shown there, and is known to nobody else."""
    raise Problem("conflict", detail=f"The key {prefix} was made and shown by the first call: revoke it, make another.")


def revoke(desk: Desk, call: Call) -> Answer:
    """
    Make a key invalid from now on.

    The keys that it has made live on, so that a key can make its successor; `all` makes them invalid, too, with those
    that they have made, and so on.
    """
    who, prefix = call.principal, call.path["prefix"]
    if not keys.is_prefix(prefix):
        raise Problem("not-found")
    desk.granted(who, "change", desk.keys.owner(prefix), f"key {prefix}")
    revoked = desk.keys.revoke_all(prefix) if call.query.all else desk.keys.revoke(prefix)
    if not revoked:
        raise Problem("not-found")
    return Answer(None, 204)


def _must_not_exceed(who: Principal, role: str, wanted: bodies.MakeKey) -> None:
    if who.role != "admin" and (role not in ("user", who.role) or wanted.email is not None):
        raise Problem("forbidden", detail="Only an admin makes keys for others or of another role.")
    if who.actor_id is not None:
        raise Problem("forbidden", detail="A service makes no keys for those for whom it acts.")
    if who.role == "service" and who.scopes is None and NAMED & set(wanted.scopes or ()):
        raise Problem("forbidden", detail="A service key without scopes cannot name what it has only by name.")
    if who.scopes is not None and not set(wanted.scopes or who.scopes) <= who.scopes:
        raise Problem("forbidden", detail="A key cannot have more scopes than the one that makes it.")


def _shown(row: dict[str, object]) -> dict[str, object]:
    shown: dict[str, object] = views.plain(row)
    shown.pop("is_expired")
    return shown


ROUTES = (
    Route("GET", "/api/v1/keys", list_, {200: "Keys"}, tag="keys", scope="keys", name="list_keys"),
    Route("POST", "/api/v1/keys", create, {201: "NewKey"}, tag="keys", scope="keys", body=bodies.MakeKey,
          problems=("conflict",), again=made_before, name="create_key"),
    Route("DELETE", "/api/v1/keys/{prefix}", revoke, {204: None}, tag="keys", scope="keys", query=WhatElse,
          name="revoke_key"),
)  # fmt: skip

"""API keys over HTTP: one's own; for admins, everybody's."""

from parley.api import bodies, views
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.domain import keys
from parley.domain.keys import NAMED, Principal


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
        )
        prefix = keys.prefix(key)
        desk.audit(who, "create key", f"key {prefix}")
        row = next(row for row in desk.keys.all() if row["prefix"] == prefix)
    return Answer({**_shown(row), "key": key}, 201)


def revoke(desk: Desk, call: Call) -> Answer:
    """Make a key invalid from now on."""
    who, prefix = call.principal, call.path["prefix"]
    if not keys.is_prefix(prefix):
        raise Problem("not-found")
    desk.granted(who, "change", desk.keys.owner(prefix), f"key {prefix}")
    if not desk.keys.revoke(prefix):
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
          name="create_key"),
    Route("DELETE", "/api/v1/keys/{prefix}", revoke, {204: None}, tag="keys", scope="keys", name="revoke_key"),
)  # fmt: skip

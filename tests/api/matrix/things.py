"""Somebody's things: one of everything that a path of the API can name."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg.types.json import Jsonb

from parley import envelope
from parley.adapters.postgres import letters
from parley.adapters.postgres.api import Keys, Views
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.escalations import Escalations
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.channels.outcome import Delivered
from parley.domain import actions, ids, keys, links
from parley.domain.plan import Plan, Rank
from parley.domain.requests import NewRequest, SessionWanted

SIGNING_KEY = "a signing key"
ARGUMENTS = {"name": "vpn"}
DIGEST = actions.digest("grant", ARGUMENTS)


@dataclass
class Things:
    """Of one owner; `key` opens the API for them."""

    user_id: uuid.UUID
    key: str
    path: dict[str, str]


def made(database, rows, role="user"):
    """Make somebody with one of everything."""
    email = f"{uuid.uuid4().hex}@example.org"
    user_id = Users(database).meet("email", email, email=email, name="Ann", timezone=None)
    key, other = (Keys(database).create(user_id=user_id, role=role, name="test") for _ in range(2))
    answered, delivery = _answered(database, user_id)
    waiting = _waiting(database, rows, user_id)
    asked = {"id": answered, "user_id": user_id, "session_id": waiting[1]}
    escalation, _ = Escalations(database, None).open(asked, "why")
    letter = envelope.Event(uuid.uuid4().hex, "/x", "parley.x")
    letters.store(database, letter, destination="http://x/", code=500, reason="r")
    values = {"enabled": True, "rank": 1, "config": {"address": email}}
    values |= {"level": None, "patience_seconds": None}
    Views(database).put_integration(user_id, "email", values)
    Views(database).put_integration(user_id, "webhook", {**values, "config": {"url": "https://1.1.1.1/hook"}})
    rows(
        "insert into circuits (name, failing_since, failures, trips, opened_at, until)"
        " values (%s, now(), 1, 1, now(), now() + interval '1 hour')", f"webhook:{user_id}",
    )  # fmt: skip
    until = datetime.now(UTC) + timedelta(days=1)
    path = {
        "user_id": user_id, "request_id": answered, "delivery_id": delivery, "session_id": _session(rows, answered),
        "prefix": keys.prefix(other), "channel": "email", "letter_id": envelope.event_id("/x", letter.id, "http://x/"),
        "escalation_id": escalation["id"], "token": links.path(SIGNING_KEY, answered, until).removeprefix("/r/"),
        "circuit": f"webhook:{user_id}", "action_id": waiting[2], "digest": "0", "file": "chat.js",
    }  # fmt: skip
    return Things(user_id, key, {name: str(value) for name, value in path.items()} | {"waiting": str(waiting[0])})


def _answered(database, user_id):
    """A question with an answer that was delivered."""
    store = Requests(database)
    new = _new(user_id)
    store.accept(new)
    rank = Rank("test", 1, {"to": "ann"}, f"test:{user_id}", timedelta(minutes=30))
    plan = Plan("first", (rank,), (), datetime.now(UTC))
    [due], _ = store.complete(store.claim(new.id, owner="test", revision="1"), _RESULT, plan)
    sent = Deliveries(database, owner="test")
    sent.record(sent.claim(due.delivery_id, "test").job, Delivered("id-1"), sent={"text": "Four years."})
    return new.id, due.delivery_id


def _waiting(database, rows, user_id):
    """A question whose turn waits for a yes; gives it, its session and the action."""
    new, action_id = _new(user_id), uuid.uuid4()
    accepted = Requests(database).accept(new)
    rows("update requests set state = 'requires_action', due_at = now() + interval '1 h' where id = %s", new.id)
    rows(
        "insert into actions (id, request_id, step, fingerprint, tool, arguments, digest, risk, summary, expires_at)"
        " values (%s, %s, 0, 'f', 'grant', %s, %s, 'write', 'Grant access', now() + interval '1 hour')",
        action_id, new.id, Jsonb(ARGUMENTS), DIGEST,
    )  # fmt: skip
    return new.id, accepted.session_id, action_id


def _session(rows, request_id):
    [row] = rows("select session_id from requests where id = %s", request_id)
    return row["session_id"]


def _new(user_id):
    return NewRequest(
        id=ids.new(), user_id=user_id, session=SessionWanted(), source="cli", content="Why?",
        principal=f"user:{user_id}", route="requests", key=uuid.uuid4().hex, fingerprint="f",
    )  # fmt: skip


_RESULT = {"text": "Four years.", "citations": [], "agent": "it-desk"}

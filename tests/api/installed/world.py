"""request-api as a process of its own, for tests that ask it over HTTP."""

import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from databases import as_role
from processes import FUNCTIONS, FunctionProcess

from parley import envelope
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.requests import Requests
from parley.channels.outcome import Delivered
from parley.domain.plan import Plan, Rank

API = "/api/v1"
REQUESTS = f"{API}/requests"
INTEGRATIONS = f"{API}/users/me/integrations"
DELIVERIES = f"{API}/users/me/deliveries"
SIGNING_KEY = "a signing key"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNKNOWN = "01890000-0000-7000-8000-000000000000"


@dataclass
class World:
    """request-api, its database, and a broker that keeps what it is given."""

    url: str
    process: FunctionProcess
    database: Database
    log: Any
    events: list[envelope.Event] = field(default_factory=list)

    def person(self, email=None, role="user"):
        """Somebody with a key; without an address, somebody new."""
        email = email or f"{uuid.uuid4().hex}@example.org"
        key = Keys(self.database).create(email=email, role=role, name="test")
        return self.process.client({"Authorization": f"Bearer {key}"})

    def ask(self, person, content="How old must my laptop be?", **more):
        """Ask without waiting; gives the body of the 202."""
        got = person.post(REQUESTS, json={"content": content, **more}, headers={"Prefer": "respond-async"})
        assert got.status_code == 202, got.text
        return got.json()

    def begin(self, request_id):
        """Take a turn, as agent-turn does."""
        return Requests(self.database).claim(UUID(request_id), owner="test", revision="1")

    def complete(self, turn, text="Four years."):
        """Answer it, to be sent by the test channel; gives the delivery that is due."""
        rank = Rank("test", 1, {"to": "ann"}, "test:ann", timedelta(minutes=30))
        citation = {"document": "laptop-refresh", "title": "Laptops", "heading": "Age", "anchor": "age"}
        result = {"text": text, "citations": [citation], "agent": "it-desk"}
        [due], _ = Requests(self.database).complete(turn, result, Plan("first", (rank,), (), datetime.now(UTC)))
        return due

    def deliver(self, due):
        """Send it, as deliver-test does."""
        store = Deliveries(self.database, owner="test")
        store.record(store.claim(due.delivery_id, "test").job, Delivered("id-1"), sent={"text": "Four years."})


@contextmanager
def serving(url, broker, log, **more):
    """request-api on this database."""
    settings = {
        "DATABASE_URL": as_role(url, "request-api"),
        "K_SINK": broker,
        "WEBHOOK_SIGNING_KEY": SIGNING_KEY,
        "THREADS": "6",
    }
    settings["CONFIG_DIR"] = str(FUNCTIONS.parent / "config")
    with FunctionProcess(FUNCTIONS / "request-api", log, **settings, **more) as process:
        yield process


def problem(got, kind, status):
    """Check that an answer is a problem of this kind; gives its members."""
    members = got.json()
    assert members.pop("request_id", None) == got.headers.get("X-Request-Id")
    assert (got.status_code, got.headers["Content-Type"]) == (status, "application/problem+json")
    assert (members["type"], members["status"]) == (f"urn:parley:problem:{kind}", status)
    assert members["title"]
    assert got.headers["Cache-Control"] == "no-store"
    return members

"""The API on a real PostgreSQL, with a broker that only keeps what it is given."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from parley import runtime, serve
from parley.adapters.files import load_defaults
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.requests import Requests
from parley.api.desk import Rules
from parley.api.routes import Api
from parley.domain.plan import Plan
from parley.errors import Unavailable

ROOT = Path(__file__).parents[2]
REQUESTS = "/api/v1/requests"
SIGNING_KEY = "a signing key"
NOTHING = Plan("first", (), (), datetime(2026, 11, 23, tzinfo=UTC))


class Broker:
    """Keeps what is published and then does `then`; can be down."""

    def __init__(self):
        self.published = []
        self.is_down = False
        self.then = lambda _: None

    def publish(self, emit):
        if self.is_down:
            raise Unavailable("the broker cannot be reached")
        self.published.append(emit)
        self.then(emit.contract.request_id)

    def send(self, event):
        """Take an event as it is, such as a dead letter."""
        self.published.append(event)


class Caller:
    """Somebody with a key."""

    def __init__(self, client, key):
        self._client = client
        self.key = key

    def __call__(self, method, path, body=None, **headers):
        """Call a path; `body` is sent as JSON, bytes as they are; `Idempotency_Key="k"` is a header."""
        named = {"Authorization": f"Bearer {self.key}", **{n.replace("_", "-"): v for n, v in headers.items()}}
        if body is not None:
            named.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self._client.open(path, method=method, headers=named, data=body)

    def get(self, path, **headers):
        return self("GET", path, **headers)

    def ask(self, content="How old must my laptop be?", alias="", **headers):
        """Ask without waiting, unless told otherwise."""
        own = {"tool_id": "sensor", "trigger_event": "opened"} if alias == "/tool" else {}
        return self("POST", REQUESTS + alias, {"content": content, **own}, **{"Prefer": "respond-async", **headers})


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def requests(database):
    return Requests(database)


@pytest.fixture
def api(database, requests, broker):
    rules = Rules(SIGNING_KEY, most_waiters=5, defaults=lambda: load_defaults(ROOT / "config" / "integrations.yaml"))
    return Api(database, requests, broker, rules)


@pytest.fixture
def client(api):
    function = runtime.http_function("request-api", config=type(None), build=lambda _: api)
    function._handler = api
    return serve.application(function).test_client()


@pytest.fixture
def caller(client, database):
    """Make somebody with a new key."""

    def make(email="ann@example.org", role="user", **more):
        return Caller(client, Keys(database).create(email=email, role=role, name="test", **more))

    return make


@pytest.fixture
def ann(caller):
    return caller()


@pytest.fixture
def answer(requests):
    """End a request: with an answer, or as failed."""

    def end(request_id, text="Four years.", *, failed=False):
        held = requests.claim(uuid.UUID(str(request_id)), owner="test", revision="1")
        if failed:
            requests.end(held, "failed", {"type": "urn:parley:problem:deadline", "title": "Too late."}, NOTHING)
        else:
            citation = {"document": "laptop-refresh", "title": "Laptops", "heading": "Age", "anchor": "age"}
            requests.complete(held, {"text": text, "citations": [citation], "agent": "it-desk"}, NOTHING)

    return end


@pytest.fixture
def rows(database_url):
    """Read rows past the store, or run a statement."""

    def read(query, *values):
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    return read


@pytest.fixture
def problem():
    """Check that an answer is a problem of this kind; gives its members."""

    def check(answer, kind, status):
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
        members = answer.get_json(force=True)
        assert members.pop("request_id") == answer.headers["X-Request-Id"]
        assert (members["type"], members["status"]) == (f"urn:parley:problem:{kind}", status)
        assert members["title"]
        return members

    return check

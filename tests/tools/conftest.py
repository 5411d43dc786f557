"""A service desk over HTTP, agents that use it, a model that does what a test says: PostgreSQL and HTTP are real."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import yaml
from databases import as_role
from emptied import database_url, emptied_database
from psycopg.rows import dict_row

from devkit.behaviour import LAPTOP_REFRESH, Behaviour
from devkit.thinking import Thinking
from parley import serve, tokens
from parley.adapters.postgres.actions import Actions
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.service_desk import ServiceDesk
from parley.adapters.postgres.users import Users
from parley.adapters.toolset import Toolset, searching
from parley.agents.guard import Guard
from parley.agents.load import load_all
from parley.domain import ids
from parley.domain.events import RequestCreated
from parley.domain.plan import Plan
from parley.domain.requests import NewRequest, SessionWanted
from parley.domain.turn import Read
from parley.turns import Turns
from standalone import host

__all__ = ["database_url", "emptied_database"]

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
KEY = "A" * 42 + "E"
SHIPPED = load_all(CONFIG)
PEOPLE = yaml.safe_load((CONFIG / "service-desk" / "employees.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def rows(database_url):
    """Look past the stores, or change something there."""

    def run(query, *values):
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture(scope="session")
def served():
    """Serve WSGI apps on 127.0.0.1; gives the port of each."""
    servers = []

    def serve_app(app: Any) -> int:
        port = host.free_ports(1)[0]
        server = serve.listen(app, "PORT", "127.0.0.1", port, threads=4)
        threading.Thread(target=server.run, daemon=True).start()
        servers.append(server)
        return port

    yield serve_app
    for server in servers:
        server.close()


@pytest.fixture
def desk_url(database, database_url, served):
    """The function mcp-service-desk, with the example's people in its tables."""
    ServiceDesk(database).load(PEOPLE)
    env = {"DATABASE_URL": as_role(database_url, "mcp-service-desk"), "TOOL_PUBLIC_KEY": tokens.public_of(KEY)}
    function = host.load(ROOT, "mcp-service-desk", env)
    yield f"http://127.0.0.1:{served(serve.application(function))}/mcp"
    function.close()


@dataclass
class Shelf:
    """A knowledge base that finds what it is given."""

    found: list[Any] = field(default_factory=list)

    def search(self, bases, question, limit, *, reader=None):
        return self.found[:limit]


@dataclass
class World:
    """Two people, the agents, and short words for a conversation."""

    database: Any
    engine: Thinking
    tools: Toolset
    configured: Any
    users: dict[str, UUID]
    store: Requests
    actions: Actions
    attached: list[Read] = field(default_factory=list)  # what comes with a question, as it is read

    def handler(self, *, store=None, engine=None, tools=None, revision=None, patience=3600.0):
        configured = self.configured
        return Turns(
            store or self.store, configured.agents, engine or self.engine, self._plan, self, owner="me",
            revision=revision or configured.revision, tools=tools or self.tools,
            files=self, policy=Guard(configured.agents, configured.tools), patience=patience,
        )  # fmt: skip

    def read(self, _origin, file):
        return self.attached[int(file["id"])]

    def publish(self, emit):
        """Nobody listens."""

    @staticmethod
    def _plan(_held):
        return Plan("first", (), (), datetime.now(UTC))

    def accept(self, content, *, user="ann", thread="t"):
        new = NewRequest(
            id=ids.new(), user_id=self.users[user], session=SessionWanted(thread=f"{user}:{thread}"), source="cli",
            content=content, principal=user, route="test",
            files=tuple({"id": str(number), "name": one.name} for number, one in enumerate(self.attached)),
        )  # fmt: skip
        accepted = self.store.accept(new)
        return RequestCreated(request_id=accepted.request_id, session_id=accepted.session_id)

    def say(self, content, *, user="ann", thread="t", **options):
        """Ask, take the turn, and give the row of the request."""
        created = self.accept(content, user=user, thread=thread)
        self.handler(**options)(created)
        return self.standing(created)

    def standing(self, created):
        row = self.database.row("standing", id=created.request_id)
        return {**row, "created": created}

    def open_action(self, created):
        return next(one for one in self.actions.of_request(created.request_id) if one.state == "open")

    def decide(self, created, approve, *, user="ann", digest=None):
        action = self.open_action(created)
        return self.actions.decide(action.id, self.users[user], digest=digest or action.digest, approve=approve)


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def world(database, desk_url, shelf):
    """The shipped agents with the shipped tools; the model plays the laptop refresh."""
    people = Users(database)
    users = {name: people.meet("email", f"{name}@example.org", email=f"{name}@example.org", name=name, timezone=None)
             for name in ("ann", "bob")}  # fmt: skip
    engine = Thinking(SHIPPED.agents, SHIPPED.tools, shelf, Behaviour(LAPTOP_REFRESH))
    search = searching(SHIPPED.agents.by_name, shelf)
    tools = Toolset(
        SHIPPED.tools, tokens.Signer(KEY), people.identity, urls={"service-desk": desk_url}, search=search,
        escalated="A person was told.",
    )  # fmt: skip
    yield World(database, engine, tools, SHIPPED, users, Requests(database), Actions(database))
    tools.close()


@pytest.fixture
def tickets(rows):
    """Every ticket that there is."""
    return lambda: rows("select email, kind, asset, state from desk_tickets order by number")

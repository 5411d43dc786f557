"""What tests share: a PostgreSQL database for each test, and answers that wait to be delivered."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest

from parley.adapters.postgres import migrate, roles
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.domain import ids
from parley.domain.delivery import Due, Job
from parley.domain.plan import Plan, Rank
from parley.domain.requests import NewRequest, SessionWanted

TESTS = Path(__file__).parent
SLOW = ("api/fuzzed", "chaos", "faults", "simulation", "standalone")
ALLOWED = (TESTS / "allowed_skips.txt").read_text(encoding="utf-8").splitlines()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest files first: else the last minutes of a run belong to one of them alone."""
    items.sort(key=lambda item: not item.path.relative_to(TESTS).as_posix().startswith(SLOW))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A skipped test is a failed one, unless its reason is on the list."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
        if reason not in ALLOWED:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: skipped, and the reason is not in tests/allowed_skips.txt: {reason}"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server: that of DATABASE_URL, else an embedded one for this worker."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    from standalone.postgres import EmbeddedPostgres

    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server.start()
    shutil.rmtree(server.home, ignore_errors=True)


@pytest.fixture(scope="session")
def database_template(postgres_server: str) -> Iterator[str]:
    """The name of a database with every migration applied, to be copied."""
    name = f"parley_template_{uuid.uuid4().hex[:12]}"
    _administer(postgres_server, f'create database "{name}"')
    migrate.apply(_at(postgres_server, name))
    roles.apply(_at(postgres_server, name))
    yield name
    _administer(postgres_server, f'drop database "{name}" with (force)')


@pytest.fixture
def database_url(postgres_server: str, database_template: str) -> Iterator[str]:
    """A fresh database with the schema, for one test."""
    with _copied(postgres_server, database_template) as url:
        yield url


@pytest.fixture(scope="module")
def shared_database_url(postgres_server: str, database_template: str) -> Iterator[str]:
    """One for all tests of a module, for those that empty it: to copy a database takes longer than most tests."""
    with _copied(postgres_server, database_template) as url:
        yield url


@contextmanager
def _copied(postgres_server: str, database_template: str) -> Iterator[str]:
    name = f"parley_test_{uuid.uuid4().hex[:12]}"
    _administer(postgres_server, f'create database "{name}" template "{database_template}"')
    yield _at(postgres_server, name)
    _administer(postgres_server, f'drop database "{name}" with (force)')


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The door to a fresh database, wide enough for threads."""
    door = Database(database_url, name="test", max_connections=10)
    yield door
    door.close()


@pytest.fixture
def rank() -> Callable[..., Rank]:
    """Make one rank of a plan: a channel with a place there."""

    def make(channel: str = "slack", number: int = 1, *, patience: float = 1800, **address: str) -> Rank:
        where = address or {"workspace": "T1", "conversation": "C1", "thread": "1700000000.000100"}
        key = ":".join([channel, *where.values()])
        return Rank(channel, number, dict(where), key, timedelta(seconds=patience))

    return make


@pytest.fixture
def answered(database: Database) -> Callable[..., list[Due]]:
    """
    Complete a request with the given ranks; gives the deliveries that are due.

    All requests are of one user and one session, in the order of the calls.
    """
    user = Users(database).meet("slack", "T1:U1", email="ann@example.org", name="Ann", timezone=None)
    requests = Requests(database)
    session = SessionWanted(thread="slack:T1:C1:1700000000.000100")

    def make(*ranks: Rank, text: str = "**Hello**", question: str = "Who?", title: str | None = None) -> list[Due]:
        new = NewRequest(
            id=ids.new(),
            user_id=user,
            session=session,
            source="slack",
            content=question,
            principal="test",
            route="test",
        )
        requests.accept(new)
        held = requests.claim(new.id, owner="test", revision="1")
        assert held
        plan = Plan("first", tuple(ranks), (), datetime.now(UTC))
        if title:
            return requests.end(held, "failed", {"type": "about:blank", "title": title}, plan)[0]
        citations = [{"document": "vpn", "title": "VPN", "heading": "Access", "anchor": "access"}]
        return requests.complete(held, {"text": text, "citations": citations, "agent": "desk"}, plan)[0]

    return make


@pytest.fixture
def job():
    """Make a job; any field can be given."""

    def make(text="Hello", **fields):
        values = {
            "delivery_id": UUID("0f4c5d1e-9b0a-5c63-8e3e-0e6f0a8a7d11"),
            "request_id": UUID(int=2),
            "session_id": UUID(int=3),
            "kind": "answer",
            "channel": "slack",
            "address": {"workspace": "T1", "conversation": "C1", "thread": "1.1"},
            "epoch": 1,
            "attempt": 1,
            "at": datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
            "answered_at": datetime(2026, 11, 23, 8, 59, tzinfo=UTC),
            "left": 1800.0,
            "question": "How do I get VPN access?",
            **fields,
        }
        return Job(text=text, **values)

    return make


def _administer(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _at(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@pytest.fixture
def told() -> Iterator[Any]:
    """What this process tells of its work meanwhile: spans and measurements."""
    from told import Told  # imported for the tests that look

    from parley import telemetry

    yield Told()
    telemetry.stop()

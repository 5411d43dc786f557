"""These tests share one database, which is emptied after each; and what a turn needs."""

import psycopg
import pytest
from core.turning import DEFAULTS, ORIGIN, THREAD, TRACE, Broker, Engine
from emptied import database_url, emptied_database
from psycopg.rows import dict_row

from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.domain import ids
from parley.domain.events import RequestCreated
from parley.domain.requests import NewRequest
from parley.turns import Planner

__all__ = ["database_url", "emptied_database"]


@pytest.fixture
def rows(database_url):
    """Read past the store; or run a statement."""

    def run(query, *values):
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def standing(rows):
    """Read the row of a request."""
    return lambda created: rows("select * from requests where id = %s", created.request_id)[0]


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def user(database):
    return Users(database).meet("slack", "T1:U1", email="ann@example.org", name="Ann", timezone=None)


@pytest.fixture
def store(database):
    return Requests(database)


@pytest.fixture
def impatient(database):
    """A store whose leases end at once: whoever holds a turn may lose it at any moment."""
    return Requests(database, lease=0)


@pytest.fixture
def planner(database):
    return Planner(DEFAULTS, Users(database).plan_inputs)


@pytest.fixture
def ask(store, user):
    """Store a question; gives the event that says so. All are of one session, in the order of the calls."""

    def make(content="Why?", *, into=store, **fields):
        values = {"user_id": user, "session": THREAD, "source": "slack", "origin": ORIGIN, "traceparent": TRACE}
        new = NewRequest(id=ids.new(), content=content, principal="test", route="test", **{**values, **fields})
        accepted = into.accept(new)
        return RequestCreated(request_id=accepted.request_id, session_id=accepted.session_id)

    return make

"""What the tests of adapters share."""

import pytest
from databases import fresh

from parley.adapters.postgres.database import Database


@pytest.fixture
def empty_url(postgres_server):
    """A database without a schema, for one test."""
    with fresh(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def module_database(postgres_server, database_template):
    """The door to a database that a whole module shares."""
    with fresh(postgres_server, database_template) as url:
        door = Database(url, name="test")
        yield door
        door.close()

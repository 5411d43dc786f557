"""request-api installed once for all tests of a module, asked over HTTP."""

import pytest
from api.installed.world import World, serving
from databases import fresh

from devkit.serving import LocalServer, Reply
from parley import envelope
from parley.adapters.postgres.database import Database


@pytest.fixture(scope="module")
def world(postgres_server, database_template, tmp_path_factory):
    """One installation for all tests of this module; each has people of its own."""
    events = []

    def keep(request):
        events.append(envelope.parse(request.headers, request.body))
        return Reply(202)

    folder = tmp_path_factory.mktemp("api")
    with fresh(postgres_server, database_template) as url, LocalServer(keep) as broker:
        database = Database(url, name="test")
        with serving(url, broker.url, folder / "log") as process:
            yield World(url, process, database, (broker.url, folder), events)
        database.close()


@pytest.fixture
def ann(world):
    """Somebody new."""
    with world.person() as person:
        yield person


@pytest.fixture
def bob(world):
    """Somebody else."""
    with world.person() as person:
        yield person

"""The client, before a real request-api and before a server that misbehaves."""

import pytest
from api.installed.conftest import world
from api.installed.world import World

from devkit.serving import LocalServer, Reply
from parley.adapters.postgres.api import Keys
from parley.client import Parley

__all__ = ["world"]


@pytest.fixture
def parley(world: World):
    """Somebody new with a key, at the real API."""
    import uuid

    key = Keys(world.database).create(email=f"{uuid.uuid4().hex}@example.org", role="user", name="test")
    with Parley(world.process.url, key) as client:
        yield client


@pytest.fixture
def admin(world: World):
    """An administrator."""
    key = Keys(world.database).create(email="root@example.org", role="admin", name="test")
    with Parley(world.process.url, key) as client:
        yield client


@pytest.fixture
def broken():
    """A server that answers what `script` says, one reply a call; `asked` is what came."""

    def answer(request):
        server.asked.append(request)
        return server.script.pop(0) if server.script else Reply(500)

    with LocalServer(answer) as server:
        server.script, server.asked, server.paused = [], [], []
        yield server


@pytest.fixture
def hurried(broken):
    """A client of that server, whose pauses take no time."""
    with Parley(broken.url, "pk_x", timeout=2.0, sleep=broken.paused.append) as client:
        yield client

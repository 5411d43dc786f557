"""request-api from its folder: while recover is silent it looks after what is overdue, and nobody waits for that."""

import importlib.util
from pathlib import Path

import pytest

from devkit.serving import LocalServer, Reply
from parley import envelope, serve
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.domain import ids
from parley.domain.requests import NewRequest, SessionWanted

FOLDER = Path(__file__).parents[2] / "functions" / "request-api"


@pytest.fixture
def broker():
    """What K_SINK names; `events` is what it got."""

    def answer(request):
        server.events.append(envelope.parse(request.headers, request.body))
        return Reply(202)

    server = LocalServer(answer)
    server.events = []
    with server:
        yield server


@pytest.fixture
def function(database_url, broker):
    """The function of the folder."""
    spec = importlib.util.spec_from_file_location("func", FOLDER / "func.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.function.configure({"DATABASE_URL": database_url, "K_SINK": broker.url, "WEBHOOK_SIGNING_KEY": "k" * 32})
    yield module.function
    module.function.close()


@pytest.fixture
def overdue(database):
    """Store a question whose event was lost; gives its id."""
    user = Users(database).meet("api", "test", email=None, name="Bob", timezone=None)
    new = NewRequest(
        id=ids.new(), user_id=user, session=SessionWanted(), source="cli", content="Why?", principal="test",
        route="test",
    )  # fmt: skip
    return Requests(database, nudge=0).accept(new).request_id


@pytest.mark.parametrize(("minutes", "nudged"), [(4, 1), (2, 0)])
def test_what_is_overdue_is_nudged_while_recover_is_silent(function, database, rows, broker, overdue, minutes, nudged):
    """Any call will do; its answer is the same as ever."""
    rows("insert into heartbeats (name, beat_at) values ('recover', now() - make_interval(mins => %s))", minutes)
    key = Keys(database).create(email="ann@example.org", role="user", name="test")
    client = serve.application(function).test_client()

    answer = client.get("/api/v1/users/me/deliveries", headers={"Authorization": f"Bearer {key}"})
    function.close()

    assert (answer.status_code, answer.get_json()) == (200, {"items": [], "next_cursor": None})
    assert [event.subject for event in broker.events] == [str(overdue)] * nudged


def test_who_has_no_key_starts_nothing(function, rows, broker, overdue):
    """Strangers cause no work."""
    rows("insert into heartbeats (name, beat_at) values ('recover', now() - interval '1 hour')")

    assert serve.application(function).test_client().get("/api/v1/users/me/deliveries").status_code == 401
    function.close()

    assert broker.events == []

"""
func-python serves agent-turn and deliver-test as their folders have them: to leave parliament takes one file.

Each is held beside the same function under parliament: the same statuses, the same events, to the byte.
"""

import json
import os
import socket
import subprocess
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from databases import as_role
from processes import FUNCTIONS, ROOT, FunctionProcess, until

from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.domain import ids
from parley.domain.requests import NewRequest, SessionWanted

ADAPTER = Path(__file__).parent / "func_python_adapter.py"


@contextmanager
def served(python, name, **settings):
    """A function under func-python; gives a client of it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "lib"),
        "LISTEN_ADDRESS": f"127.0.0.1:{port}",
        **settings,
    }
    process = subprocess.Popen([python, ADAPTER, FUNCTIONS / name], env=env, cwd=ROOT)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        until(lambda: process.poll() is not None or _is_ready(client))
        assert process.poll() is None
        yield client
    process.terminate()
    assert process.wait(20) == 0


def _is_ready(client):
    try:
        return client.get("/health/readiness").status_code == 200
    except httpx.TransportError:
        return False


def post(client, kind, data, **headers):
    given = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/test", "ce-type": kind, **headers}
    return client.post("/", content=data, headers={"content-type": "application/json", **given})


def told(answer):
    """What of an answer counts: what a broker and a next function see."""
    event = {name: value for name, value in answer.headers.items() if name.startswith("ce-") and name != "ce-time"}
    body = answer.json() if answer.status_code == 200 else answer.text
    return answer.status_code, event, answer.headers.get("kne-reason"), body


@pytest.fixture
def both(environment, database_url, tmp_path):
    """Start a function twice: under func-python, and under parliament."""
    with ExitStack() as stack:

        def start(name, **settings):
            given = {"DATABASE_URL": as_role(database_url, name), "CONFIG_DIR": str(ROOT / "config"), **settings}
            new = stack.enter_context(served(environment("func_python"), name, **given))
            old = stack.enter_context(FunctionProcess(FUNCTIONS / name, tmp_path / f"{name}.log", **given))
            return new, stack.enter_context(old.client())

        yield start


def test_a_turn_is_the_same(both, database):
    """One request: a turn, its reply; the same event again, at either: the same reply. And what is no event is none."""
    user = Users(database).meet("slack", "T1:U1", email="ann@example.org", name="Ann", timezone=None)
    new = NewRequest(
        id=ids.new(), user_id=user, session=SessionWanted(), source="cli", content="How old must my laptop be?",
        principal="test", route="test", delivery={"channels": ["test"], "mode": "first"},
    )  # fmt: skip
    session = Requests(database).accept(new).session_id
    modern, plain = both("agent-turn", K_SINK="http://127.0.0.1:9/", TOOL_SIGNING_KEY="A" * 42 + "E")
    event = json.dumps({"request_id": str(new.id), "session_id": str(session)})
    nobody = json.dumps({"request_id": str(uuid.uuid4()), "session_id": str(session)})

    first, second = post(modern, "parley.request.created", event), post(plain, "parley.request.created", event)
    third = post(modern, "parley.request.created", event)

    assert first.headers["ce-type"] == "parley.response.ready"
    assert first.headers["content-type"] == "application/json"
    assert told(first)[3] == told(second)[3] == told(third)[3]
    for kind, data in (
        ("parley.request.created", event), ("parley.request.created", nobody), ("parley.request.created", "{}"),
        ("parley.request.created", "no json"), ("parley.other", event),
    ):  # fmt: skip
        assert told(post(modern, kind, data)) == told(post(plain, kind, data)), (kind, data)
    assert modern.post("/", content=b"x").status_code == plain.post("/", content=b"x").status_code == 400


def test_a_delivery_is_the_same(both, answered, rank):
    """The first takes it, the second finds it done: 202 from both, with nothing in it."""
    [due] = answered(rank("test", 1, to="ann"))
    modern, plain = both("deliver-test")
    data = due.emit("test", None).contract.model_dump_json()

    answers = [told(post(one, "parley.response.ready", data)) for one in (modern, plain, modern)]

    assert answers == [(202, {}, None, "")] * 3

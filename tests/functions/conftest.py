"""Functions as their folders have them, called as a broker calls them."""

import importlib.util
from contextlib import ExitStack
from pathlib import Path

import pytest
from databases import as_role

from devkit.serving import LocalServer, Reply
from parley import envelope, serve
from parley.domain.events import ResponseReady

FUNCTIONS = Path(__file__).parents[2] / "functions"


@pytest.fixture
def deliver(database_url):
    """
    Start deliver-* from its folder, with settings; gives what delivers one due delivery.

    That gives the HTTP status, and the event of the reply if there is one.
    """
    with ExitStack() as stack:

        def start(channel, **settings):
            spec = importlib.util.spec_from_file_location("func", FUNCTIONS / f"deliver-{channel}" / "func.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            own = {
                "DATABASE_URL": as_role(database_url, f"deliver-{channel}"),
                "CONFIG_DIR": str(FUNCTIONS.parent / "config"),
            }
            module.function.configure({**own, **settings})
            stack.callback(module.function.close)
            client = serve.application(module.function).test_client()

            def run(due):
                contract = due if isinstance(due, ResponseReady) else due.emit("test", None).contract
                event = envelope.Event(
                    id=f"test-{contract.delivery_id}",
                    source="/test",
                    type=contract.TYPE,
                    body=contract.model_dump_json().encode(),
                )
                headers, body = envelope.to_binary(event)
                answer = client.post("/", headers=headers, data=body)
                reply = envelope.parse(answer.headers, answer.data) if answer.status_code == 200 else None
                return answer.status_code, ResponseReady.model_validate(reply.data) if reply else None

            return run

        yield start


@pytest.fixture
def row(database_url):
    """Read the first row of a query, past the store; or run a statement."""
    import psycopg
    from psycopg.rows import dict_row

    def read(query, *values):
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchone() if cursor.description else None

    return read


@pytest.fixture
def broker():
    """What K_SINK names: `status` is what it answers, `events` is what it got."""

    def answer(request):
        server.events.append(envelope.parse(request.headers, request.body))
        return Reply(server.status)

    server = LocalServer(answer)
    server.events, server.status = [], 202
    with server:
        yield server

"""A function under parliament: exceptions become statuses, nothing leaks, logs hold no content."""

import io
import json
import logging
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from parley import envelope, logs, runtime, serve
from parley.domain.events import Emit, RequestCreated, ResponseReady
from parley.errors import Misconfigured, Rejected, Unavailable

SECRET = "hunter2-the-password"


@dataclass(frozen=True)
class Config:
    greeting: str


class Handler:
    """Does what the request's id says."""

    def __init__(self, cfg):
        self.cfg = cfg
        self.down = False

    def __call__(self, created):
        match str(created.request_id)[0]:
            case "1":
                raise Rejected("no such thing")
            case "2":
                raise Unavailable("the database cannot be used now") from OSError(SECRET)
            case "3":
                raise KeyError(SECRET)
            case "4":
                return None
        contract = ResponseReady(
            request_id=created.request_id,
            delivery_id=created.request_id,
            session_id=created.session_id,
            channel="slack",
        )
        return Emit(contract, "test")

    def ready(self):
        if self.down:
            raise Unavailable("not now")


@pytest.fixture
def function():
    made = runtime.event_function("agent-turn", takes=RequestCreated, config=Config, build=Handler)
    made.configure({"GREETING": "hello"})
    return made


@pytest.fixture
def client(function):
    return serve.application(function).test_client()


@pytest.fixture
def logged():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def post(client, first="0", **changes):
    contract = RequestCreated(request_id=uuid.UUID(first + "0" * 31), session_id=uuid.UUID(int=7))
    headers, body = envelope.to_binary(envelope.outgoing(Emit(contract, "test"), "test"))
    headers |= changes.pop("headers", {})
    return client.post("/", headers=headers, data=changes.get("body", body))


def test_reply_is_an_event_of_json(client):
    """A reply has every attribute, a content type, and parses strictly."""
    answer = post(client)

    event = envelope.parse(dict(answer.headers), answer.data)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert event.type == "parley.response.ready"
    assert event.extensions["channel"] == "slack"


@pytest.mark.parametrize(("first", "status"), [("1", 422), ("2", 503), ("3", 500), ("4", 202)])
def test_outcome_becomes_its_status_and_an_empty_body(client, first, status):
    """No exception text leaves in a body; our own words go out as kne-reason, others do not."""
    answer = post(client, first)

    assert (answer.status_code, answer.data) == (status, b"")
    assert SECRET not in str(answer.headers)
    assert answer.headers.get("kne-reason") == {"1": "no such thing", "2": "the database cannot be used now",
                                                "3": "internal error"}.get(first)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"headers": {"ce-specversion": "0.3"}}, 400),
        ({"headers": {"ce-type": "parley.other.thing"}}, 422),
        ({"body": b"{"}, 422),
        ({"body": b'{"request_id": "x"}'}, 422),
        ({"body": b"[]"}, 422),
        ({"headers": {"content-type": "text/plain"}}, 422),
    ],
)
def test_wrong_events_are_final(client, changes, status):
    """What is no event is 400, an event with wrong data 422: neither is retried."""
    answer = post(client, **changes)

    assert (answer.status_code, answer.data) == (status, b"")


def test_plain_request_is_no_event(client):
    """A GET or a POST without event is refused, never passed to the handler."""
    assert client.get("/").status_code == 400
    assert client.post("/", data="hello").status_code == 400


def test_bug_is_final_where_a_retry_would_block_a_partition():
    """normalize answers a bug with 422."""
    made = runtime.event_function("normalize", takes=RequestCreated, config=Config, build=Handler, on_bug=422)
    made.configure({"GREETING": "hello"})

    answer = post(serve.application(made).test_client(), "3")

    assert answer.status_code == 422


def test_one_looks_whether_it_is_ready_and_the_others_do_not_wait(function):
    """Who comes meanwhile is told what was found before: at first nothing, then that it was ready."""
    entered, let_go = threading.Semaphore(0), threading.Semaphore(0)
    function.handler.ready = lambda: entered.release() or let_go.acquire(timeout=30)
    told = []

    with ThreadPoolExecutor(1) as threads:
        for _ in range(2):
            looking = threads.submit(function.ready)
            assert entered.acquire(timeout=30)
            try:
                told.append(function.ready())
            except Unavailable as error:
                told.append(str(error))
            let_go.release()
            assert looking.result(30) is None

    assert told == ["nobody has looked yet", None]


def test_bug_in_a_look_ends_the_look(function):
    """The next one looks again."""
    function.handler.ready = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        function.ready()
    function.handler.ready = lambda: None

    assert function.ready() is None


def test_readiness_is_honest(client, function):
    """Ready only while the handler says so; liveness does not depend on it."""
    assert client.get("/health/readiness").status_code == 200

    function.handler.down = True

    assert client.get("/health/readiness").status_code == 503
    assert client.get("/health/liveness").status_code == 200


def test_wrong_setting_ends_the_start():
    """A function without its settings does not start half-way."""
    made = runtime.event_function("agent-turn", takes=RequestCreated, config=Config, build=Handler)
    made.configure({})

    with pytest.raises(Misconfigured, match="GREETING"):
        serve.application(made)


def test_logs_are_json_with_ids_and_without_content(client, logged):
    """Each line has request, session, event and trace ids; texts of foreign exceptions stay out."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    for first in "0123":
        post(client, first, headers={"ce-traceparent": trace})

    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    ours = [line for line in lines if line.get("function") == "agent-turn"]
    assert SECRET not in logged.getvalue()
    assert {"request_id", "session_id", "event_id", "trace_id", "status", "duration_ms"} <= set(ours[0])
    assert ours[0]["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert any(line.get("error", {}).get("class") == "KeyError" for line in ours)

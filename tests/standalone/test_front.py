"""The one door of the single process: which path leads where."""

from dataclasses import dataclass

import pytest
from werkzeug import Request, Response
from werkzeug.test import Client

from parley import runtime
from parley.errors import Unavailable
from standalone.front import Front
from standalone.ingress import ingress_app

EVENT = {"ce-id": "1", "ce-source": "/test", "ce-type": "t", "ce-specversion": "1.0"}
NAMES = ("agent-turn", "request-api", "slack-ingest")


@dataclass(frozen=True)
class Nothing:
    """No settings."""


class Worker:
    """A handler that can work, until `reason` says why not."""

    reason = ""

    def __call__(self, _):
        return None

    def ready(self):
        if self.reason:
            raise Unavailable(self.reason)


def app(name):
    """A WSGI app that says who it is and what it was asked for."""

    def answer(environ, start_response):
        asked = Request(environ)
        said = f"{name} {asked.method} {environ['SCRIPT_NAME']}|{asked.path}?{asked.query_string.decode()}"
        return Response(f"{said} {asked.get_data(as_text=True)}".strip())(environ, start_response)

    return answer


@pytest.fixture
def workers():
    """The handlers of the functions, by name."""
    return {name: Worker() for name in NAMES}


@pytest.fixture
def front(bench, trigger, workers):
    """A client of a front door with three functions and a real broker behind it."""
    broker = bench.start(trigger())
    functions = {
        name: runtime.event_function(name, takes=None, config=Nothing, build=lambda _, name=name: workers[name])
        for name in NAMES
    }
    parts = ({name: app(name) for name in NAMES}, functions, ingress_app(broker))
    client = Client(Front(*parts))
    client.broker = broker
    client.public = Client(Front(*parts, is_public=True))
    return client


@pytest.mark.parametrize("path", ["/functions/recover/", "/functions/agent-turn/", "/parley/parley", "/-/broker"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_door_that_others_can_reach_takes_no_event_and_shows_nothing(front, path, method):
    """What asks for neither a signature nor a key is open to this machine alone."""
    answer = front.public.open(path, method=method, headers=EVENT, data=b"{}")
    assert answer.status_code == 404
    assert front.broker.stats()["accepted"] == 0


def test_no_event_is_taken_at_the_root_of_a_door_that_others_can_reach(front):
    """A browser gets the page there; whoever posts gets nothing."""
    assert front.public.post("/", headers=EVENT, data=b"{}").status_code == 404
    assert front.broker.stats()["accepted"] == 0


@pytest.mark.parametrize("path", ["/functions/recover/", "/functions/agent-turn/", "/parley/parley", "/-/broker"])
def test_what_is_this_machines_is_no_page_s(front, path):
    """Called by another name than this machine's; what asks for a signature or a key may have any."""
    answer = front.post(path, headers={**EVENT, "Host": "evil.example"}, data=b"{}")
    assert answer.status_code == 421
    assert front.broker.stats()["accepted"] == 0
    assert front.post("/slack/events", headers={"Host": "evil.example"}).status_code == 200


@pytest.mark.parametrize("path", ["/slack/events", "/api/v1/requests", "/health/liveness", "/health/readiness"])
def test_a_door_that_others_can_reach_takes_what_is_signed_or_has_a_key(front, path):
    """And tells of its health."""
    assert front.public.get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/slack/events", "slack-ingest"),
        ("/api/v1/requests", "request-api"),
        ("/api/v1/requests/1/status", "request-api"),
        ("/openapi.json", "request-api"),
    ],
)
def test_public_path_leads_to_its_function_unchanged(front, path, name):
    """
    Method, path, query and body arrive as they were sent.
    """
    answer = front.post(f"{path}?a=1", data="body")

    assert (answer.status_code, answer.text) == (200, f"{name} POST |{path}?a=1 body")


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("/functions/agent-turn", "/"),
        ("/functions/agent-turn/", "/"),
        ("/functions/agent-turn/health/readiness", "/health/readiness"),
    ],
)
def test_any_function_can_be_called_by_its_name(front, path, inner):
    """
    Below `/functions/NAME` is what the function alone would serve.
    """
    answer = front.post(path, data="body")

    assert answer.text == f"agent-turn POST /functions/agent-turn|{inner}? body"


@pytest.mark.parametrize("path", ["/functions/nobody", "/functions/nobody/", "/functions/"])
def test_function_that_does_not_exist(front, path):
    """
    404, and it says what is missing.
    """
    answer = front.post(path)

    assert (answer.status_code, answer.text) == (404, "no such function")


@pytest.mark.parametrize("path", ["/nowhere", "/x/y", "/health", "/function/agent-turn"])
def test_path_that_leads_nowhere(front, path):
    """
    404 for whatever nobody has.
    """
    assert front.get(path).status_code == 404
    assert front.post(path, headers=EVENT).status_code == 404


@pytest.mark.parametrize("path", ["/", "/n/b"])
def test_event_goes_to_the_broker(front, bench, path):
    """
    At the broker's own path, and at `/`, where a function takes its events.
    """
    answer = front.post(path, headers=EVENT)

    assert answer.status_code == 202
    assert front.broker.wait_idle(20)
    assert bench.scripts["greet"].ids() == ["1"]


def test_state_of_the_broker_is_behind_the_same_door(front):
    """
    `/-/broker` counts what came in.
    """
    front.post("/", headers=EVENT)

    assert front.get("/-/broker").json["accepted"] == 1


@pytest.mark.parametrize("path", ["/", "/chat", "/console", "/sign-in", "/page/1/chat.js"])
def test_a_browser_gets_the_page(front, path):
    """
    From request-api, also where others can reach the door; nothing of it is an event.
    """
    assert front.get(path).text.startswith("request-api GET")
    assert front.public.get(path).text.startswith("request-api GET")
    assert front.head(path).status_code == 200
    assert front.broker.stats()["accepted"] == 0


def test_ready_when_every_function_is(front):
    """
    200 for both questions of a cluster.
    """
    assert (front.get("/health/readiness").status_code, front.get("/health/liveness").status_code) == (200, 200)


def test_not_ready_while_one_function_cannot_work(front, workers):
    """
    503 names the function and the reason; it lives on, and is ready again when the function is.
    """
    workers["request-api"].reason = "the database cannot be reached"

    refused = front.get("/health/readiness")
    alive = front.get("/health/liveness")
    workers["request-api"].reason = ""

    assert (refused.status_code, refused.text) == (503, "request-api: the database cannot be reached")
    assert (alive.status_code, alive.text) == (200, "OK")
    assert front.get("/health/readiness").status_code == 200

"""POST /api/v1/requests: who wants to wait how long gets what, and nothing is promised that is not stored."""

import uuid

import pytest

from parley.domain.events import RequestCreated

REQUESTS = "/api/v1/requests"


def test_answer_in_time_is_the_answer(ann, broker, answer):
    """Without a wish the caller waits, and gets the result with its citations in the call."""
    broker.then = answer

    got = ann("POST", REQUESTS, {"content": "How old must my laptop be?"})

    body = got.get_json()
    assert got.status_code == 200
    assert body["status"] == "completed"
    assert body["result"]["text"] == "Four years."
    assert body["result"]["citations"][0]["document"] == "laptop-refresh"
    assert body["result"]["agent"] == "it-desk"
    assert got.headers["Content-Location"] == body["links"]["result"] == f"{REQUESTS}/{body['request_id']}/result"


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("respond-async", "respond-async"),
        ("Respond-Async, wait=20", "respond-async"),
        ("wait=0", "wait=0"),
        ('handling=lenient, wait="0"', "wait=0"),
        ("wait=0; because=hurry", "wait=0"),
    ],
)
def test_answer_that_takes_longer_is_a_place_to_look(ann, prefer, applied):
    """Whoever does not wait long enough gets 202: where to look, when, and the ids; never an error."""
    got = ann.ask(Prefer=prefer)

    body = got.get_json()
    assert got.status_code == 202
    assert got.headers["Preference-Applied"] == applied
    assert got.headers["Location"] == body["links"]["status"] == f"{REQUESTS}/{body['request_id']}/status"
    assert int(got.headers["Retry-After"]) >= 1
    assert body["status"] == "queued"
    assert uuid.UUID(body["session_id"])


@pytest.mark.parametrize("prefer", ["wait=999999999", "wait=60", "wait=-1", "wait=soon", "wait=٣", "return=minimal"])
def test_wish_to_wait_has_an_end(ann, broker, answer, prefer):
    """More than 25 seconds are 25; what is no number is no wish."""
    broker.then = answer

    got = ann.ask(Prefer=prefer)

    assert got.status_code == 200
    assert got.headers["Preference-Applied"] == "wait=25"


def test_more_than_the_most_wait_for_nothing(ann, api):
    """When every place to wait is taken, the next caller gets 202 at once and the threads stay free."""
    api.desk.waiting._most = 0

    got = ann.ask(Prefer="wait=25")

    assert got.status_code == 202


@pytest.mark.parametrize(
    ("alias", "source"), [("", "generic"), ("/generic", "generic"), ("/web", "web"), ("/cli", "cli"), ("/tool", "tool")]
)
def test_alias_says_who_asks(ann, rows, alias, source):
    """The aliases do the same and are kept apart in the row."""
    got = ann.ask(alias=alias, Idempotency_Key="k")

    assert got.status_code == 202
    assert [row["source"] for row in rows("select source from requests")] == [source]


def test_event_follows_the_row(ann, broker, rows):
    """What is published names a row that everybody can read already."""
    seen = []
    broker.then = lambda request_id: seen.append(rows("select state from requests where id = %s", request_id))

    body = ann.ask().get_json()

    [emit] = broker.published
    assert seen == [[{"state": "queued"}]]
    assert emit.contract == RequestCreated(request_id=body["request_id"], session_id=body["session_id"])


@pytest.mark.parametrize(("prefer", "status"), [("respond-async", 202), ("wait=0", 202)])
def test_broker_that_is_down_loses_nothing(ann, broker, rows, prefer, status):
    """The row is the obligation: without its event it is still accepted, and due for the sweep."""
    broker.is_down = True

    got = ann.ask(Prefer=prefer)

    assert got.status_code == status
    assert rows("select state, due_at is not null as is_due from requests") == [{"state": "queued", "is_due": True}]


def test_failure_is_an_end_and_no_error(ann, broker, answer):
    """A request that failed is told as such: the call itself went well."""
    broker.then = lambda request_id: answer(request_id, failed=True)

    got = ann.ask(Prefer="wait=25")

    body = got.get_json()
    assert (got.status_code, body["status"], body["result"]) == (200, "failed", None)
    assert body["error"]["title"] == "Too late."


def test_session_goes_on(ann, rows):
    """A session that is given is the one that is used; without one, a new one begins."""
    first = ann.ask().get_json()["session_id"]

    same = ann("POST", REQUESTS, {"content": "And?", "session_id": first}, Prefer="respond-async").get_json()
    other = ann.ask().get_json()

    assert same["session_id"] == first != other["session_id"]


def test_foreign_session_looks_like_none(ann, caller, problem):
    """Somebody else's session and one that never was are the same 404."""
    foreign = caller("bob@example.org").ask().get_json()["session_id"]

    answers = [
        ann("POST", REQUESTS, {"content": "Hello?", "session_id": session}) for session in (foreign, str(uuid.uuid4()))
    ]

    assert problem(answers[0], "not-found", 404) == problem(answers[1], "not-found", 404)


def test_everything_that_was_said_is_kept(ann, rows):
    """Delivery and context are stored as they were sent."""
    body = {
        "content": "Hé 👋",
        "delivery": {"channels": ["email", "test"]},
        "context": {"page": "/vpn", "n": 3, "x": None},
    }

    ann("POST", REQUESTS, body, Prefer="respond-async")

    [row] = rows("select content, delivery, context from requests")
    assert row["content"] == body["content"]
    assert row["delivery"] == {"channels": ["email", "test"], "mode": "first"}
    assert row["context"] == body["context"]


def test_a_channel_that_there_is_not_is_refused(ann, rows, problem):
    """With its place, and with those that there are: misspelt, its answer would go nowhere."""
    got = ann("POST", REQUESTS, {"content": "Hi", "delivery": {"channels": ["email", "emial"]}})

    [error] = problem(got, "invalid", 422)["errors"]
    assert error["pointer"] == "/delivery/channels/1"
    assert "email" in error["detail"]
    assert rows("select id from requests") == []


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_trace_of_the_caller_goes_on(ann, broker, rows):
    """A traceparent is stored with the request and goes out with its event."""
    ann.ask(traceparent=TRACE)

    assert rows("select traceparent from requests") == [{"traceparent": TRACE}]
    assert broker.published[0].traceparent == TRACE


@pytest.mark.parametrize(
    "given", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", TRACE.upper(), TRACE + "-x"]
)
def test_trace_is_begun_when_there_is_none(ann, broker, rows, given):
    """What is no trace is replaced by a new one, the same in row and event."""
    ann.ask(traceparent=given)

    [row] = rows("select traceparent from requests")
    version, trace, span, flags = row["traceparent"].split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert trace != "0" * 32
    assert broker.published[0].traceparent == row["traceparent"] != given

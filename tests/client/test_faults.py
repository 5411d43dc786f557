"""The client before a server that is busy, broken, cut off or something else altogether."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from devkit.serving import Reply, as_json
from parley.client import Broken, Invalid, NotFound, Parley, RateLimited, Refused, Unreachable
from parley.client.streams import read

STATUS = {
    "request_id": "01890000-0000-7000-8000-000000000001", "session_id": "01890000-0000-7000-8000-000000000002",
    "status": "queued", "version": 1, "attempt": 0, "queue_position": 0, "created_at": "2026-11-26T10:00:00Z",
    "started_at": None, "finished_at": None, "deadline": "2026-11-26T10:15:00Z",
    "links": {"status": "/s", "result": "/r", "events": "/e"},
}  # fmt: skip
ID = STATUS["request_id"]
TAKEN = as_json(STATUS, 202)
READ = as_json(STATUS)


def problem(status, headers=None):
    body = {"type": "urn:parley:problem:x", "title": "No.", "status": status, "request_id": "r1"}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json", **(headers or {})})


@pytest.mark.parametrize(
    "fault",
    [
        problem(503), problem(502), problem(504), problem(429, {"Retry-After": "3"}), Reply(breaks="reset"),
        Reply(503, b"<html>"),
    ],
    ids=["503", "502", "504", "429", "reset", "a page"],
)  # fmt: skip
def test_question_is_asked_again_with_its_key(broken, hurried, fault):
    """One question, however often it is sent."""
    broken.script = [fault, fault, TAKEN]

    status = hurried.requests.ask("Why?", wait=0)

    assert str(status.request_id) == ID
    assert len({request.headers["idempotency-key"] for request in broken.asked}) == 1
    assert len(broken.paused) == 2


def test_pause_is_what_was_asked_for(broken, hurried):
    """Retry-After, else growing pauses."""
    broken.script = [problem(429, {"Retry-After": "7"}), problem(503), problem(503), READ]

    hurried.requests.status(ID)

    first, second, third = broken.paused
    assert first == 7
    assert 0.5 <= second <= 1.5 < 4.1 * third


def test_what_would_be_done_twice_is_not_repeated(broken, hurried):
    """A call that changes something, without a key: its caller decides."""
    for call in (
        lambda: hurried.requests.cancel(ID),
        lambda: hurried.admin.replay(ID),
    ):
        broken.asked.clear()
        broken.script = [problem(503)]
        with pytest.raises(Broken):
            call()
        assert len(broken.asked) == 1


def test_what_is_made_once_is_repeated_with_its_key(broken, hurried):
    """Whatever the API makes once for a key is asked for again, with the same one."""
    at = datetime(2026, 11, 1, tzinfo=UTC)
    for call in (
        lambda: hurried.sessions.create("x"),
        lambda: hurried.sessions.reset(ID),
        lambda: hurried.keys.create("x"),
        lambda: hurried.deliveries.redeliver(ID),
        lambda: hurried.preferences.rotate("webhook"),
        lambda: hurried.preferences.replay("webhook", at, at + timedelta(hours=1)),
    ):
        broken.asked.clear()
        broken.script = [problem(503), problem(404)]
        with pytest.raises(NotFound):
            call()
        assert len({request.headers["idempotency-key"] for request in broken.asked}) == 1
        assert len(broken.asked) == 2


def test_patience_has_an_end(broken):
    """Afterwards the error is what came last."""
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    broken.script = [problem(503)] * 100
    with Parley(broken.url, "pk_x", patience=20, sleep=sleep, clock=lambda: now[0]) as client, pytest.raises(Broken):
        client.requests.status(ID)

    assert 3 <= len(broken.asked) <= 8


def test_too_long_a_pause_is_told_instead_of_waited_for(broken, hurried):
    """A quota that comes back tomorrow: the error has the seconds."""
    broken.script = [problem(429, {"Retry-After": "40000"})]

    with pytest.raises(RateLimited) as error:
        hurried.requests.status(ID)

    assert error.value.retry_after == 40000
    assert broken.paused == []


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
def test_what_no_try_mends_is_not_repeated(broken, hurried, status):
    """Neither our own mistakes nor bugs of theirs."""
    broken.script = [problem(status)]

    with pytest.raises(Refused) as error:
        hurried.requests.status(ID)

    assert (error.value.status, str(error.value), len(broken.asked)) == (status, "No.", 1)


def test_answer_of_something_in_between_is_no_problem_of_ours(broken, hurried):
    """A proxy's page has no members to read."""
    broken.script = [Reply(404, b"<html>nginx</html>")]

    with pytest.raises(Refused, match="the answer was 404") as error:
        hurried.requests.status(ID)

    assert error.value.problem is None


def test_nobody_there_is_said_so(broken):
    """And so is an address that is none."""
    with (
        Parley("http://127.0.0.1:9", "pk_x", patience=0) as client,
        pytest.raises(Unreachable, match="nobody answered"),
    ):
        client.me()


def stream(*events, first=1, cut=b""):
    lines = [f"id: {n}\nevent: {kind}\ndata: {json.dumps(data)}\n\n" for n, (kind, data) in enumerate(events, first)]
    return Reply(200, "".join(lines).encode() + cut, {"Content-Type": "text/event-stream"})


TEXTS = [("text", {"step": 0, "delta": letter}) for letter in "abcdef"]
END = ("completed", {"result": {"text": "abcdef"}})


@pytest.mark.parametrize("at", range(7))
def test_stream_that_is_cut_is_taken_up_where_it_was(broken, hurried, at):
    """After any event, in the middle of the next one: no gap, no repetition."""
    events = [*TEXTS, END]
    half = b'id: %d\nevent: text\ndata: {"st' % (at + 1)
    broken.script = [stream(*events[:at], cut=half), Reply(503), stream(*events[at:], first=at + 1)]

    found = list(hurried.requests.stream(ID))

    assert [event.seq for event in found] == list(range(1, 8))
    assert [request.headers.get("last-event-id") for request in broken.asked] == [None, *[str(at) if at else None] * 2]


def test_event_that_comes_again_is_given_once(broken, hurried):
    """A server that repeats itself after a cut changes nothing."""
    broken.script = [stream(*TEXTS[:3]), stream(*TEXTS, END)]

    assert [event.seq for event in hurried.requests.stream(ID)] == list(range(1, 8))


def test_stream_that_never_goes_on_is_given_up(broken, hurried):
    """Some tries without any event between them; then it is said."""
    broken.script = [stream(*TEXTS[:2]), *[Reply(503)] * 50]

    with pytest.raises(Broken):
        list(hurried.requests.stream(ID))

    assert len(broken.asked) < 10


def test_request_that_is_not_ours_is_not_asked_for_again(broken, hurried):
    """404 is no cut."""
    broken.script = [problem(404)]

    with pytest.raises(Refused):
        list(hurried.requests.stream(ID))
    assert len(broken.asked) == 1


def test_end_that_was_told_is_the_end(broken, hurried):
    """204: there is nothing behind the last event that came."""
    broken.script = [stream(*TEXTS[:1]), Reply(204)]

    assert len(list(hurried.requests.stream(ID))) == 1


def test_lines_are_read_as_the_standard_says():
    """Comments, fields without a space, without a value, unknown ones; an event without data is none."""
    lines = [
        ": alive",
        "id:1",
        "event:text",
        "data:{}",
        "",
        "id: 2",
        "",
        "retry: 1000",
        "",
        "event: gap",
        "data: {}",
        "",
        "id: 5",
        "data: {}",
    ]

    assert [(event.seq, event.type) for event in read(lines, 0)] == [(1, "text"), (1, "gap")]


def test_key_is_in_no_error(broken):
    """Neither in what is said nor in what is shown of the client."""
    broken.script = [Reply(401)]
    with Parley(broken.url, "pk_secret") as client, pytest.raises(Refused) as error:
        client.me()

    assert "pk_secret" not in f"{error.value!r} {client!r} {client.requests._transport!r}"


def test_invalid_body_names_its_places(broken, hurried):
    """JSON pointers, in the words of the error."""
    body = {"type": "urn:parley:problem:invalid", "title": "The body does not fit.", "status": 422, "request_id": "r",
            "errors": [{"pointer": "/content", "detail": "is empty"}]}  # fmt: skip
    broken.script = [as_json(body, 422)]

    with pytest.raises(Invalid, match=r"The body does not fit. \(/content: is empty\)"):
        hurried.requests.ask("", wait=0)

"""Idempotency-Key: the same call again is the same request, whatever happened to the first answer."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

REQUESTS = "/api/v1/requests"


def test_same_again_is_the_same_request(ann, rows):
    """The second call says that it is a replay, and makes nothing."""
    first = ann.ask(Idempotency_Key="k")

    second = ann.ask(Idempotency_Key="k")

    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.get_json()["request_id"] == first.get_json()["request_id"]
    assert len(rows("select id from requests")) == 1


def test_replay_tells_the_state_of_now(ann, answer):
    """A replay after the answer is the answer, even for a caller that does not wait."""
    request_id = ann.ask(Idempotency_Key="k").get_json()["request_id"]
    answer(request_id)

    again = ann.ask(Idempotency_Key="k")

    assert again.status_code == 200
    assert again.get_json()["result"]["text"] == "Four years."
    assert again.headers["Idempotency-Replayed"] == "true"


def test_replay_of_the_answered_nudges_nobody(ann, broker, answer):
    """What is over needs no event."""
    answer(ann.ask(Idempotency_Key="k").get_json()["request_id"])
    before = len(broker.published)

    ann.ask(Idempotency_Key="k")

    assert len(broker.published) == before


def test_bare_and_quoted_key_are_one(ann):
    """The draft quotes the key, most clients do not."""
    bare = ann.ask(Idempotency_Key="k-1").get_json()

    quoted = ann.ask(Idempotency_Key='"k-1"').get_json()

    assert quoted["request_id"] == bare["request_id"]


def test_order_of_members_is_no_difference(ann):
    """The fingerprint is of the value, not of its spelling."""
    first = ann("POST", REQUESTS, b'{"content":"Hi","context":{"a":1,"b":2}}', Idempotency_Key="k", Prefer="wait=0")

    again = ann(
        "POST", REQUESTS, b'{ "context": {"b": 2, "a": 1}, "content": "Hi" }', Idempotency_Key="k", Prefer="wait=0"
    )

    assert again.get_json()["request_id"] == first.get_json()["request_id"]


@pytest.mark.parametrize("body", [{"content": "Other"}, {"content": "Hi", "context": {"a": 1}}])
def test_key_for_another_body_is_refused(ann, rows, problem, body):
    """422: the caller has mixed up two calls."""
    ann("POST", REQUESTS, {"content": "Hi"}, Idempotency_Key="k", Prefer="respond-async")

    got = ann("POST", REQUESTS, body, Idempotency_Key="k")

    problem(got, "key-reused", 422)
    assert len(rows("select id from requests")) == 1


def test_keys_of_two_people_are_two(ann, caller):
    """A key means nothing to anybody else: no oracle, no collision."""
    other = caller("bob@example.org").ask(Idempotency_Key="k")

    own = ann.ask(Idempotency_Key="k")

    assert own.get_json()["request_id"] != other.get_json()["request_id"]
    assert "Idempotency-Replayed" not in own.headers


def test_refused_body_uses_no_key(ann):
    """A call that failed before it was stored leaves its key free."""
    ann("POST", REQUESTS, {"content": ""}, Idempotency_Key="k")

    got = ann.ask(Idempotency_Key="k")

    assert got.status_code == 202


@pytest.mark.parametrize("key", ["", '""', "a b", "ü", "x" * 256, "tab\there"])
def test_key_that_is_none_is_refused(ann, problem, key):
    """1 to 255 printable characters of ASCII."""
    got = ann.ask(Idempotency_Key=key.encode().decode("latin-1"))

    problem(got, "bad-request", 400)


def test_machines_must_send_a_key(ann, rows, problem):
    """A tool repeats calls by itself: without a key it is refused."""
    got = ann.ask(alias="/tool")

    problem(got, "key-required", 400)
    assert rows("select id from requests") == []


def test_twenty_at_once_are_one(ann, rows):
    """Of calls at the same moment one makes the request; the others wait for it and replay."""
    barrier = threading.Barrier(20)

    def post(_):
        barrier.wait()
        return ann.ask(Idempotency_Key="k")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))

    assert {got.status_code for got in answers} == {202}
    assert len({got.get_json()["request_id"] for got in answers}) == 1
    assert sum("Idempotency-Replayed" not in got.headers for got in answers) == 1
    assert len(rows("select id from requests")) == 1

"""The request API as a process of its own, asked over HTTP: what a caller sees from the question to its delivery."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from api.installed.world import API, DELIVERIES, REQUESTS, TRACE, UNKNOWN, problem, serving
from databases import run
from processes import until

from parley.adapters.postgres.requests import Requests
from parley.domain.plan import Plan
from parley.domain.turn import Cancelled


def test_question_goes_all_the_way(world, ann):
    """Accepted, published, running, answered, delivered: the caller can see each step, and each is a newer version."""
    asked = ann.post(REQUESTS, json={"content": "Hi"}, headers={"Prefer": "respond-async", "traceparent": TRACE})
    links = asked.json()["links"]
    seen = [ann.get(links["status"]).json()]
    early = ann.get(links["result"])
    turn = world.begin(asked.json()["request_id"])
    seen.append(ann.get(links["status"]).json())
    running = ann.get(links["result"])
    due = world.complete(turn)
    seen.append(ann.get(links["status"]).json())
    result = ann.get(links["result"])
    planned = ann.get(DELIVERIES).json()["items"]
    world.deliver(due)
    delivery = ann.get(f"{API}/deliveries/{due.delivery_id}")

    assert (asked.status_code, asked.headers["Location"]) == (202, links["status"])
    assert [one["status"] for one in seen] == ["queued", "running", "completed"]
    assert seen[0]["version"] < seen[1]["version"] < seen[2]["version"]
    assert [seen[n][name] is not None for n, name in ((0, "started_at"), (1, "started_at"), (1, "finished_at"))] == [
        False, True, False,
    ]  # fmt: skip
    assert seen[2]["created_at"] <= seen[2]["started_at"] <= seen[2]["finished_at"] <= seen[2]["deadline"]
    for unfinished, state in ((early, "queued"), (running, "running")):
        assert (unfinished.status_code, unfinished.json()["status"]) == (202, state)
        assert unfinished.headers["Retry-After"] == "1"
        assert "result" not in unfinished.json()
    assert result.status_code == 200
    assert result.json()["result"]["text"] == "Four years."
    assert result.json()["result"]["citations"][0]["document"] == "laptop-refresh"
    assert result.headers["ETag"] == f'"v{seen[2]["version"]}"'
    [one] = planned
    assert (one["id"], one["channel"], one["state"]) == (str(due.delivery_id), "test", "queued")
    assert delivery.json()["state"] == "delivered"
    [attempt] = delivery.json()["attempts"]
    assert (attempt["outcome"], attempt["provider_id"], attempt["sent"]) == (
        "delivered", "id-1", {"text": "Four years."},
    )  # fmt: skip


def test_event_names_the_request_and_nothing_else(world, ann):
    """What goes to the broker: ids, to order and to trace by; never the question."""
    got = ann.post(
        REQUESTS, json={"content": "a private question"}, headers={"Prefer": "wait=0", "traceparent": TRACE}
    ).json()

    [event] = [event for event in world.events if event.subject == got["request_id"]]
    assert (event.type, event.source) == ("parley.request.created", "/parley/request-api")
    assert event.extensions == {"partitionkey": got["session_id"], "traceparent": TRACE}
    assert event.data == {"request_id": got["request_id"], "session_id": got["session_id"]}


def test_waiting_call_gets_the_answer_of_another_process(world, ann):
    """Who waits is told the result as soon as it is in the database, whoever has put it there."""
    answers = []
    before = len(world.events)

    call = threading.Thread(target=lambda: answers.append(ann.post(REQUESTS, json={"content": "Hi"})))
    call.start()
    until(lambda: len(world.events) > before)
    world.complete(world.begin(world.events[before].subject))
    call.join(30)

    [got] = answers
    assert (got.status_code, got.json()["result"]["text"]) == (200, "Four years.")
    assert got.headers["Preference-Applied"] == "wait=25"


def test_another_process_answers_for_the_first(world, ann):
    """Nothing is kept in a process: key, state and idempotency are the same for the next one."""
    named = {"Idempotency-Key": "k", "Prefer": "respond-async"}
    first = ann.post(REQUESTS, json={"content": "Hi"}, headers=named).json()
    broker, folder = world.log

    with serving(world.url, broker, folder / "second.log") as other, other.client(ann.headers) as client:
        status = client.get(first["links"]["status"])
        again = client.post(REQUESTS, json={"content": "Hi"}, headers=named)
        conflict = client.post(REQUESTS, json={"content": "Bye"}, headers=named)

    assert (status.status_code, status.json()["status"]) == (200, "queued")
    assert (again.json()["request_id"], again.headers["Idempotency-Replayed"]) == (first["request_id"], "true")
    problem(conflict, "key-reused", 422)


def cancel(person, request_id):
    return person.post(f"{REQUESTS}/{request_id}/cancel")


def test_waiting_request_is_cancelled_at_once(world, ann):
    """It is over, as a call for its result says; no turn takes it any more."""
    asked = world.ask(ann)

    got = cancel(ann, asked["request_id"])

    told = ann.get(asked["links"]["result"])
    assert (got.status_code, got.json()) == (200, told.json())
    assert (got.json()["status"], got.json()["result"]) == ("cancelled", None)
    assert got.json()["error"] == {"type": "urn:parley:problem:cancelled", "title": "The request was cancelled."}
    assert got.headers["ETag"] == told.headers["ETag"]
    assert world.begin(asked["request_id"]).verdict == "over"


def test_running_request_ends_itself(world, ann):
    """202 until its turn has come to its next step; however often it is cancelled."""
    asked = world.ask(ann)
    turn = world.begin(asked["request_id"])

    first, second = cancel(ann, asked["request_id"]), cancel(ann, asked["request_id"])
    with pytest.raises(Cancelled):
        world.complete(turn)
    nothing = Plan("first", (), (), datetime.now(UTC))
    Requests(world.database).end(turn, "cancelled", {"type": "about:blank", "title": "x"}, nothing)
    after = cancel(ann, asked["request_id"])

    assert [(got.status_code, got.json()["status"]) for got in (first, second, after)] == [
        (202, "running"), (202, "running"), (200, "cancelled"),
    ]  # fmt: skip
    assert first.headers["Retry-After"] == "1"
    assert first.json()["links"] == asked["links"]


def test_request_that_is_over_stays_as_it_is(world, ann):
    """Whoever cancels too late gets the answer."""
    asked = world.ask(ann)
    world.complete(world.begin(asked["request_id"]))
    before = ann.get(asked["links"]["result"])

    got = cancel(ann, asked["request_id"])

    assert (got.status_code, got.json()["status"], got.json()) == (200, "completed", before.json())
    assert got.headers["ETag"] == before.headers["ETag"]


def test_foreign_request_is_not_cancelled(world, ann, bob):
    """It looks like none, and goes on."""
    asked = world.ask(bob)

    got, none = cancel(ann, asked["request_id"]), cancel(ann, UNKNOWN)

    assert problem(got, "not-found", 404) == problem(none, "not-found", 404)
    assert bob.get(asked["links"]["status"]).json()["status"] == "queued"


def test_cancelled_request_lets_the_next_one_go(world, ann):
    """The one behind it is nudged, in its own trace; one that is cancelled behind an open one nudges that one."""
    first = world.ask(ann)
    named = {"Prefer": "respond-async", "traceparent": TRACE}
    body = {"content": "And?", "session_id": first["session_id"]}
    second = ann.post(REQUESTS, json=body, headers=named).json()
    before = len(world.events)

    cancel(ann, first["request_id"])

    [event] = world.events[before:]
    assert (event.type, event.subject) == ("parley.request.created", second["request_id"])
    assert event.extensions["traceparent"] == TRACE
    assert world.begin(second["request_id"]).verdict == "take"


def test_waiting_caller_hears_that_it_was_cancelled(world, ann):
    """Who asked and waits has an answer: there will be none."""
    answers = []
    before = len(world.events)
    call = threading.Thread(target=lambda: answers.append(ann.post(REQUESTS, json={"content": "Hi"})))
    call.start()
    until(lambda: len(world.events) > before)

    cancel(ann, world.events[before].subject)
    call.join(30)

    [got] = answers
    assert (got.status_code, got.json()["status"]) == (200, "cancelled")


def test_nudge_that_is_not_published_is_left_to_the_sweep(world, ann):
    """Cancelled all the same; the log says so, and the row behind it is due."""
    first = world.ask(ann)
    second = world.ask(ann, session_id=first["session_id"])
    _, folder = world.log

    with serving(world.url, "http://127.0.0.1:9", folder / "alone.log") as alone, alone.client(ann.headers) as client:
        got = cancel(client, first["request_id"])
        warned = alone.said("nudge not published")

    assert (got.status_code, got.json()["status"]) == (200, "cancelled")
    assert len(warned) == 1
    due = "select due_at is not null from requests where id = %s"
    assert run(world.url, due, second["request_id"]) == [(True,)]


def ask_unless_busy(person, session_id=None, **headers):
    body = {"content": "And?", "on_busy": "reject"} | ({"session_id": session_id} if session_id else {})
    return person.post(REQUESTS, json=body, headers={"Prefer": "respond-async", **headers})


def test_busy_session_can_be_refused(world, ann):
    """409 while an earlier request is open, waiting or running; nothing is stored, and nothing is published."""
    first = world.ask(ann)
    count = "select count(*) from requests where session_id = %s", first["session_id"]
    before = len(world.events)

    waiting = ask_unless_busy(ann, first["session_id"])
    turn = world.begin(first["request_id"])
    running = ask_unless_busy(ann, first["session_id"])
    stored, told = run(world.url, *count), len(world.events)
    world.complete(turn)
    after = ask_unless_busy(ann, first["session_id"])

    assert problem(waiting, "busy", 409) == problem(running, "busy", 409)
    assert (stored, told) == ([(1,)], before)
    assert after.status_code == 202
    assert run(world.url, "select seq from requests where id = %s", after.json()["request_id"]) == [(2,)]


def test_busy_session_takes_the_next_one_unless_told_otherwise(world, ann):
    """Questions wait for their turn; a session that is not given is a new one, and never busy."""
    first = world.ask(ann)

    same = world.ask(ann, session_id=first["session_id"], on_busy="enqueue")
    new = ask_unless_busy(ann)

    assert same["session_id"] == first["session_id"] != new.json()["session_id"]
    assert new.status_code == 202


def test_foreign_session_is_never_busy(world, ann, bob):
    """Nobody learns that somebody else is asking."""
    problem(ask_unless_busy(ann, world.ask(bob)["session_id"]), "not-found", 404)


def test_refused_request_leaves_its_key_free(world, ann):
    """The same call again is the first one that counts, then it is repeated like any other, however it is wished."""
    first = world.ask(ann)
    named = {"Idempotency-Key": "k"}
    refused = ask_unless_busy(ann, first["session_id"], **named)
    world.complete(world.begin(first["request_id"]))

    accepted, again = (ask_unless_busy(ann, first["session_id"], **named) for _ in range(2))
    body = {"content": "And?", "session_id": first["session_id"]}
    otherwise = ann.post(REQUESTS, json=body, headers={"Prefer": "respond-async", **named})

    problem(refused, "busy", 409)
    assert accepted.status_code == 202
    assert "Idempotency-Replayed" not in accepted.headers
    for replay in (again, otherwise):
        assert replay.headers["Idempotency-Replayed"] == "true"
        assert replay.json()["request_id"] == accepted.json()["request_id"]


def test_of_many_at_once_one_finds_the_session_free(world, ann):
    """The others are told that it is busy: two can never both pass."""
    first = world.ask(ann)
    world.complete(world.begin(first["request_id"]))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: ask_unless_busy(ann, first["session_id"]).status_code, range(8)))

    assert sorted(answers) == [202, *[409] * 7]

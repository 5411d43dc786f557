"""What holds when calls come at once, break off, or die: asked over HTTP."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from api.installed.world import API, REQUESTS, problem, serving
from databases import run
from processes import until

from parley.adapters.postgres.requests import Requests


def test_fifty_at_once_are_one(world, ann):
    """One key, fifty connections at the same moment: one request, which all of them are told."""
    barrier = threading.Barrier(50)
    named = {"Idempotency-Key": "fifty", "Prefer": "respond-async", **ann.headers}

    def post(_):
        with world.process.client(named) as client:
            barrier.wait()
            return client.post(REQUESTS, json={"content": "Hi"})

    with ThreadPoolExecutor(50) as threads:
        got = list(threads.map(post, range(50)))

    assert {one.status_code for one in got} == {202}
    [request_id] = {one.json()["request_id"] for one in got}
    assert sum("Idempotency-Replayed" not in one.headers for one in got) == 1
    owner = "select count(*) from requests where user_id = (select user_id from requests where id = %s)"
    assert run(world.url, owner, request_id) == [(1,)]
    problem(ann.post(REQUESTS, json={"content": "Bye"}, headers=named), "key-reused", 422)


def test_call_that_died_before_its_commit_left_nothing(world, ann, tmp_path):
    """Killed with its key written and nothing committed: the same call again makes the request."""
    broker, _ = world.log
    named = {"Idempotency-Key": "dies", "Prefer": "respond-async"}
    blocked = (
        "select 1 from pg_stat_activity where application_name = 'parley-request-api' and wait_event_type = 'Lock'"
        " and datname = current_database()"
    )

    with serving(world.url, broker, tmp_path / "log") as doomed, doomed.client(ann.headers) as client:
        until(lambda: client.get("/health/readiness").status_code == 200)
        with psycopg.connect(world.url) as other, ThreadPoolExecutor(1) as thread:
            other.execute("lock table sessions in exclusive mode")  # behind the key, before the commit
            call = thread.submit(client.post, REQUESTS, json={"content": "Hi"}, headers=named)
            until(lambda: run(world.url, blocked))
            os.kill(doomed.process.pid, signal.SIGKILL)
            assert isinstance(call.exception(30), Exception)
    again = ann.post(REQUESTS, json={"content": "Hi"}, headers=named)

    assert again.status_code == 202
    assert "Idempotency-Replayed" not in again.headers
    kept = run(world.url, "select count(*) from idempotency_keys where key = 'dies'")
    assert kept == [(1,)]


def events(lines):
    """Read a stream as it comes: (id, type) of each event."""
    found = {}
    for line in lines:
        if not line:
            if "event" in found:
                yield int(found.get("id", 0)), found["event"]
            found = {}
        else:
            name, _, value = line.partition(": ")
            found[name] = value


def follow(client, asked, **headers):
    return client.stream(
        "GET", asked["links"]["events"], headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


def test_stream_that_was_cut_goes_on_where_it_was(world, ann):
    """Cut in the middle of an answer and resumed: no gap and no repeat, from the first event to the last."""
    store = Requests(world.database)
    asked = world.ask(ann)
    turn = world.begin(asked["request_id"])
    for piece in ("Four", " years", " or"):
        store.tell(turn, ("text", {"step": 0, "delta": piece}))

    with follow(ann, asked) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        lines = events(stream.iter_lines())
        first = [next(lines) for _ in range(4)]  # then it breaks off
    store.tell(turn, ("text", {"step": 0, "delta": " five"}))
    with follow(ann, asked, Last_Event_ID=str(first[-1][0])) as stream:
        lines = events(stream.iter_lines())
        second = [next(lines)]
        world.complete(turn)
        second += list(lines)  # to its end: it ends with the request

    told = first + second
    assert [number for number, _ in told] == list(range(1, len(told) + 1))
    assert [kind for _, kind in told].count("text") == 4
    assert told[-1][1] == "completed"
    assert (
        len(told)
        == run(world.url, "select count(*) from request_events where request_id = %s", asked["request_id"])[0][0]
    )


def test_stream_of_what_is_over_tells_all_and_then_nothing(world, ann):
    """The whole log at once; whoever has all of it is told to come no more."""
    asked = world.ask(ann)
    world.complete(world.begin(asked["request_id"]))

    with follow(ann, asked) as stream:
        told = list(events(stream.iter_lines()))
    again = ann.get(asked["links"]["events"], headers={"Last-Event-ID": str(told[-1][0])})
    behind = ann.get(asked["links"]["events"], params={"starting_after": told[-2][0]})

    assert told[-1][1] == "completed"
    assert (again.status_code, again.content) == (204, b"")
    assert behind.text.count("event: ") == 1


def test_log_that_was_cut_says_so(world, ann):
    """What retention has taken is a gap that is named, not one that nobody notices."""
    asked = world.ask(ann)
    world.complete(world.begin(asked["request_id"]))
    run(world.url, "delete from request_events where request_id = %s and seq < 3", asked["request_id"])

    got = ann.get(asked["links"]["events"]).text

    assert got.startswith('retry: 1000\n\nevent: gap\ndata: {"from":1,"to":2}\n\nid: 3\n')


@pytest.mark.parametrize("place", ["-1", "x", "1.5", "٣", "2147483648", "99999999999"])
def test_place_that_is_none_is_refused(world, ann, place):
    got = ann.get(world.ask(ann)["links"]["events"], headers={"Last-Event-ID": place.encode()})

    problem(got, "bad-request", 400)


def test_health_is_told_while_all_places_to_wait_are_taken(world, ann):
    """Callers and streams beyond the most are answered early, and a check finds a thread at once."""
    asked = [world.ask(ann) for _ in range(8)]
    streams = [follow(world.process.client(ann.headers), one) for one in asked]

    opened = [stream.__enter__() for stream in streams]
    early = ann.post(REQUESTS, json={"content": "Hi"}, headers={"Prefer": "wait=25"})
    checks = [world.process.get(f"/health/{kind}").status_code for kind in ("liveness", "readiness")]
    for stream in streams:
        stream.__exit__(None, None, None)

    assert [stream.status_code for stream in opened] == [200] * 8
    assert early.status_code == 202
    assert early.headers["Preference-Applied"] == "wait=25"
    assert checks == [200, 200]


def test_whoever_hangs_up_frees_the_place(world, ann):
    """Three may wait here; three who have left hold nobody up."""
    asked = world.ask(ann)
    for _ in range(6):
        with follow(ann, asked) as stream:
            next(events(stream.iter_lines()))

    def waits():
        before = len(world.events)
        with ThreadPoolExecutor(1) as thread:
            call = thread.submit(ann.post, f"{API}/requests", json={"content": "Hi"}, headers={"Prefer": "wait=20"})
            until(lambda: len(world.events) > before)
            world.complete(world.begin(world.events[before].subject))
            return call.result().status_code == 200

    until(waits)

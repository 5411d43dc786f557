"""The request API as a process of its own, asked over HTTP: what a caller sees from the question to its delivery."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from databases import end_connections, fresh, run
from processes import FUNCTIONS, FunctionProcess, until

from devkit.serving import LocalServer, Reply
from parley import envelope
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.requests import Requests
from parley.channels import webhook
from parley.channels.outcome import Delivered
from parley.domain.plan import Plan, Rank
from parley.domain.turn import Cancelled

API = "/api/v1"
REQUESTS = f"{API}/requests"
INTEGRATIONS = f"{API}/users/me/integrations"
DELIVERIES = f"{API}/users/me/deliveries"
SIGNING_KEY = "a signing key"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNKNOWN = "01890000-0000-7000-8000-000000000000"


@dataclass
class World:
    """request-api, its database, and a broker that keeps what it is given."""

    url: str
    process: FunctionProcess
    database: Database
    log: Any
    events: list[envelope.Event] = field(default_factory=list)

    def person(self, email=None, role="user"):
        """Somebody with a key; without an address, somebody new."""
        email = email or f"{uuid.uuid4().hex}@example.org"
        key = Keys(self.database).create(email=email, role=role, name="test")
        return self.process.client({"Authorization": f"Bearer {key}"})

    def ask(self, person, content="How old must my laptop be?", **more):
        """Ask without waiting; gives the body of the 202."""
        got = person.post(REQUESTS, json={"content": content, **more}, headers={"Prefer": "respond-async"})
        assert got.status_code == 202, got.text
        return got.json()

    def begin(self, request_id):
        """Take a turn, as agent-turn does."""
        return Requests(self.database).claim(UUID(request_id), owner="test", revision="1")

    def complete(self, turn, text="Four years."):
        """Answer it, to be sent by the test channel; gives the delivery that is due."""
        rank = Rank("test", 1, {"to": "ann"}, "test:ann", timedelta(minutes=30))
        citation = {"document": "laptop-refresh", "title": "Laptops", "heading": "Age", "anchor": "age"}
        result = {"text": text, "citations": [citation], "agent": "it-desk"}
        [due], _ = Requests(self.database).complete(turn, result, Plan("first", (rank,), (), datetime.now(UTC)))
        return due

    def deliver(self, due):
        """Send it, as deliver-test does."""
        store = Deliveries(self.database, owner="test")
        store.record(store.claim(due.delivery_id, "test").job, Delivered("id-1"), sent={"text": "Four years."})


@contextmanager
def serving(url, broker, log):
    """request-api on this database."""
    settings = {"DATABASE_URL": url, "K_SINK": broker, "WEBHOOK_SIGNING_KEY": SIGNING_KEY, "THREADS": "6"}
    with FunctionProcess(FUNCTIONS / "request-api", log, **settings) as process:
        yield process


@pytest.fixture(scope="module")
def world(postgres_server, database_template, tmp_path_factory):
    """One installation for all tests of this module; each has people of its own."""
    events = []

    def keep(request):
        events.append(envelope.parse(request.headers, request.body))
        return Reply(202)

    folder = tmp_path_factory.mktemp("api")
    with fresh(postgres_server, database_template) as url, LocalServer(keep) as broker:
        database = Database(url, name="test")
        with serving(url, broker.url, folder / "log") as process:
            yield World(url, process, database, (broker.url, folder), events)
        database.close()


@pytest.fixture
def ann(world):
    """Somebody new."""
    with world.person() as person:
        yield person


@pytest.fixture
def bob(world):
    """Somebody else."""
    with world.person() as person:
        yield person


def problem(got, kind, status):
    """Check that an answer is a problem of this kind; gives its members."""
    members = got.json()
    assert (got.status_code, got.headers["Content-Type"]) == (status, "application/problem+json")
    assert (members["type"], members["status"]) == (f"urn:parley:problem:{kind}", status)
    assert members["title"]
    assert got.headers["Cache-Control"] == "no-store"
    return members


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


def test_what_is_foreign_looks_like_what_is_not(world, ann, bob):
    """Request, result and delivery of somebody else are the same 404 as those that never were."""
    asked = world.ask(bob)
    due = world.complete(world.begin(asked["request_id"]))
    theirs, nobodys = str(due.delivery_id), UNKNOWN

    pairs = [
        (asked["links"][name], asked["links"][name].replace(asked["request_id"], UNKNOWN))
        for name in ("status", "result")
    ]
    pairs.append((f"{API}/deliveries/{theirs}", f"{API}/deliveries/{nobodys}"))

    for foreign, unknown in pairs:
        assert bob.get(foreign).status_code == 200
        assert problem(ann.get(foreign), "not-found", 404) == problem(ann.get(unknown), "not-found", 404)
    assert ann.get(DELIVERIES).json() == {"items": []}


@pytest.mark.parametrize("role", ["support", "admin", "service"])
def test_no_role_reads_what_is_foreign(world, bob, role):
    """A key with a greater role sees its owner's own, as every other key."""
    links = world.ask(bob)["links"]

    with world.person(role=role) as person:
        got = person.get(links["result"])

    problem(got, "not-found", 404)


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v2/requests", f"{REQUESTS}/1/status", f"{REQUESTS}/{UNKNOWN}", f"{API}/deliveries/x"]
)
def test_path_that_is_none_is_a_problem(ann, path):
    """404 as a problem, not as a page; what is no id is no path."""
    problem(ann.get(path), "not-found", 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", REQUESTS, {"POST"}),
        ("DELETE", f"{REQUESTS}/web", {"POST"}),
        ("POST", f"{REQUESTS}/{UNKNOWN}/status", {"GET"}),
        ("PUT", f"{REQUESTS}/{UNKNOWN}/result", {"GET"}),
        ("POST", INTEGRATIONS, {"GET"}),
        ("GET", f"{REQUESTS}/{UNKNOWN}/cancel", {"POST"}),
        ("PATCH", f"{INTEGRATIONS}/email", {"GET", "PUT", "DELETE"}),
        ("DELETE", DELIVERIES, {"GET"}),
    ],
)
def test_wrong_method_is_told_the_right_ones(ann, method, path, allowed):
    """405 with Allow."""
    got = ann.request(method, path)

    problem(got, "method-not-allowed", 405)
    assert {name.strip() for name in got.headers["Allow"].split(",")} - {"HEAD", "OPTIONS"} == allowed


@pytest.mark.parametrize(
    "scheme", [None, "", "Bearer", "Basic {}", "{}", "Bearer {}x", "Bearer pk_x", "Bearer {} {}", "Bearer\t{}"]
)
@pytest.mark.parametrize("path", [f"{REQUESTS}/{UNKNOWN}/status", DELIVERIES, INTEGRATIONS])
def test_without_a_key_nothing_is_told(world, ann, scheme, path):
    """401 that says what is wanted, the same for every path."""
    key = ann.headers["Authorization"].removeprefix("Bearer ")
    headers = {} if scheme is None else {"Authorization": scheme.format(key, key)}

    with world.process.client(headers) as client:
        got = client.get(path)

    members = problem(got, "unauthenticated", 401)
    assert got.headers["WWW-Authenticate"] == 'Bearer realm="parley"'
    assert set(members) == {"type", "title", "status"}


def test_key_is_asked_for_before_the_body_is_read(world):
    """Who has no key is not told what is wrong with a body, and nothing is stored."""
    before = run(world.url, "select count(*) from requests")

    with world.process.client({"Authorization": "Bearer nonsense"}) as client:
        got = client.post(REQUESTS, content=b"{")

    problem(got, "unauthenticated", 401)
    assert run(world.url, "select count(*) from requests") == before


def test_half_of_a_key_opens_nothing(world, ann, bob):
    """The prefix of one key with the secret of another."""
    mine, theirs = (client.headers["Authorization"].split("_", 2) for client in (ann, bob))

    with world.process.client({"Authorization": "_".join([*mine[:2], theirs[2]])}) as client:
        got = client.get(DELIVERIES)

    problem(got, "unauthenticated", 401)


def test_scheme_has_any_case(world, ann):
    """RFC 9110 §11.1: the name of the scheme is case-insensitive."""
    headers = {"Authorization": ann.headers["Authorization"].replace("Bearer", "bEARER")}

    with world.process.client(headers) as client:
        assert client.get(DELIVERIES).status_code == 200


@pytest.mark.parametrize("email", ["named-1@example.org", "Named-2@Example.ORG"])
def test_service_asks_for_a_named_user(world, email):
    """The request is that person's, however the address is spelt, and whether we have met or not."""
    with world.person(role="service") as service, world.person(email.lower()) as named:
        asked = world.ask(service, user={"email": email})
        own = world.ask(service)
        seen = named.get(asked["links"]["status"])
        foreign = named.get(own["links"]["status"])

    assert (seen.status_code, seen.json()["request_id"]) == (200, asked["request_id"])
    assert foreign.status_code == 404


def test_service_sees_what_it_has_asked(world):
    """Whoever asked for somebody can follow the links that it was given, and cancel; no other service can."""
    email = f"{uuid.uuid4().hex}@example.org"

    with world.person(role="service") as service, world.person(role="service") as other:
        asked = world.ask(service, user={"email": email})
        paths = [asked["links"][name] for name in ("status", "result")]
        seen, foreign = ([one.get(path).status_code for path in paths] for one in (service, other))
        refused = other.post(f"{REQUESTS}/{asked['request_id']}/cancel")
        cancelled = service.post(f"{REQUESTS}/{asked['request_id']}/cancel")

    assert (seen, foreign) == ([200, 202], [404, 404])
    problem(refused, "not-found", 404)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")


def test_service_introduces_a_person(world):
    """Somebody whom nobody has met yet: what was asked is there when they come with a key."""
    email = f"{uuid.uuid4().hex}@example.org"

    with world.person(role="service") as service:
        asked = world.ask(service, user={"email": email})
    with world.person(email) as named:
        seen = named.get(asked["links"]["status"])

    assert seen.status_code == 200
    assert run(world.url, "select count(*) from users where email = %s", email) == [(1,)]


@pytest.mark.parametrize("role", ["user", "support", "admin"])
def test_only_a_service_asks_for_others(world, role):
    """403, and nothing is stored: neither the question nor the person."""
    email = f"{uuid.uuid4().hex}@example.org"

    with world.person(role=role) as person:
        got = person.post(REQUESTS, json={"content": "Hi", "user": {"email": email}})

    problem(got, "forbidden", 403)
    assert run(world.url, "select count(*) from users where email = %s", email) == [(0,)]


def test_integration_comes_and_goes(ann, bob):
    """Put, changed, listed, read, deleted; only its owner sees it."""
    made = ann.put(f"{INTEGRATIONS}/email", json={"rank": 2, "config": {"address": "ann@example.org"}})
    changed = ann.put(f"{INTEGRATIONS}/email", json={"enabled": False})
    listed, others = ann.get(INTEGRATIONS).json(), bob.get(INTEGRATIONS).json()
    one, theirs = ann.get(f"{INTEGRATIONS}/email"), bob.get(f"{INTEGRATIONS}/email")
    foreign = bob.delete(f"{INTEGRATIONS}/email")
    gone, again = ann.delete(f"{INTEGRATIONS}/email"), ann.delete(f"{INTEGRATIONS}/email")

    assert (made.status_code, changed.status_code) == (201, 200)
    assert made.json() == {
        "id": made.json()["id"], "channel": "email", "enabled": None, "rank": 2, "version": 1,
        "config": {"address": "ann@example.org"},
    }  # fmt: skip
    assert changed.json() == {**made.json(), "enabled": False, "rank": None, "version": 2, "config": {}}
    assert (listed, others) == ({"items": [changed.json()]}, {"items": []})
    assert (one.status_code, one.json()) == (200, changed.json())
    problem(theirs, "not-found", 404)
    problem(foreign, "not-found", 404)
    assert (gone.status_code, gone.content) == (204, b"")
    problem(again, "not-found", 404)
    assert ann.get(INTEGRATIONS).json() == {"items": []}


def test_secret_of_a_webhook_is_shown_once(world, ann, bob):
    """It follows from our key and the integration's id, is told when it is made, and is stored nowhere."""
    body = {"config": {"url": "https://hooks.example.org/x"}}

    made, changed = ann.put(f"{INTEGRATIONS}/webhook", json=body), ann.put(f"{INTEGRATIONS}/webhook", json=body)
    listed, read = ann.get(INTEGRATIONS), ann.get(f"{INTEGRATIONS}/webhook")
    other = bob.put(f"{INTEGRATIONS}/webhook", json=body)
    ann.delete(f"{INTEGRATIONS}/webhook")
    anew = ann.put(f"{INTEGRATIONS}/webhook", json=body)

    secret = made.json()["secret"]
    assert (made.status_code, changed.status_code, anew.status_code) == (201, 200, 201)
    assert secret == webhook.secret(SIGNING_KEY, made.json()["id"])
    assert "secret" not in changed.text + listed.text + read.text
    assert len({secret, other.json()["secret"], anew.json()["secret"]}) == 3
    rows = run(world.url, "select i::text from user_integrations i where channel = 'webhook'")
    assert rows
    assert not any("whsec" in text or secret.removeprefix("whsec_") in text for (text,) in rows)


def test_other_channels_have_no_secret(ann):
    """Only a webhook is signed."""
    got = ann.put(f"{INTEGRATIONS}/sms", json={"config": {"number": "+491234567"}})

    assert (got.status_code, "secret" in got.json()) == (201, False)


@pytest.mark.parametrize("channel", ["pigeon", "%00", "%F0%9F%95%8A", "email%20"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_channel_that_is_none_is_not_found(ann, method, channel):
    """A channel that we do not have, before anything is said about a body."""
    problem(ann.request(method, f"{INTEGRATIONS}/{channel}"), "not-found", 404)


def test_integration_that_is_none_changes_nothing(ann):
    """422 with the place of the fault; what was there stays."""
    ann.put(f"{INTEGRATIONS}/sms", json={"config": {"number": "+491234567"}})

    got = ann.put(f"{INTEGRATIONS}/sms", json={"config": {"number": "call me"}})

    assert [error["pointer"] for error in problem(got, "invalid", 422)["errors"]] == ["/config/number"]
    assert "call me" not in got.text
    assert ann.get(INTEGRATIONS).json()["items"][0]["config"] == {"number": "+491234567"}


def test_deliveries_are_told_newest_first(world, ann):
    """As many as asked for; each only with what concerns its owner."""
    made = [world.complete(world.begin(world.ask(ann)["request_id"])) for _ in range(3)]

    everything = ann.get(DELIVERIES).json()["items"]
    two = ann.get(DELIVERIES, params={"limit": 2}).json()["items"]

    assert [one["id"] for one in everything] == [str(due.delivery_id) for due in reversed(made)]
    assert two == everything[:2]
    assert "user_id" not in everything[0]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", "", "1e1", "٣", "9" * 30])
def test_limit_that_is_none_is_refused(ann, limit):
    """1 to 100."""
    problem(ann.get(DELIVERIES, params={"limit": limit}), "bad-request", 400)


@pytest.mark.parametrize(
    ("body", "media", "kind", "status"),
    [
        (b'{"content": "Hi"', "application/json", "bad-request", 400),
        (b'{"content": "Hi"}', "text/plain", "not-json", 415),
        (b'{"content": "Hi", "color": "red"}', "application/json", "invalid", 422),
        (b'{"content": ""}', "application/json", "invalid", 422),
        (b'["Hi"]', "application/json", "invalid", 422),
        (b'{"content": "' + b"x" * (64 << 10) + b'"}', "application/json", "too-large", 413),
    ],
    ids=["cut", "text", "another member", "blank", "a list", "large"],
)
def test_body_that_does_not_fit_is_refused(world, ann, body, media, kind, status):
    """With a problem of a stable type, and nothing is stored."""
    before = run(world.url, "select count(*) from requests")

    got = ann.post(REQUESTS, content=body, headers={"Content-Type": media})

    problem(got, kind, status)
    assert run(world.url, "select count(*) from requests") == before


def test_body_in_pieces_has_the_same_limit(ann):
    """413 also when its length was not told."""
    pieces = (b"x" * 1024 for _ in range(65))

    got = ann.post(REQUESTS, content=pieces, headers={"Content-Type": "application/json"})

    problem(got, "too-large", 413)


def test_very_large_body_is_a_problem_too(ann):
    """413, when the server itself refuses it before we are asked."""
    got = ann.post(REQUESTS, content=b"x" * (3 << 20), headers={"Content-Type": "application/json"})

    problem(got, "too-large", 413)


def test_pointer_points_into_the_body(ann):
    """Only at what was sent, and once at each place."""
    got = ann.post(REQUESTS, json={"content": "Hi", "context": {"n": []}})

    assert [error["pointer"] for error in problem(got, "invalid", 422)["errors"]] == ["/context/n"]


@pytest.mark.parametrize("path", [REQUESTS, "/nowhere"])
def test_caller_finds_its_own_id_again(ann, path):
    """X-Request-Id comes back, in a problem also as a member; a very long one is cut."""
    got = ann.post(path, json={}, headers={"X-Request-Id": "mine-" + "x" * 300})

    expected = "mine-" + "x" * 195
    assert got.headers["X-Request-Id"] == got.json()["request_id"] == expected


def test_answers_are_not_kept_by_caches(world, ann):
    """They are one person's."""
    links = world.ask(ann)["links"]

    assert [ann.get(path).headers["Cache-Control"] for path in (links["status"], links["result"], DELIVERIES)] == [
        "no-store"
    ] * 3


def test_database_that_goes_away_is_told_as_such(world, ann):
    """503 as a problem with Retry-After, without a word of what has happened; then it goes on."""
    answers = []
    waiting = (
        "select 1 from pg_stat_activity where application_name = 'parley-request-api' and wait_event_type = 'Lock'"
    )

    with psycopg.connect(world.url) as other:
        other.execute("lock table api_keys")
        call = threading.Thread(target=lambda: answers.append(ann.get(DELIVERIES)))
        call.start()
        until(lambda: run(world.url, waiting))
        end_connections(world.url, "parley-request-api")
        call.join(30)
    after = until(lambda: ann.get(DELIVERIES).status_code == 200)

    [got] = answers
    assert set(problem(got, "unavailable", 503)) == {"type", "title", "status"}
    assert int(got.headers["Retry-After"]) >= 1
    assert after


def test_log_knows_the_request_and_not_the_question(world, ann):
    """Every line is JSON; the call has its ids and its route; content, key and problem values are not there."""
    asked = world.ask(ann, "a very private question", context={"page": "a-private-page"})
    ann.post(REQUESTS, json={"content": "Hi", "a-private-member": 1})
    ann.get(f"{REQUESTS}/{asked['request_id']}/status?a-private-query")

    mine = [line for line in world.process.lines() if line.get("request_id") == asked["request_id"]]
    assert [(line["message"], line["status"], line["route"]) for line in mine] == [("handled", 202, REQUESTS)]
    assert mine[0]["session_id"] == asked["session_id"]
    assert "private" not in world.process.errors()
    assert ann.headers["Authorization"].split("_", 2)[2] not in world.process.errors()
    assert world.process.output() == ""

"""The store of requests on a real PostgreSQL: accepted once, one turn at a time, in order, fenced."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.domain import ids
from parley.domain.plan import Plan
from parley.domain.requests import KeyReused, NewRequest, NoSuchSession, SessionWanted
from parley.domain.turn import Cancelled, LeaseLost

RESULT = {"text": "Yes.", "citations": [], "agent": "desk"}
NOTHING = Plan("first", (), (), datetime(2026, 11, 23, tzinfo=UTC))
THREAD = "slack:T1:C1:1.1"


@pytest.fixture
def user(database):
    return Users(database).meet("slack", "T1:U1", email="Ann@Example.org", name="Ann", timezone=None)


@pytest.fixture
def requests(database):
    return Requests(database, lease=60)


@pytest.fixture
def new(user):
    """Make a request; each call another one, in one thread unless told otherwise."""

    def make(content="Hello?", *, key=None, fingerprint="", session=None):
        return NewRequest(
            id=ids.new(), user_id=user, session=session or SessionWanted(thread=THREAD), source="slack",
            content=content, principal="slack:T1", route="message", key=key, fingerprint=fingerprint,
        )  # fmt: skip

    return make


def test_same_key_is_the_same_request(requests, new, database):
    """A message that comes four times is one row; the later ones say so."""
    first = requests.accept(new(key="k"))

    again = [requests.accept(new(key="k")) for _ in range(3)]

    assert {one.request_id for one in again} == {first.request_id}
    assert all(one.replayed for one in again)
    assert database.row("ping") == {"ok": 1}


def test_twenty_at_once_with_one_key_are_one_request(requests, new):
    """Of two at the same moment the second waits for the first and finds it."""
    barrier = threading.Barrier(10)

    def post(_):
        barrier.wait()
        return requests.accept(new(key="k")).request_id

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(post, range(20)))

    assert len(set(found)) == 1


def test_key_with_another_body_is_refused(requests, new):
    """The same key for something else is a mistake of the caller's."""
    requests.accept(new(key="k", fingerprint="a"))

    with pytest.raises(KeyReused):
        requests.accept(new(key="k", fingerprint="b"))


def test_first_messages_at_once_share_one_session(requests, new):
    """Two first messages of one thread do not make two sessions."""
    barrier = threading.Barrier(8)

    def post(_):
        barrier.wait()
        return requests.accept(new()).session_id

    with ThreadPoolExecutor(8) as pool:
        sessions = set(pool.map(post, range(8)))

    assert len(sessions) == 1


def test_conversation_goes_on_only_where_it_has_no_threads(requests, new):
    """A direct message continues the recent session; a new thread of a channel begins another."""
    direct = SessionWanted(conversation="slack:T1:D1", thread="slack:T1:D1:1", conversation_continues=True)
    first = requests.accept(new(session=direct))

    following = requests.accept(new(session=replace(direct, thread="slack:T1:D1:2")))
    elsewhere = requests.accept(new(session=SessionWanted(conversation="slack:T1:D1", thread="slack:T1:D1:3")))

    assert following.session_id == first.session_id
    assert elsewhere.session_id != first.session_id


def test_foreign_session_is_as_good_as_none(requests, new, database):
    """A session of somebody else's cannot be used."""
    own = requests.accept(new())
    other = Users(database).meet("slack", "T1:U2", email="bob@example.org", name="Bob", timezone=None)

    with pytest.raises(NoSuchSession):
        requests.accept(replace(new(session=SessionWanted(id=own.session_id)), user_id=other))


def test_turn_is_held_by_one(requests, new):
    """While a lease lives, a second claim is told that it is busy."""
    accepted = requests.accept(new())

    first = requests.claim(accepted.request_id, owner="a", revision="r")
    second = requests.claim(accepted.request_id, owner="b", revision="r")

    assert (first.verdict, second.verdict) == ("take", "busy")


def test_sixteen_claims_at_once_give_one_turn(requests, new):
    """The row decides, not the events."""
    accepted = requests.accept(new())
    barrier = threading.Barrier(8)

    def claim(name):
        barrier.wait()
        return requests.claim(accepted.request_id, owner=str(name), revision="r").verdict

    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(claim, range(16)))

    assert sorted(verdicts) == ["busy"] * 15 + ["take"]


def test_later_request_waits_and_is_nudged_by_the_one_before(requests, new):
    """Order in a session: the second is behind until the first ends, whose end names it."""
    first, second = requests.accept(new("one")), requests.accept(new("two"))

    early = requests.claim(second.request_id, owner="a", revision="r")
    held = requests.claim(first.request_id, owner="a", revision="r")
    _, following = requests.complete(held, RESULT, NOTHING)
    then = requests.claim(second.request_id, owner="a", revision="r")

    assert early.verdict == "behind"
    assert following.contract.request_id == second.request_id
    assert then.verdict == "take"
    assert [(m.role, m.content) for m in then.history] == [("user", "one"), ("assistant", "Yes.")]


def test_zombie_is_fenced(requests, new, database):
    """Who lost the lease writes nothing: no step, no answer, no end."""
    impatient = Requests(database, lease=0)
    accepted = requests.accept(new())
    zombie = impatient.claim(accepted.request_id, owner="old", revision="r")
    heir = requests.claim(accepted.request_id, owner="new", revision="r")

    with pytest.raises(LeaseLost):
        impatient.journal(zombie, kind="model", fingerprint="f", output={})
    with pytest.raises(LeaseLost):
        impatient.complete(zombie, RESULT, NOTHING)
    with pytest.raises(LeaseLost):
        impatient.end(zombie, "failed", {"type": "x", "title": "x"}, NOTHING)
    impatient.release(zombie, pause=0, failed=True)

    requests.complete(heir, RESULT, NOTHING)
    assert requests.claim(accepted.request_id, owner="c", revision="r").verdict == "over"


def test_journaled_steps_are_found_by_the_heir(requests, new, database):
    """A takeover goes on from the journal and counts as an attempt until the next step."""
    impatient = Requests(database, lease=0)
    accepted = requests.accept(new())
    first = impatient.claim(accepted.request_id, owner="a", revision="r")
    impatient.journal(first, kind="model", fingerprint="f", output={"text": "t"})

    heir = requests.claim(accepted.request_id, owner="b", revision="r")

    assert heir.step == 1
    assert heir.journal[0].output == {"text": "t"}
    assert heir.epoch == first.epoch + 1


def test_turn_that_is_taken_over_too_often_is_spent(new, database):
    """A request that kills its worker each time ends instead of going round for ever."""
    impatient = Requests(database, lease=0, max_attempts=3)
    accepted = impatient.accept(new())

    verdicts = [impatient.claim(accepted.request_id, owner="a", revision="r").verdict for _ in range(5)]

    assert verdicts == ["take", "take", "take", "take", "spent"]


def test_deadline_ends_a_request(new, database):
    """What is late is failed by whoever claims it."""
    late = Requests(database, deadline=0)
    accepted = late.accept(new())

    held = late.claim(accepted.request_id, owner="a", revision="r")
    late.end(held, "failed", {"type": "urn:x", "title": "late"}, NOTHING)

    assert held.verdict == "expired"
    assert late.claim(accepted.request_id, owner="a", revision="r").verdict == "over"


def test_cancel_is_seen_at_the_commit(requests, new, database_url, database):
    """A cancel that came during the turn wins over its answer."""
    import psycopg

    accepted = requests.accept(new())
    held = requests.claim(accepted.request_id, owner="a", revision="r")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update requests set cancel_requested = true")

    with pytest.raises(Cancelled):
        requests.complete(held, RESULT, NOTHING)

    requests.end(held, "cancelled", {"type": "urn:x", "title": "cancelled"}, NOTHING)


def test_database_allows_one_running_turn_per_session(requests, new, database_url):
    """Even code that is wrong cannot run two turns of one session: the index forbids it."""
    import psycopg

    first, second = requests.accept(new()), requests.accept(new())
    requests.claim(first.request_id, owner="a", revision="r")

    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "update requests set state = 'running', lease_until = now() where id = %s", (second.request_id,)
        )

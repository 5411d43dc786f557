"""Nudges and dead letters together: whatever fails, for however long, both come to an end."""

import math
import time
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from parley import envelope
from parley.adapters.files import load_defaults
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.ledger import Ledger
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.agents.config import parse
from parley.domain import ids
from parley.domain.events import Emit, RequestCreated, ResponseReady
from parley.domain.overdue import Pace
from parley.domain.requests import NewRequest, SessionWanted
from parley.errors import Unavailable
from parley.recovery import Recovery
from parley.turns import Planner, Turns
from standalone.rules import dead_letter

TICK = envelope.Event("1", "/ping", "dev.knative.sources.ping", body=b"{}")
ORIGIN = {"channel": "slack", "workspace": "T1", "conversation": "C1", "thread": "1.1", "user": "U1"}
ATTEMPTS = 6  # of the Trigger
DEFAULTS = load_defaults(Path(__file__).parents[2] / "config" / "integrations.yaml")
DESK = {"name": "desk", "description": "Helps.", "instructions": "Help.", "entry": True}
MOST = 11  # as lib/parley/domain/overdue.py says


def unreachable(_):
    """Be nobody."""
    raise Unavailable("nobody is there")


class World:
    """A broker whose subscribers fail, with recover as its dead-letter sink, and a clock that a test moves."""

    def __init__(self, database, url):
        self.url = url
        self.events, self.at, self.now = [], [], timedelta()
        self.function = unreachable  # what each event is given to
        self.recovery = Recovery(Ledger(database), self, pace=Pace(), chance=lambda: 0.0)
        self.requests = Requests(database)

    def publish(self, emit):
        """Take an event, try its function as often as the Trigger says, and bring it to recover, twice."""
        event = envelope.outgoing(emit, "test")
        self.events.append(event)
        self.at.append(self.now.total_seconds())
        if not any(self.takes(emit.contract) for _ in range(ATTEMPTS)):
            for _ in range(2):
                self.recovery(dead_letter(event, "http://agent-turn.parley.svc/", 500))

    def takes(self, contract):
        """Whether the function answers 2xx."""
        with suppress(Unavailable, ValueError):
            self.function(contract)
            return True
        return False

    def rows(self, query, *values):
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def tick(self):
        """Let time pass until the next row is due, and tick. False when none is."""
        (row,) = self.rows(
            "select least((select min(due_at) from requests), (select min(due_at) from deliveries)) - now() as wait"
        )
        if row["wait"] is None:
            return False
        passed = max(row["wait"], timedelta()) + timedelta(milliseconds=20)
        self.now += passed
        for table in ("requests", "deliveries"):
            self.rows(
                f"update {table} set due_at = due_at - %s, deadline = deadline - %s, lease_until = lease_until - %s",
                *[passed] * 3,
            )
        self.recovery(TICK)
        return True

    def run(self):
        """Tick until nothing is owed any more."""
        ticks = 0
        while self.tick():
            ticks += 1
            assert ticks < 100, "it goes on and on"

    def nudged(self, contract=RequestCreated):
        """Give the times at which the events of a type came."""
        return [at for at, event in zip(self.at, self.events, strict=True) if event.type == contract.TYPE]


@pytest.fixture
def world(database, database_url):
    return World(database, database_url)


@pytest.fixture
def ask(world, database):
    """Store a question and publish it."""
    user = Users(database).meet("slack", "T1:U1", email="ann@example.org", name="Ann", timezone=None)

    def make(**fields):
        new = NewRequest(
            id=ids.new(), user_id=user, session=SessionWanted(thread="slack:T1:C1:1.1"), source="slack",
            content="Why?", principal="test", route="test", **{"origin": ORIGIN, **fields},
        )  # fmt: skip
        accepted = world.requests.accept(new)
        created = RequestCreated(request_id=accepted.request_id, session_id=accepted.session_id)
        world.publish(Emit(created, cause="accepted"))
        return created

    return make


@pytest.fixture
def failing(world, database):
    """agent-turn, whose model raises this each time."""

    def make(error):
        class Engine:
            def ask(self, *_):
                raise error

        planner = Planner(DEFAULTS, Users(database).plan_inputs)
        world.function = Turns(
            world.requests, parse({"desk": DESK}), Engine(), planner, world, owner="me", revision="r"
        )

    return make


def growing(times):
    """Whether each pause is longer than the one before, but for the last, which the deadline cuts short."""
    pauses = [later - earlier for earlier, later in pairwise(times)]
    return all(later > earlier for earlier, later in pairwise(pauses[:-1]))


def test_a_request_whose_function_is_never_reached_ends(world, ask):
    """Seven nudges, further and further apart, the last one after the deadline; then recover ends it."""
    begun = time.monotonic()
    created = ask(origin=None)

    world.run()

    spent = time.monotonic() - begun  # passed by the real clock, which the database goes by, too
    (row,) = world.rows("select state, error->>'type' as error, nudges from requests")
    assert row == {"state": "failed", "error": "urn:parley:problem:deadline", "nudges": 8}
    times = world.nudged()
    assert len(times) == 1 + 7
    assert growing(times[1:])
    assert times[-2] < 500
    assert 899 - spent < times[-1] < 901
    assert world.now.total_seconds() < 960
    assert {event.subject for event in world.events} == {str(created.request_id)}


def test_its_dead_letters_are_one_for_each_event_and_close_when_it_ends(world, ask):
    """However often the broker brings them; none of them is published again."""
    ask(origin=None)

    world.run()

    letters = world.rows("select event_id, closed_at, closed_reason, replayed_at from dead_letters")
    assert sorted(row["event_id"] for row in letters) == sorted(event.id for event in world.events)
    assert {(row["closed_reason"], row["replayed_at"]) for row in letters} == {("the request is failed", None)}
    assert all(row["closed_at"] for row in letters)
    assert len(letters) <= MOST


def test_a_function_that_takes_the_turn_and_gives_it_back_is_tried_less_and_less_often(world, ask, failing):
    """Its dependency is down: each event means six claims, but no claim makes the next nudge come sooner."""
    failing(Unavailable("the model cannot be reached"))
    ask(origin=None)

    world.run()

    (row,) = world.rows("select state, error->>'type' as error from requests")
    assert row == {"state": "failed", "error": "urn:parley:problem:deadline"}
    times = world.nudged()
    assert growing(times[1:])
    assert len(times) <= 1 + 2 + math.log2(1 + 900 / 4)
    (count,) = world.rows("select count(*) from dead_letters where type = %s", RequestCreated.TYPE)
    assert count["count"] <= MOST


def test_a_function_with_a_bug_ends_the_request_itself(world, ask, failing):
    """Six attempts, then its own next nudge ends it, in its own words."""
    failing(ValueError("bug"))
    ask(origin=None)

    world.run()

    (row,) = world.rows("select state, error->>'type' as error from requests")
    assert row == {"state": "failed", "error": "urn:parley:problem:attempts"}
    assert world.rows("select count(*) from dead_letters where type = %s", RequestCreated.TYPE) == [{"count": 1}]


def test_the_user_hears_of_the_end_where_they_asked(world, ask):
    """Also when agent-turn is not there at all: recover plans the one delivery, and nudges it."""
    ask()

    while not world.rows("select * from deliveries"):
        world.tick()

    (row,) = world.rows("select channel, kind, state, address from deliveries")
    assert (row["channel"], row["kind"], row["state"]) == ("slack", "failure", "queued")
    assert row["address"] == {"workspace": "T1", "conversation": "C1", "thread": "1.1"}
    assert len(world.nudged(ResponseReady)) == 1


def test_a_user_who_has_turned_the_channel_off_is_not_told_there(world, ask):
    """Never is never: it is polled, and a row says so."""
    world.rows(
        "insert into user_integrations (id, user_id, channel, enabled) select %s, id, 'slack', false from users",
        ids.new(),
    )
    ask()

    world.run()

    assert world.rows("select state, (select string_agg(state, '') from deliveries) as told from requests") == [
        {"state": "failed", "told": "undeliverable"}
    ]


def test_a_request_that_was_cancelled_ends_as_cancelled(world, ask):
    """The user's wish is known, whoever ends it."""
    created = ask(origin=None)
    world.rows("update requests set cancel_requested = true")

    world.run()

    (row,) = world.rows("select id, state, error->>'type' as error from requests")
    assert row == {"id": created.request_id, "state": "cancelled", "error": "urn:parley:problem:cancelled"}


def test_the_next_question_of_the_session_goes_on(world, ask):
    """What held it up is gone; it is nudged at once."""
    first, second = ask(origin=None), ask(origin=None)
    world.rows("update requests set deadline = deadline + interval '1 day' where id = %s", second.request_id)

    while world.rows("select due_at from requests where id = %s", first.request_id)[0]["due_at"]:
        world.tick()

    assert world.events[-1].subject == str(second.request_id)
    assert world.requests.claim(second.request_id, owner="me", revision="r").verdict == "take"


def test_a_delivery_whose_function_is_never_reached_makes_way_for_the_next_rank(world, answered, rank):
    """Its patience ends it, and so on to the last one; all of it in few events."""
    answered(rank("email", 1, patience=900, to="a@example.org"), rank("sms", 2, patience=900, to="+4912345678"))

    world.run()

    states = world.rows("select channel, state, reason from deliveries order by rank")
    assert [(row["channel"], row["state"], row["reason"]) for row in states] == [
        ("email", "expired", "not sent in time"), ("sms", "undeliverable", "not sent in time"),
    ]  # fmt: skip
    assert len(world.events) <= 2 * MOST
    letters = world.rows("select closed_reason from dead_letters")
    assert {row["closed_reason"] for row in letters} == {"the delivery is expired", "the delivery is undeliverable"}
    assert len(letters) == len(world.events)


def test_a_delivery_that_may_have_been_sent_is_ended_as_such(world, answered, rank, database):
    """The next rank says by which channel it may have arrived."""
    (due,) = answered(rank("email", 1, patience=100, to="a@example.org"), rank("sms", 2, to="+4912345678"))
    Deliveries(database, owner="dead").claim(due.delivery_id, "email")

    while world.rows("select state from deliveries where rank = 2") == [{"state": "planned"}]:
        world.tick()

    assert world.rows("select also_by from deliveries where rank = 2") == [{"also_by": ["email"]}]


def test_what_somebody_works_at_is_not_ended(world, ask, database):
    """A living lease keeps the turn, also past the deadline; what has its deadline still to come stays, too."""
    created = ask()
    early = world.requests.expire(created.request_id)
    held = world.requests.claim(created.request_id, owner="me", revision="r")
    world.rows("update requests set deadline = now() - interval '1 second'")

    assert (early, world.requests.expire(created.request_id), world.requests.expire(ids.new())) == ([], [], [])
    assert world.requests.renew(held) is False


def test_a_zombie_writes_nothing_after_recover_has_ended_its_turn(world, ask, database):
    """Its epoch is over."""
    created, impatient = ask(origin=None), Requests(database, lease=0)
    zombie = impatient.claim(created.request_id, owner="zombie", revision="r")
    world.rows("update requests set deadline = now() - interval '1 second'")

    world.requests.expire(created.request_id)
    impatient.release(zombie, pause=0, failed=True)

    assert world.rows("select state, due_at from requests") == [{"state": "failed", "due_at": None}]

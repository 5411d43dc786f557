"""Standing in for recover while it is silent, on a real PostgreSQL; time is moved, not waited for."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from parley.adapters.postgres.ledger import Ledger
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.domain import ids
from parley.domain.overdue import Pace
from parley.domain.requests import NewRequest, SessionWanted
from parley.errors import Unavailable
from parley.recovery import LOOK_EVERY, SILENT, STAND_IN_EVERY, Recovery, Standby, Sweep

PACE = Pace(first=2000, longest=16_000)


class Broker:
    """Keeps what is published; can be down, and can wait until it may go on."""

    def __init__(self):
        self.contracts, self.is_down, self.gate = [], False, threading.Event()
        self.gate.set()

    def publish(self, emit):
        assert self.gate.wait(10)
        if self.is_down:
            raise Unavailable("the broker cannot be reached")
        self.contracts.append(emit.contract)


class Clock:
    """Moved by hand."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def standby(database, broker, clock):
    """Make one, as each process has one."""

    def make(ledger=None):
        ledger = ledger or Ledger(database)
        return Standby(ledger, Sweep(ledger, broker, PACE, size=5), clock=clock)

    return make


@pytest.fixture
def look(standby):
    """Look after recover, once, from a process that has not looked before."""

    def run():
        one = standby()
        one.look()
        one.close()

    return run


@pytest.fixture
def beat(rows):
    """Let recover's last sign of life be so many seconds ago."""

    def make(ago):
        rows(
            "insert into heartbeats (name, beat_at) values ('recover', now() - make_interval(secs => %s))"
            " on conflict (name) do update set beat_at = excluded.beat_at",
            ago,
        )

    return make


@pytest.fixture
def owed(database):
    """Store questions that are overdue."""
    user = Users(database).meet("api", "test", email=None, name="Ann", timezone=None)

    def make(count=1):
        for _ in range(count):
            new = NewRequest(
                id=ids.new(), user_id=user, session=SessionWanted(), source="cli", content="Why?", principal="test",
                route="test",
            )  # fmt: skip
            Requests(database, nudge=0).accept(new)

    return make


def test_what_is_overdue_is_nudged_while_recover_is_silent(look, beat, owed, broker, rows):
    """One batch; recover's own heartbeat stays what it is."""
    beat(SILENT + 1)
    owed(7)

    look()

    assert len(broker.contracts) == 5
    assert rows("select name from heartbeats where beat_at > now() - interval '1 minute'") == [{"name": "standby"}]


def test_nothing_is_swept_or_written_while_recover_is_alive(look, beat, owed, broker, rows):
    """Three minutes are three ticks."""
    beat(SILENT - 10)
    owed()
    before = rows("select * from heartbeats")

    look()

    assert (broker.contracts, rows("select * from heartbeats")) == ([], before)


def test_a_recover_that_was_never_heard_of_is_given_time(look, owed, broker, rows):
    """A new installation is no emergency; one whose schedule never ticks is, three minutes later."""
    owed()
    look()
    first = list(broker.contracts)
    rows("update heartbeats set beat_at = beat_at - make_interval(secs => %s)", SILENT + 1)
    look()

    assert (first, len(broker.contracts)) == ([], 1)


def test_of_many_processes_one_stands_in_each_minute(database, beat, rows):
    """The heartbeat's row is taken by one statement."""
    beat(SILENT + 1)

    def minute():
        barrier = threading.Barrier(8)

        def ask(_):
            barrier.wait()
            return Ledger(database).stand_in(silent=SILENT, every=STAND_IN_EVERY)

        with ThreadPoolExecutor(8) as pool:
            return sum(pool.map(ask, range(8)))

    first, second = minute(), minute()
    rows("update heartbeats set beat_at = beat_at - make_interval(secs => %s)", STAND_IN_EVERY)

    assert (first, second, minute()) == (1, 0, 1)


def test_recover_is_back(look, beat, owed, broker, database):
    """With its next tick nobody stands in any more."""
    beat(SILENT + 1)
    Recovery(Ledger(database), broker, pace=PACE).sweep()
    owed()

    look()

    assert broker.contracts == []


class Counting(Ledger):
    """Counts how often it is asked."""

    asked = 0

    def stand_in(self, **values):
        self.asked += 1
        return super().stand_in(**values)


def test_a_process_asks_at_most_once_in_half_a_minute(standby, database, beat, clock):
    """However much work it has; everything else is a clock reading."""
    ledger = Counting(database)
    one = standby(ledger)
    beat(0)
    for now in (1000.0, 1000.0, 1010.0, 1029.9, 1030.0, 1059.9, 1060.0):
        clock.now = now
        one.look()
        one.close()

    assert LOOK_EVERY == 30
    assert ledger.asked == 3


def test_nobody_waits_for_it(standby, beat, owed, broker, clock):
    """The broker takes its time; meanwhile nothing else is begun."""
    beat(SILENT + 1)
    owed()
    broker.gate.clear()
    one = standby()

    one.look()
    thread = one._thread
    clock.now += 100
    one.look()

    assert (one._thread, broker.contracts) == (thread, [])
    broker.gate.set()
    one.close()
    assert len(broker.contracts) == 1


class Down(Ledger):
    """Its database does not answer."""

    def stand_in(self, **_):
        raise Unavailable("the database cannot be used now")


def test_what_goes_wrong_is_logged_and_nobody_elses_trouble(standby, database, beat, owed, broker, clock, caplog, rows):
    """A broker or a database that is down; the next look is as good as any."""
    beat(SILENT + 1)
    owed()
    broker.is_down = True
    one = standby()
    one.look()
    one.close()
    down = standby(Down(database))
    down.look()
    down.close()

    assert [record.levelno for record in caplog.records if record.name == "parley.recovery"] == [logging.WARNING] * 2
    broker.is_down = False
    rows("update requests set due_at = now() - interval '1 second'")
    rows("update heartbeats set beat_at = beat_at - interval '10 minutes'")
    clock.now += LOOK_EVERY
    one.look()
    one.close()
    assert len(broker.contracts) == 1


def test_a_bug_is_logged_as_one(standby, beat, caplog, rows):
    """A thread has nobody above it."""
    rows("alter table heartbeats rename to mislaid")
    one = standby()

    one.look()
    one.close()

    rows("alter table mislaid rename to heartbeats")
    assert "bug while standing by" in caplog.text

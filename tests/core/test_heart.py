"""The heartbeat of a turn that waits."""

import threading

import pytest

from parley.domain.turn import Cancelled, LeaseLost
from parley.errors import Unavailable
from parley.heart import Heart


class Renewals:
    """Answers each renewal with what was told, the last again and again; `wait_for` waits for so many of them."""

    def __init__(self, *told):
        self.told, self.seen = list(told), []
        self.changed = threading.Condition()

    def __call__(self, held):
        with self.changed:
            self.seen.append(held)
            said = self.told.pop(0) if len(self.told) > 1 else self.told[0]
            self.changed.notify_all()
        if isinstance(said, BaseException):
            raise said
        return said

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.seen) >= count, 10)


def test_a_turn_that_waits_is_renewed_again_and_again():
    renew = Renewals(False)
    with Heart(renew, 0.005).beating("turn"):
        renew.wait_for(3)
    assert set(renew.seen) == {"turn"}


def test_a_turn_that_ends_soon_costs_no_renewal():
    renew = Renewals(False)
    with Heart(renew, 60).beating("turn"):
        pass
    assert renew.seen == []


def test_several_turns_beat_in_one_thread_and_end_alone():
    renew = Renewals(False)
    heart = Heart(renew, 0.005)
    with heart.beating("one"):
        with heart.beating("two"):
            renew.wait_for(4)
        before = len(renew.seen)
        renew.wait_for(before + 3)
    assert {"one", "two"} <= set(renew.seen)
    assert set(renew.seen[before + 1 :]) == {"one"}


def test_whoever_has_lost_the_lease_hears_of_it_at_the_end():
    renew = Renewals(LeaseLost())
    with pytest.raises(LeaseLost), Heart(renew, 0.005).beating("turn"):
        renew.wait_for(2)


def test_a_cancel_is_heard_of_at_the_end():
    renew = Renewals(False, True)
    with pytest.raises(Cancelled), Heart(renew, 0.005).beating("turn"):
        renew.wait_for(3)


def test_a_database_that_is_down_for_a_beat_costs_nothing():
    renew = Renewals(Unavailable("down"), ValueError("bug"), False)
    with Heart(renew, 0.005).beating("turn"):
        renew.wait_for(4)


def test_an_error_in_between_is_not_hidden():
    renew = Renewals(LeaseLost())

    def waits():
        with Heart(renew, 0.005).beating("turn"):
            renew.wait_for(2)
            raise Unavailable("the model is down")

    with pytest.raises(Unavailable):
        waits()

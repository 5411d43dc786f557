"""When a circuit opens, when it is tried, when it closes."""

from datetime import UTC, datetime, timedelta

import pytest

from parley.domain.circuit import GIVEN_UP, OPENS_AFTER, OPENS_AT, after

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def run(*steps, of_receiver=True):
    """Go through (minutes, outcome); gives what stands at the end."""
    circuit = None
    for minutes, outcome in steps:
        circuit = after(circuit, outcome, NOON + timedelta(minutes=minutes), of_receiver=of_receiver)
    return circuit


def test_credentials_open_it_at_once():
    """Nobody else is refused by the same key."""
    circuit = run((0, "parked"))

    assert (circuit.is_open, circuit.until) == (True, NOON + timedelta(minutes=5))


def test_the_pauses_between_trials_grow_to_an_hour():
    """5 minutes, 10, 20, 40, then an hour each."""
    circuit, pauses = None, []
    for _ in range(6):
        circuit = after(circuit, "parked", NOON, of_receiver=False)
        pauses.append((circuit.until - NOON).total_seconds() / 60)

    assert pauses == [5, 10, 20, 40, 60, 60]


def test_a_quiet_receiver_is_not_judged_by_two_failures():
    """Days apart, and never a success between: too few to say."""
    assert not run((0, "retry"), (5000, "retry")).is_open


def test_a_busy_receiver_is_not_judged_by_a_minute():
    """A hundred failures at once are one short outage."""
    assert not run(*((0.1 * n, "retry") for n in range(100))).is_open


def test_an_hour_without_success_opens_it():
    """Long enough, and often enough."""
    minutes = OPENS_AFTER.total_seconds() / 60
    steps = [(n * minutes / (OPENS_AT - 1), "unsure") for n in range(OPENS_AT)]

    assert run(*steps).is_open
    assert not run(*steps[:-1]).is_open


@pytest.mark.parametrize("trouble", ["parked", "retry"])
def test_success_ends_all_trouble(trouble):
    """Then it begins anew."""
    assert run((0, trouble), (70, trouble), (80, "delivered")) is None


def test_to_wait_is_no_trouble():
    """A vendor that limits the rate is alive; what is open stays open until something arrives."""
    assert run((0, "wait")) is None
    assert run((0, "retry"), (1, "wait")) is None
    assert run((0, "parked"), (10, "wait")).is_open


def test_a_refusal_is_the_receivers_or_the_persons():
    """A receiver that refuses everything is in trouble; a mail server that refuses one address is not."""
    steps = [(n * 20, "failed") for n in range(5)]

    assert run(*steps).is_open
    assert run(*steps, of_receiver=False) is None


def test_who_is_not_heard_for_days_is_given_up():
    """Five days without a success."""
    circuit = run((0, "retry"), (10, "retry"), (20, "retry"), (70, "retry"), (80, "retry"))

    assert not circuit.is_given_up(NOON + timedelta(days=4))
    assert circuit.is_given_up(NOON + GIVEN_UP)

"""Folder, Service, Trigger file, filter and the contract that the function takes are one thing under one name."""

import pytest
import yaml
from wiring.conftest import CHANNELS, FUNCTIONS, ROOT, TAKES_NO_EVENTS

from parley.domain.events import MessageReceived, RequestCreated, ResponseReady, TurnStarted
from standalone.rules import matches, pause

TAKES = sorted(set(FUNCTIONS) - TAKES_NO_EVENTS)
ROUTED = (ResponseReady, TurnStarted)  # by the channel
CONTRACTS = [MessageReceived, RequestCreated, *ROUTED]

takers = pytest.mark.parametrize("name", TAKES)


def trigger(wiring, name):
    return next(one for one in wiring.triggers if one.name == name)


def test_each_function_that_takes_events_has_a_trigger_file_of_its_name():
    files = {path.stem for path in (ROOT / "triggers").glob("*.yaml")}
    assert files == {*TAKES, "broker", "sources"}
    for name in TAKES:
        (one,) = yaml.safe_load_all((ROOT / "triggers" / f"{name}.yaml").read_text(encoding="utf-8"))
        assert (one["kind"], one["metadata"]["name"]) == ("Trigger", name)
        assert one["spec"]["subscriber"]["ref"]["name"] == name


@takers
def test_its_own_retries_time_out_and_dead_letter_sink(name):
    (one,) = yaml.safe_load_all((ROOT / "triggers" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert set(one["spec"]["delivery"]) == {"retry", "backoffPolicy", "backoffDelay", "timeout", "deadLetterSink"}
    assert one["spec"]["delivery"]["deadLetterSink"]["ref"]["name"] == "recover"


@takers
def test_a_try_ends_before_serving_cuts_it(wiring, name):
    """Knative Serving's default limit of a request is 300 s."""
    assert 0 < trigger(wiring, name).delivery.timeout < 300


@takers
def test_the_filter_lets_through_what_the_function_takes_and_nothing_else(wiring, loaded, name):
    takes = loaded(name).function.takes
    channel = name.removeprefix("deliver-") if name.startswith("deliver-") else None
    one = trigger(wiring, name)
    for contract in CONTRACTS:
        for at in (*CHANNELS, "fax"):
            event = {"type": contract.TYPE, "id": "1", "source": "/x", "specversion": "1.0", "channel": at}
            if contract not in ROUTED:
                del event["channel"]
            taken = contract in (takes if isinstance(takes, tuple) else (takes,))
            wanted = taken and (channel in (None, at) or contract not in ROUTED)
            assert matches(one.filters, event) == wanted, (contract, at)


def test_only_normalize_is_ordered_and_it_is_patient(wiring):
    assert [one.name for one in wiring.triggers if one.ordered] == ["normalize"]
    delivery = trigger(wiring, "normalize").delivery
    patience = sum(pause(delivery.policy, delivery.delay, attempt) for attempt in range(1, delivery.retry + 1))
    assert patience >= 2 * 3600, "hours, so that a long outage of the database loses no message"


def test_the_tick_goes_straight_to_recover_each_minute(wiring):
    assert [(ping.sink, ping.minutes) for ping in wiring.pings] == [("recover", 1)]


def test_those_that_publish_are_bound_to_the_broker(wiring):
    assert wiring.bound == {"slack-ingest", "request-api", "agent-turn", "recover"}

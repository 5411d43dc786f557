"""Who is woken before they are needed: config/cluster/production/wake.yaml, and the door for it."""

from dataclasses import dataclass

import yaml
from wiring.conftest import ROOT, TAKES_NO_EVENTS

from parley import runtime, serve
from parley.domain.events import MessageReceived
from standalone.rules import matches

WAKES = list(yaml.safe_load_all((ROOT / "config" / "cluster" / "production" / "wake.yaml").read_text(encoding="utf-8")))


def woken():
    return {one["spec"]["subscriber"]["ref"]["name"] for one in WAKES}


def test_those_are_woken_whom_a_message_needs_after_its_first_function(wiring):
    """By the same event as normalize, which is started by it."""
    event = {"type": MessageReceived.TYPE, "id": "1", "source": "/x", "specversion": "1.0"}
    assert [one.name for one in wiring.triggers if matches(one.filters, event)] == ["normalize"]
    assert {one["spec"]["filters"][0]["exact"]["type"] for one in WAKES} == {MessageReceived.TYPE}
    assert woken() == {"agent-turn", "deliver-slack"}
    assert not woken() & TAKES_NO_EVENTS


def test_nothing_is_owed_by_waking():
    """A dead letter of it would be a message that nobody has lost."""
    assert all(set(one["spec"]["delivery"]) == {"retry", "timeout"} for one in WAKES)
    assert all(one["spec"]["delivery"]["retry"] == 0 for one in WAKES)


@dataclass(frozen=True)
class Config:
    """Nothing."""


def test_a_function_is_woken_and_does_nothing_else():
    """Its handler is not asked: what came is not even read."""

    def handler(_):
        raise AssertionError

    function = runtime.event_function("sleeper", takes=None, config=Config, build=lambda _: handler)
    answer = serve.application(function).test_client().post("/wake", data=b'{"text": "private"}')
    assert (answer.status_code, answer.data) == (202, b"")


def test_the_doors_to_the_outside_have_none():
    function = runtime.http_function("door", config=Config, build=lambda _: lambda _: ("", 200))
    assert serve.application(function).test_client().post("/wake").status_code == 404

"""PingSources: when they tick, and what they send."""

import threading

import pytest

from standalone.ticks import Ticks, next_tick, tick
from standalone.triggers import Ping, Wiring

PING = Ping("sweep", 1, '{"task":"sweep"}', "recover")
WIRING = Wiring("n", "b", (), (PING,))
NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z


@pytest.mark.parametrize(
    ("after", "minutes", "expected"),
    [
        (NOON, 1, NOON + 60),
        (NOON + 59.9, 1, NOON + 60),
        (NOON, 5, NOON + 300),
        (NOON + 299, 5, NOON + 300),
        (NOON + 56 * 60, 7, NOON + 3600),
    ],
)
def test_next_tick_is_the_next_minute_that_the_schedule_names(after, minutes, expected):
    """
    Minutes are those of the hour, as cron counts them: */7 ticks at 56 and then at 0.
    """
    assert next_tick(after, minutes) == expected


def test_event_of_a_tick_is_that_of_a_ping_source():
    """
    Type, source and data as Knative sends them; one moment has one id.
    """
    event = tick(PING, "n", NOON)

    assert (event.type, event.source) == ("dev.knative.sources.ping", "/apis/v1/namespaces/n/pingsources/sweep")
    assert (event.time, event.datacontenttype) == ("2026-01-01T12:00:00Z", "application/json")
    assert event.data == {"task": "sweep"}
    assert event.id == tick(PING, "n", NOON).id != tick(PING, "n", NOON + 60).id


def test_sink_gets_a_tick_at_once_and_then_by_the_period(bench):
    """
    Straight to the Service that is the sink, the first one at the start; a failure does not end it.
    """
    recover = bench.scripts["recover"]
    recover.answers = [202, 503, ConnectionRefusedError(), 202]

    with Ticks(WIRING, bench.scripts, every=0.001):
        seen = recover.wait(4)

    assert {event.type for event in seen} == {"dev.knative.sources.ping"}


def test_by_its_schedule_the_second_tick_waits_for_the_minute(bench):
    """
    Just before a full minute: the tick of the start, then that of the minute.
    """
    moments = iter([NOON - 0.001, NOON - 0.001, NOON, NOON + 30])
    last = threading.Event()

    def clock():
        moment = next(moments, None)
        if moment is None:
            last.set()
            return NOON + 30
        return moment

    with Ticks(WIRING, bench.scripts, clock=clock):
        seen = bench.scripts["recover"].wait(2)

    assert [event.time for event in seen] == ["2026-01-01T11:59:59Z", "2026-01-01T12:00:00Z"]

"""What the tests of the local broker share: a subscriber that answers by a script, and a broker around it."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from parley.envelope import Event, parse, to_binary
from standalone.broker import Broker
from standalone.rules import Delivery, Exact
from standalone.spool import MemorySpool
from standalone.triggers import Trigger, Wiring

Answer = tuple[int, dict[str, str], bytes]

SCALE = 0.01


class Script:
    """
    A subscriber that answers what the test has written down, and remembers what it was sent.

    Each answer is used once; the last one stays. An answer is a status, a whole answer, an event to reply with, an
    exception to raise, or a function of the event that gives one of these.
    """

    def __init__(self) -> None:
        self.answers: list[Any] = [202]
        self.seen: list[Event] = []
        self.headers: list[dict[str, str]] = []
        self.timeouts: list[float] = []
        self._changed = threading.Condition()

    def post(self, headers: dict[str, str], body: bytes, timeout: float) -> Answer:
        event = parse(headers, body)
        with self._changed:
            self.seen.append(event)
            self.headers.append(headers)
            self.timeouts.append(timeout)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self._changed.notify_all()
        if callable(answer):
            answer = answer(event)
        return _answer(answer)

    def wait(self, count: int) -> list[Event]:
        """Wait until so many events have come; gives them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.seen) >= count, 20), f"only {len(self.seen)} came"
            return list(self.seen)

    def ids(self) -> list[str]:
        return [event.id for event in self.seen]


def _answer(answer: Any) -> Answer:
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, Event):
        return 200, *to_binary(answer)
    return (answer, {}, b"") if isinstance(answer, int) else answer


class Bench:
    """A broker with scripted subscribers, which are made by their name. Pauses and time-outs run a hundredfold."""

    def __init__(self) -> None:
        self.scripts: defaultdict[str, Script] = defaultdict(Script)
        self.spool = MemorySpool()
        self.brokers: list[Broker] = []

    def start(self, *triggers: Trigger, **options: Any) -> Broker:
        for trigger in triggers:
            self.scripts[trigger.subscriber], self.scripts[trigger.delivery.dead_letter_sink]
        wiring = Wiring("n", "b", triggers)
        broker = Broker(wiring, self.scripts, options.pop("spool", self.spool), **{"scale": SCALE, **options})
        self.brokers.append(broker)
        broker.start()
        return broker


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A place to start brokers, which are stopped at the end."""
    made = Bench()
    yield made
    for broker in made.brokers:
        broker.stop(0)


@pytest.fixture
def trigger() -> Callable[..., Trigger]:
    """Make a Trigger on a type, by default `t`, to the subscriber of its name, by default `greet`."""

    def make(name: str = "greet", kind: str = "t", *, ordered: bool = False, **delivery: Any) -> Trigger:
        how = Delivery(**{"dead_letter_sink": "dead", "retry": 3, "delay": 0.1, "timeout": 600.0, **delivery})
        return Trigger(name, (Exact((("type", kind),)),), name, how, ordered)

    return make


@pytest.fixture
def event() -> Callable[..., Event]:
    """Make an event with numbered ids."""
    numbers = iter(range(1, 1_000_000))

    def make(kind: str = "t", body: bytes = b'{"a":1}', id: str = "", **extensions: str) -> Event:  # noqa: A002
        return Event(id or str(next(numbers)), "/test", kind, extensions=extensions, body=body)

    return make

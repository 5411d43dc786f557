"""One trigger at work: its line, its subscribers, the time-outs of what is in flight. Whoever calls has the lock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parley.errors import Misconfigured
from standalone.lines import Letter, Line
from standalone.subscribers import Subscriber
from standalone.triggers import Trigger


@dataclass(eq=False)
class Route:
    """
    One trigger. `timeout` of an attempt in seconds; `destination` is what a dead letter calls the subscriber.

    `deadlines` holds the letters in flight, the earliest deadline first, since one time-out serves all of them.
    `watched`: the timer has an entry for the first one, so a trigger has one entry however many attempts it makes.
    """

    trigger: Trigger
    line: Line
    subscriber: Subscriber
    dead_letter_sink: Subscriber
    destination: str
    timeout: float
    deadlines: dict[Letter, float] = field(default_factory=dict)
    watched: bool = False

    def begin(self, now: float) -> Letter | None:
        """Begin the next attempt that may be made now."""
        letter = self.line.take()
        if letter:
            letter.attempts += 1
            self.deadlines[letter] = now + self.timeout
        return letter

    def end(self, letter: Letter, number: int) -> bool:
        """End attempt `number` of a letter. Returns False when its time-out came first: its answer counts no more."""
        return letter.attempts == number and self.deadlines.pop(letter, None) is not None

    def expire(self, now: float) -> list[Letter]:
        """End the attempts whose time is up."""
        late = []
        for letter, deadline in self.deadlines.items():
            if deadline > now:
                break
            late.append(letter)
        for letter in late:
            del self.deadlines[letter]
        return late

    def to_watch(self) -> float | None:
        """The deadline for which the timer needs an entry now, or None."""
        if self.watched or not self.deadlines:
            return None
        self.watched = True
        return next(iter(self.deadlines.values()))

    def depth(self) -> dict[str, int]:
        """How many letters are where."""
        return {"waiting": self.line.waiting(), "in_flight": self.line.in_flight, "paused": self.line.paused}


def make_route(
    trigger: Trigger, namespace: str, subscribers: Mapping[str, Any], *, concurrency: int, scale: float
) -> Route:
    """Make the route of a trigger. Raises Misconfigured when a subscriber is missing."""
    for name in (trigger.subscriber, trigger.delivery.dead_letter_sink):
        if name not in subscribers:
            raise Misconfigured(f"Trigger {trigger.name}: there is no function {name}")
    return Route(
        trigger=trigger,
        line=Line(trigger.ordered, concurrency),
        subscriber=subscribers[trigger.subscriber],
        dead_letter_sink=subscribers[trigger.delivery.dead_letter_sink],
        destination=f"http://{trigger.subscriber}.{namespace}.svc.cluster.local",
        timeout=trigger.delivery.timeout * scale,
    )

"""
recover: nothing that is owed is forgotten.

Two kinds of event come here, told apart by the event itself: a dead letter (it has `knativeerrordest`) is stored whole
and never published again by itself; a tick sweeps the rows whose time has passed.
"""

import base64
import binascii
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from parley import envelope
from parley.domain.events import Emit
from parley.domain.overdue import Action, Pace
from parley.errors import Rejected, Unavailable
from parley.ports import Publisher

log = logging.getLogger("parley.recovery")

TICKS = frozenset({"dev.knative.sources.ping", "parley.recovery.requested"})
SWEEP_SECONDS = 45.0


class Ledger(Protocol):
    """What recovery needs of the store."""

    def take_overdue(self, limit: int, pace: Pace, chance: Callable[[], float]) -> Sequence[Action]:
        """Take overdue rows that nobody else has taken, move their next nudge on, commit; give what to publish."""

    def keep(self, event: envelope.Event, *, destination: str, code: int | None, reason: str | None) -> None:
        """Store a dead letter, once."""

    def beat(self) -> None:
        """Write down that recovery is alive."""

    def ready(self) -> None:
        """Raise Unavailable while the store cannot be used."""

    def close(self) -> None:
        """Give back connections."""


class Recovery:
    """The handler of recover: takes any event, gives none."""

    def __init__(
        self,
        ledger: Ledger,
        publisher: Publisher,
        *,
        pace: Pace,
        batch: int = 100,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._pace = pace
        self._batch = batch
        self._clock = clock
        self._chance = chance

    def __call__(self, event: envelope.Event) -> None:
        if "knativeerrordest" in event.extensions:
            self._keep(event)
        elif event.type in TICKS:
            self.sweep()
        else:
            raise Rejected("neither a dead letter nor a tick")

    def sweep(self) -> int:
        """Nudge what is overdue until nothing is or the time is up. Returns the number of nudges."""
        until = self._clock() + SWEEP_SECONDS
        nudged = 0
        self._ledger.beat()
        while self._clock() < until:
            actions = self._ledger.take_overdue(self._batch, self._pace, self._chance)
            for action in actions:
                self._publish(action.emit)
            nudged += len(actions)
            if len(actions) < self._batch:
                break
        if nudged:
            log.info("nudged", extra={"fields": {"nudges": nudged}})
        return nudged

    def ready(self) -> None:
        """Raise Unavailable while the store cannot be used."""
        self._ledger.ready()

    def close(self) -> None:
        """Give back connections."""
        self._ledger.close()

    def _publish(self, emit: Emit) -> None:
        try:
            self._publisher.publish(emit)
        except Rejected:
            log.warning("nudge refused", exc_info=True)

    def _keep(self, event: envelope.Event) -> None:
        code = event.extensions.get("knativeerrorcode", "")
        self._ledger.keep(
            event,
            destination=event.extensions["knativeerrordest"],
            code=int(code) if code.isascii() and code.isdigit() and len(code) < 5 else None,
            reason=_reason(event),
        )
        log.warning("dead letter", extra={"fields": {"code": code, "dead_type": event.type, "dead_id": event.id}})


def publish_all(publisher: Publisher, emits: Sequence[Emit]) -> None:
    """Publish nudges that a row stands behind: what fails is logged, and found again by the next sweep."""
    for emit in emits:
        try:
            publisher.publish(emit)
        except (Unavailable, Rejected):
            log.warning("nudge not published", exc_info=True)


def _reason(event: envelope.Event) -> str | None:
    """Our own words (`kne-reason`), else what the subscriber answered."""
    if reason := event.extensions.get("reason"):
        return reason[:500]
    with suppress(binascii.Error, UnicodeDecodeError):
        text = base64.b64decode(event.extensions.get("knativeerrordata", ""), validate=True).decode()
        return text.replace("\x00", "")[:500] or None
    return None

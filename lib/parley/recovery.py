"""
recover: nothing that is owed is forgotten, and nothing is kept for ever.

Two kinds of event come here, told apart by the event itself: a dead letter (it has `knativeerrordest`) is stored whole
and never published again by itself; a tick sweeps the rows whose time has passed, does what the clock alone demands
(`chores`, such as refreshing tokens), and purges, once an hour, what is old enough. While no tick comes, other
functions stand in for the sweep.
"""

import base64
import binascii
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from parley import envelope, telemetry
from parley.domain.events import Contract, Emit
from parley.domain.overdue import Action, Pace
from parley.domain.retention import Retention
from parley.errors import Rejected, Unavailable
from parley.ports import Publisher

log = logging.getLogger("parley.recovery")

TICKS = frozenset({"dev.knative.sources.ping", "parley.recovery.requested"})
SWEEP_SECONDS = 45.0
PURGE_EVERY = 3600.0
SILENT, STAND_IN_EVERY, LOOK_EVERY = 180.0, 60.0, 30.0

_RETENTION = Retention()


class Rows(Protocol):
    """What a sweep needs of the store."""

    def take_overdue(self, limit: int, pace: Pace, chance: Callable[[], float]) -> Sequence[Action]:
        """Take overdue rows that nobody else has taken, move their next nudge on, commit; give what to do."""

    def expire(self, contract: Contract) -> Sequence[Emit]:
        """End the row that a nudge names, if its deadline has passed and nobody holds it; give what follows."""


class Ledger(Rows, Protocol):
    """What recovery needs of the store."""

    def keep(self, event: envelope.Event, *, destination: str, code: int | None, reason: str | None) -> None:
        """Store a dead letter, once."""

    def close_letters(self, limit: int) -> int:
        """Close dead letters about rows that have ended. Returns how many."""

    def beat(self) -> None:
        """Write down that recovery is alive."""

    def may_purge(self, every: float) -> bool:
        """Whether nobody has purged for `every` seconds; true for one caller."""

    def purge(self, rule: str, age: float, limit: int) -> int:
        """Delete at most `limit` rows by a rule of `Retention`, older than `age` seconds. Returns how many."""

    def ready(self) -> None:
        """Raise Unavailable while the store cannot be used."""

    def close(self) -> None:
        """Give back connections."""


class Watch(Rows, Protocol):
    """What standing in for recovery needs of the store."""

    def stand_in(self, *, silent: float, every: float) -> bool:
        """Whether recovery has been silent for `silent` seconds; true for one caller in `every` seconds."""


class Sweep:
    """One batch of overdue rows at a time."""

    def __init__(
        self,
        rows: Rows,
        publisher: Publisher,
        pace: Pace,
        *,
        size: int = 100,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._rows = rows
        self._publisher = publisher
        self._pace = pace
        self.size = size
        self._chance = chance

    def batch(self) -> int:
        """Nudge or end what is overdue. Returns the number of rows; less than `size`: there are no more."""
        actions = self._rows.take_overdue(self.size, self._pace, self._chance)
        for action in actions:
            what = {"parley.event_type": action.emit.contract.TYPE, "parley.ends": action.ends}
            telemetry.count("parley.recovery.nudges", what)
            if not action.ends:
                self._publish(action.emit)
        for action in actions:  # afterwards: one that cannot be ended keeps no other from being nudged
            if action.ends:
                for emit in self._rows.expire(action.emit.contract):
                    self._publish(emit)
        return len(actions)

    def _publish(self, emit: Emit) -> None:
        try:
            self._publisher.publish(emit)
        except Rejected:
            log.warning("nudge refused", exc_info=True)


class Recovery:
    """The handler of recover: takes any event, gives none. `routes` adds what else it shows to the Flask app."""

    def __init__(
        self,
        ledger: Ledger,
        publisher: Publisher,
        *,
        pace: Pace,
        retention: Retention = _RETENTION,
        chores: Sequence[Callable[[], None]] = (),
        batch: int = 100,
        routes: Callable[[Any], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._ledger = ledger
        self._sweep = Sweep(ledger, publisher, pace, size=batch, chance=chance)
        self._retention = retention
        self._chores = chores
        self._clock = clock
        self.routes = routes

    def __call__(self, event: envelope.Event) -> None:
        if "knativeerrordest" in event.extensions:
            self._keep(event)
        elif event.type in TICKS:
            until = self._clock() + SWEEP_SECONDS
            self._swept(until)
            for chore in self._chores:
                chore()
            self._purged(until)
        else:
            raise Rejected("neither a dead letter nor a tick")

    def sweep(self) -> int:
        """Nudge what is overdue until nothing is or the time is up. Returns the number of rows."""
        return self._swept(self._clock() + SWEEP_SECONDS)

    def purge(self) -> int:
        """Delete what is old enough, in short transactions, until nothing is or the time is up. Returns how many."""
        return self._purged(self._clock() + SWEEP_SECONDS)

    def ready(self) -> None:
        """Raise Unavailable while the store cannot be used."""
        self._ledger.ready()

    def close(self) -> None:
        """Give back connections."""
        self._ledger.close()

    def _swept(self, until: float) -> int:
        nudged = 0
        self._ledger.beat()
        while self._clock() < until:
            taken = self._sweep.batch()
            nudged += taken
            if taken < self._sweep.size:
                break
        self._ledger.close_letters(10 * self._sweep.size)
        if nudged:
            log.info("nudged", extra={"fields": {"nudges": nudged}})
        return nudged

    def _purged(self, until: float) -> int:
        if self._clock() >= until or not self._ledger.may_purge(PURGE_EVERY):
            return 0
        purged: dict[str, int] = {}
        for rule, age in self._retention.seconds().items():
            while self._clock() < until:
                count = self._ledger.purge(rule, age, self._sweep.size)
                purged[rule] = purged.get(rule, 0) + count
                if count < self._sweep.size:
                    break
        if total := sum(purged.values()):
            log.info("purged", extra={"fields": {"purged": purged}})
        return total

    def _keep(self, event: envelope.Event) -> None:
        code = event.extensions.get("knativeerrorcode", "")
        self._ledger.keep(
            event,
            destination=event.extensions["knativeerrordest"],
            code=int(code) if code.isascii() and code.isdigit() and len(code) < 5 else None,
            reason=_reason(event),
        )
        known = event.type if event.type in telemetry.EVENTS else "other"
        telemetry.count("parley.recovery.dead_letters", {"parley.event_type": known})
        log.warning("dead letter", extra={"fields": {"code": code, "dead_type": event.type, "dead_id": event.id}})


class Standby:
    """
    Stands in for recover while that is silent: its schedule may be gone, or the function.

    Whoever has finished work of their own calls `look`, which costs a clock reading; at most once in half a minute it
    asks the store, and sweeps one batch if it is this process's turn. Both in a thread of its own: nobody waits for it.
    """

    def __init__(
        self,
        watch: Watch,
        sweep: Sweep,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch = watch
        self._sweep = sweep
        self._clock = clock
        self._next = float("-inf")
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """See after recover, if it is time to."""
        now = self._clock()
        if now < self._next:
            return
        with self._lock:
            if now < self._next or (self._thread and self._thread.is_alive()):
                return
            self._next = now + LOOK_EVERY
            self._thread = threading.Thread(target=self._stand_in, name="standby", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait, for a few seconds, until what was begun has ended; a batch that is cut off is nudged again later."""
        with self._lock:
            thread = self._thread
        if thread:
            thread.join(5.0)

    def _stand_in(self) -> None:
        try:
            if self._watch.stand_in(silent=SILENT, every=STAND_IN_EVERY):
                log.warning("recover is silent: swept for it", extra={"fields": {"nudges": self._sweep.batch()}})
        except Unavailable:
            log.warning("standby", exc_info=True)
        except Exception:
            log.exception("bug while standing by")  # a thread has nobody above it to tell


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

"""
deliver-*: claim → render → send → record, the same for every channel.

Only a delivery that is due is sent, by whoever holds its lease. A send starts with more than half of the lease left and
ends within it. When an earlier attempt may have been sent, the channel is asked first; where it cannot be asked, the
delivery ends as `unknown` and is never repeated blindly.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

from parley import logs, telemetry
from parley.channels.outcome import Delivered, Outcome, Retry, Sent, Unsure, Wait
from parley.domain.delivery import BROKERS_OWN, Claimed, Due, Job, LeaseLost, is_brokers
from parley.domain.events import Emit, ResponseReady
from parley.errors import Rejected, Unavailable

log = logging.getLogger("parley.delivery")


class Channel(Protocol):
    """
    One vendor: its pure file and its transport, put together by the function.

    It may have `load()`, which imports what is slow to import: before the time that is left for a send is counted.
    """

    def send(self, job: Job, timeout: float) -> Sent:
        """Render, send, and say what became of it. Raises nothing that it can name."""

    def find(self, job: Job, timeout: float) -> Sent | None:
        """Say whether an earlier attempt arrived: Delivered, None (it did not), Unsure (it cannot be known)."""


class Store(Protocol):
    """Where deliveries are kept."""

    lease: float

    def claim(self, delivery_id: UUID, channel: str) -> Claimed: ...
    def record(self, job: Job, outcome: Outcome, *, sent: dict[str, Any] | None = None) -> Due | None: ...
    def give_up_unsure(self, job: Job, outcome: Unsure) -> Due | None: ...
    def ready(self) -> None: ...
    def close(self) -> None: ...


class Courier:
    """The handler of each deliver-*. `can_ask`: whether the channel can say if something arrived."""

    def __init__(
        self,
        name: str,
        store: Store,
        channel: Channel,
        *,
        can_ask: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._store = store
        self._channel = channel
        self._can_ask = can_ask
        self._clock = clock
        self._load: Callable[[], None] = getattr(channel, "load", lambda: None)
        self.ready = store.ready
        self.close = store.close

    def __call__(self, ready: ResponseReady) -> Emit | None:
        if ready.channel != self._name:
            raise Rejected(f"takes deliveries by {self._name}")
        started = self._clock()
        with telemetry.span("claim") as claiming:
            claimed = self._store.claim(ready.delivery_id, self._name)
            claiming.note({"parley.verdict": claimed.verdict})
        logs.bind(delivery_id=ready.delivery_id, verdict=claimed.verdict)
        if claimed.verdict == "early" and claimed.pause < BROKERS_OWN:
            raise Unavailable(f"{self._name}: asked us to wait")
        if claimed.job is None:
            return _nudge(claimed.due, claimed.traceparent, ready)
        job = claimed.job
        try:
            due = self._deliver(job, started)
        except LeaseLost:
            log.warning("lease lost")
            return None
        return _nudge(due, job.traceparent, ready)

    def _deliver(self, job: Job, started: float) -> Due | None:
        sent = self._earlier(job) if job.ambiguous else None
        if sent is None:
            self._load()
            left = self._store.lease - (self._clock() - started)
            if left <= self._store.lease / 2:
                sent = Sent(Retry("too little of the lease was left"))
            else:
                sent = self._told(job, left / 2)
        outcome = sent.outcome
        logs.bind(outcome=type(outcome).__name__.lower(), code=getattr(outcome, "code", None))
        if isinstance(outcome, Unsure) and (outcome.final or not self._can_ask):
            return self._store.give_up_unsure(job, outcome)
        due = self._store.record(job, outcome, sent=sent.kept)
        if not isinstance(outcome, Delivered):
            log.warning("not delivered", extra={"fields": {"reason": getattr(outcome, "reason", None)}})
        if due is None and _is_brokers(job, outcome):
            raise Unavailable(f"{self._name}: {getattr(outcome, 'reason', '')}")
        return due

    def _told(self, job: Job, timeout: float) -> Sent:
        """Send, and tell of it; an attempt is linked to the one before."""
        started = time.perf_counter()
        attributes = {
            "parley.channel": self._name,
            "parley.attempt": job.attempt,
            "parley.delivery_id": job.delivery_id,
        }
        with telemetry.span(f"send {self._name}", "client", attributes, link=job.taken_in) as told:
            sent = self._sent(job, timeout)
            outcome = type(sent.outcome).__name__.lower()
            told.note({"parley.outcome": outcome, "parley.code": getattr(sent.outcome, "code", None)})
            if not isinstance(sent.outcome, Delivered):
                told.fail(outcome)
        labels = {"parley.channel": self._name, "parley.outcome": outcome}
        telemetry.measure("parley.delivery.duration", time.perf_counter() - started, labels)
        return sent

    def _sent(self, job: Job, timeout: float) -> Sent:
        try:
            return self._channel.send(job, timeout)
        except Exception:
            # A bug of ours, at a place that nobody foresaw: it may have been sent.
            log.exception("bug while sending")
            return Sent(Unsure("an error of ours while sending"))

    def _earlier(self, job: Job) -> Sent | None:
        if not self._can_ask:
            return Sent(Unsure("an earlier attempt may have been sent"))
        return self._channel.find(job, self._store.lease / 4)


def _is_brokers(job: Job, outcome: Outcome) -> bool:
    """Whether the broker's own retry comes next; a longer pause is the row's, and the event is done with."""
    if isinstance(outcome, Wait):
        return outcome.seconds < BROKERS_OWN
    return isinstance(outcome, Retry | Unsure) and is_brokers(job.pauses, job.failures + 1)


def _nudge(due: Due | None, traceparent: str | None, cause: ResponseReady) -> Emit | None:
    return due.emit(f"after {cause.delivery_id}", traceparent) if due else None

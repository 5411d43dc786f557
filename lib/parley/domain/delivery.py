"""
One delivery: who may send it and what follows, decided on a locked row without touching anything.

    verdict   what the caller does
    over      ended, not yet due, or unknown: point to what is due of the same answer
    busy      somebody holds a living lease
    moot      it asks for a decision that is not wanted any more: end it
    behind    an earlier delivery to the same place in the session is open
    early     the vendor asked us to wait
    expired   its patience is over: end it, the next rank is due
    take      take it
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from parley.domain.actions import Action
from parley.domain.events import Channel, Emit, Kind, ResponseReady

Verdict = Literal["over", "busy", "moot", "behind", "early", "expired", "take"]


class LeaseLost(Exception):
    """Somebody else has taken the delivery over: what we did is theirs to find out."""


@dataclass(frozen=True)
class Due:
    """A delivery that may be sent now."""

    delivery_id: UUID
    channel: Channel
    request_id: UUID
    session_id: UUID
    kind: Kind = "answer"

    def emit(self, cause: str, traceparent: str | None) -> Emit:
        """Give the event that nudges it."""
        contract = ResponseReady(
            request_id=self.request_id,
            delivery_id=self.delivery_id,
            session_id=self.session_id,
            channel=self.channel,
            kind=self.kind,
        )
        return Emit(contract, cause=cause, traceparent=traceparent)


@dataclass(frozen=True)
class Job:
    """One delivery as its channel needs it, held by the lease of `epoch`."""

    delivery_id: UUID
    request_id: UUID
    session_id: UUID
    kind: Kind
    channel: Channel
    address: Mapping[str, Any]
    epoch: int
    attempt: int
    at: datetime  # the claim's time, by the database's clock
    answered_at: datetime
    left: float  # seconds of its patience
    question: str
    text: str
    agent: str | None = None
    citations: tuple[Mapping[str, str], ...] = ()
    also_by: tuple[str, ...] = ()
    ambiguous: bool = False  # an earlier attempt began and has no recorded end: it may have been sent
    first_attempt: float | None = None  # Unix seconds, of the database's clock
    traceparent: str | None = None
    action: Action | None = None  # of an approval: what is to be decided


@dataclass(frozen=True)
class Claimed:
    """
    What came of claiming: a job that is held, or why not, or the delivery that is due instead.

    `pause`: seconds until it may be sent, when it is too early.
    """

    verdict: Verdict
    job: Job | None = None
    due: Due | None = None
    traceparent: str | None = None
    pause: float = 0.0


def decide(row: Mapping[str, Any] | None) -> Verdict:
    """Decide on a locked row of `deliveries`: `leased`, `moot`, `past_deadline`, `behind`, `early` (seconds)."""
    if row is None or row["due_at"] is None:
        return "over"
    first: tuple[tuple[Verdict, bool], ...] = (
        ("busy", row["leased"]),
        ("moot", row["moot"]),
        ("expired", row["past_deadline"]),
        ("behind", row["behind"]),
        ("early", row["early"] > 0),
    )
    return next((verdict for verdict, holds in first if holds), "take")

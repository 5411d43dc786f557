"""
One delivery: who may send it and what follows, decided on a locked row without touching anything.

    verdict      what the caller does
    over         ended, not yet due, or unknown: point to what is due of the same answer
    busy         somebody holds a living lease
    awaiting     taken by the vendor, and the success that is wanted may still come
    unconfirmed  taken by the vendor, and that success did not come in time: the next rank is due
    moot         it asks for a decision that is not wanted any more, or the answer arrived by another rank: end it
    skipped      it may not be used any more: end it, the next rank is due
    tripped      what it depends on is in trouble: park it, the next rank is due
    expired      its patience is over: end it, the next rank is due
    behind       an earlier delivery to the same place in the session is open
    early        the vendor asked us to wait, or quiet hours do
    take         take it

    state          and what it means
    planned        waits for the rank before it to end without success
    queued         due; sending: somebody holds its lease
    deferred       due when quiet hours end
    parked         due when what it depends on is cured, or to see whether it is
    accepted       the vendor took it; open while `level` asks for more and `confirm` has not passed
    delivered      it is there; seen: somebody has looked
    failed         refused for good; expired: not sent in time; unknown: it may have arrived
    skipped        may not be used any more when its turn came
    cancelled      not needed any more
    undeliverable  ended without success as the last of its answer: nobody has got it
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from parley.domain.actions import Action
from parley.domain.events import Channel, Emit, Kind, ResponseReady

State = Literal[
    "planned", "queued", "sending", "deferred", "parked", "accepted", "delivered", "seen", "failed", "skipped",
    "expired", "cancelled", "undeliverable", "unknown",
]  # fmt: skip
BROKERS_TRIES = 3  # attempts in a row that come to nothing and are left to the broker
BROKERS_OWN = 60.0  # seconds: a shorter wait is left to the Trigger's retries
Verdict = Literal[
    "over", "busy", "awaiting", "unconfirmed", "moot", "skipped", "tripped", "expired", "behind", "early", "take"
]


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
    taken_in: str | None = None  # the trace context of the attempt before this one
    action: Action | None = None  # of an approval: what is to be decided
    config: Mapping[str, Any] = field(default_factory=dict)  # the user's own setting for the channel, as it is now
    endpoint: Mapping[str, Any] | None = None  # what is known of the receiver that the address names
    circuit: str = ""
    troubled: bool = False  # there is or was trouble with that
    level: str = "accepted"
    pauses: tuple[float, ...] = ()  # seconds between attempts while the vendor is down
    failures: int = 0  # attempts in a row that came to nothing


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
    """Decide on a locked row of `deliveries` with what `delivery_standing` adds to it."""
    if row is None or row["due_at"] is None:
        return "over"
    if row["state"] == "accepted":
        return "unconfirmed" if row["past_deadline"] else "awaiting"
    first: tuple[tuple[Verdict, bool], ...] = (
        ("busy", row["leased"]),
        ("moot", row["moot"]),
        ("skipped", row["barred"] is not None),
        ("expired", row["past_deadline"]),
        ("tripped", row["tripped"]),
        ("behind", row["behind"]),
        ("early", row["early"] > 0),
    )
    return next((verdict for verdict, holds in first if holds), "take")


def is_brokers(pauses: Sequence[float], failures: int) -> bool:
    """Whether the next attempt is the broker's own retry, which is quick: the first few of a short schedule."""
    return failures <= BROKERS_TRIES and (not pauses or pauses[min(failures, len(pauses)) - 1] < BROKERS_OWN)


def pause(pauses: Sequence[float], failures: int, chance: float) -> float:
    """Give the seconds until the next attempt after so many failures: the schedule's, more or less a fifth."""
    return pauses[min(max(failures, 1), len(pauses)) - 1] * (0.8 + 0.4 * chance)


def job(row: Mapping[str, Any]) -> Job:
    """Put together what a channel needs, from a row of `delivery_standing` that was taken."""
    result, error = row["result"] or {}, row["error"] or {}
    action = _action(row)
    return Job(
        delivery_id=row["id"],
        request_id=row["request_id"],
        session_id=row["session_id"],
        kind=row["kind"],
        channel=row["channel"],
        address=row["address"],
        epoch=row["epoch"],
        attempt=row["attempt"],
        at=row["at"],
        answered_at=row["answered_at"],
        left=(row["deadline"] - row["at"]).total_seconds(),
        question=row["content"],
        text=row["notice"] or (action.summary if action else result.get("text") or error.get("title") or ""),
        agent=result.get("agent"),
        citations=() if row["notice"] else tuple(result.get("citations") or ()),
        also_by=tuple(row["also_by"]),
        ambiguous=row["ambiguous"],
        first_attempt=row["first_attempt"],
        traceparent=row["traceparent"],
        taken_in=row["taken_in"],
        action=action,
        config=row["config"],
        endpoint=row["endpoint"],
        circuit=row["circuit"] or row["channel"],
        troubled=row["troubled"],
        level=row["level"],
        pauses=tuple(row["pauses"]),
        failures=row["failures"],
    )


def _action(row: Mapping[str, Any]) -> Action | None:
    shown = row["action"]
    if shown is None:
        return None
    return Action(
        id=UUID(shown["id"]),
        request_id=row["request_id"],
        session_id=row["session_id"],
        tool=shown["tool"],
        arguments=shown["arguments"],
        digest=shown["digest"],
        risk=shown["risk"],
        summary=shown["summary"],
        state=shown["state"],
        expires_at=datetime.fromisoformat(shown["expires_at"]),
    )

"""Deliveries: claimed by one sender at a time, ended together with what becomes due next."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Row, Transaction
from parley.channels.outcome import Delivered, Failed, Outcome, Parked, Retry, Unsure, Wait
from parley.domain import delivery, ids
from parley.domain.actions import Action
from parley.domain.delivery import Claimed, Due, Job, LeaseLost
from parley.domain.events import Emit, Kind
from parley.domain.plan import Plan

PARKED, PARKED_LONGEST = 300.0, 3600.0  # seconds until somebody may have cured the credentials


@dataclass(frozen=True)
class Ending:
    """How a delivery ends, why, and whether it may have arrived all the same."""

    state: str
    reason: str | None = None
    provider_id: str | None = None
    maybe_sent: bool = False


def store_plan(tx: Transaction, request: Row, plan: Plan, kind: Kind, action_id: UUID | None = None) -> list[Due]:
    """
    Store the deliveries of a plan within the transaction that ends the request, or makes it wait for a decision.

    Gives those that are due.
    """
    due = []
    for rank in plan.ranks:
        delivery_id = ids.delivery(action_id or request["id"], kind, rank.channel, rank.rank)
        tx.run(
            "insert_delivery",
            id=delivery_id,
            request_id=request["id"],
            session_id=request["session_id"],
            user_id=request["user_id"],
            kind=kind,
            action_id=action_id,
            channel=rank.channel,
            rank=rank.rank,
            address=dict(rank.address),
            address_key=rank.address_key,
            patience=rank.patience,
        )
        if rank.rank == 1:
            row = {"id": delivery_id, "channel": rank.channel, "request_id": request["id"], "kind": kind}
            due.append(due_of({**row, "session_id": request["session_id"]}))
    return due


class Deliveries:
    """
    The store of deliveries. `lease` in seconds; what could not be sent is looked at again after as long, so that the
    Trigger's own retries come before the sweeper's nudge.
    """

    def __init__(self, database: Database, *, owner: str, lease: float = 60.0) -> None:
        self._database = database
        self._owner = owner
        self.lease = lease
        self.ready = database.ready
        self.close = database.close

    def claim(self, delivery_id: UUID, channel: str) -> Claimed:
        """Take a delivery of a channel, or say why not. An expired one is ended here, and the next rank given."""
        with self._database.transaction() as tx:
            tx.row("lock_session_of_delivery", id=delivery_id)
            row = tx.row("delivery_standing", id=delivery_id, channel=channel)
            verdict = delivery.decide(row)
            if row is None:
                return Claimed(verdict)
            if verdict == "over":
                following = tx.row("due_rank", request_id=row["request_id"], kind=row["kind"])
                return Claimed(verdict, None, due_of(following) if following else None, row["traceparent"])
            if verdict in ("busy", "behind", "early"):
                return Claimed(verdict, pause=row["early"])
            if verdict == "expired":
                return Claimed(verdict, None, _expire(tx, row), row["traceparent"])
            if verdict == "moot":
                ending = Ending("unknown" if row["ambiguous"] else "cancelled", "decided")
                return Claimed(verdict, None, _end(tx, row["id"], row["epoch"], ending), row["traceparent"])
            taken = tx.row("take_delivery", id=delivery_id, owner=self._owner, lease=self.lease)
            assert taken, "the row is locked"
        return Claimed(verdict, _job({**row, **taken}))

    def expire(self, delivery_id: UUID, channel: str) -> Emit | None:
        """
        End a delivery whose patience is over and which nobody holds; gives the nudge for what is due next, if any.

        For recover: the channel's function was told and did not end it.
        """
        with self._database.transaction() as tx:
            tx.row("lock_session_of_delivery", id=delivery_id)
            row = tx.row("delivery_standing", id=delivery_id, channel=channel)
            if row is None or delivery.decide(row) != "expired":
                return None
            due = _expire(tx, row)
        return due.emit(f"expired {delivery_id}", row["traceparent"]) if due else None

    def record(self, job: Job, outcome: Outcome, *, sent: dict[str, Any] | None = None) -> Due | None:
        """
        Write down what became of an attempt, and what follows: the delivery that is due now, if any.

        Raises LeaseLost when somebody else has taken over meanwhile; the attempt's own row is written all the same.
        """
        return self._recorded(job, outcome, sent, lambda tx: _settle(tx, job, outcome, self.lease))

    def give_up_unsure(self, job: Job, outcome: Unsure) -> Due | None:
        """End a delivery that may have arrived and cannot be looked up: `unknown`; the next rank says so."""
        ending = Ending("unknown", outcome.reason, maybe_sent=True)
        return self._recorded(job, outcome, None, lambda tx: _end(tx, job.delivery_id, job.epoch, ending))

    def _recorded(
        self, job: Job, outcome: Outcome, sent: dict[str, Any] | None, settle: Callable[[Transaction], Due | None]
    ) -> Due | None:
        try:
            with self._database.transaction() as tx:
                tx.row("lock_session_of_delivery", id=job.delivery_id)
                _end_attempt(tx, job, outcome, sent)
                return settle(tx)
        except LeaseLost:
            with self._database.autocommit() as alone:
                _end_attempt(alone, job, outcome, sent)
            raise


def _settle(tx: Transaction, job: Job, outcome: Outcome, lease: float) -> Due | None:
    match outcome:
        case Delivered(provider_id):
            return _end(tx, job.delivery_id, job.epoch, Ending("delivered", provider_id=provider_id))
        case Failed(reason):
            return _end(tx, job.delivery_id, job.epoch, Ending("failed", reason, maybe_sent=job.ambiguous))
        case Wait(seconds, _, reason) if seconds > job.left:
            ending = Ending("expired", f"{reason}: longer than may be waited", maybe_sent=job.ambiguous)
            return _end(tx, job.delivery_id, job.epoch, ending)
        case Wait(seconds, _, reason):
            _put_back(tx, job, "queued", seconds, reason, hold=True)
        case Parked(reason):
            pause = min(PARKED * 2 ** min(job.attempt - 1, 10), PARKED_LONGEST)
            _put_back(tx, job, "parked", pause, reason, hold=True)
        case Retry(reason) | Unsure(reason):
            _put_back(tx, job, "queued", lease, reason, hold=False)
    return None


def _end_attempt(tx: Transaction, job: Job, outcome: Outcome, sent: dict[str, Any] | None) -> None:
    tx.run(
        "end_attempt",
        id=job.delivery_id,
        epoch=job.epoch,
        outcome=type(outcome).__name__.lower(),
        reason=getattr(outcome, "reason", None),
        code=getattr(outcome, "code", None),
        provider_id=getattr(outcome, "provider_id", None),
        sent=sent,
    )


def _put_back(tx: Transaction, job: Job, state: str, pause: float, reason: str, *, hold: bool) -> None:
    kept = tx.run(
        "put_back_delivery",
        id=job.delivery_id,
        epoch=job.epoch,
        state=state,
        pause=pause,
        reason=reason,
        hold=hold,
    )
    if not kept:
        raise LeaseLost


def _expire(tx: Transaction, row: Row) -> Due | None:
    return _end(tx, row["id"], row["epoch"], Ending("expired", "not sent in time", maybe_sent=row["ambiguous"]))


def _end(tx: Transaction, delivery_id: UUID, epoch: int, ending: Ending) -> Due | None:
    row = tx.row(
        "end_delivery",
        id=delivery_id,
        epoch=epoch,
        state=ending.state,
        reason=ending.reason,
        provider_id=ending.provider_id,
    )
    if row is None:
        raise LeaseLost
    following = None
    if ending.state == "delivered":
        tx.run("cancel_planned", request_id=row["request_id"], kind=row["kind"], action_id=row["action_id"])
    else:
        also_by = [*row["also_by"], *([row["channel"]] if ending.maybe_sent else [])]
        following = tx.row(
            "promote_next_rank",
            request_id=row["request_id"],
            kind=row["kind"],
            action_id=row["action_id"],
            rank=row["rank"],
            also_by=also_by,
        )
    following = following or tx.row("next_at_place", session_id=row["session_id"], address_key=row["address_key"])
    return due_of(following) if following else None


def due_of(row: Row) -> Due:
    """Give what a row of `deliveries` is to whoever nudges it."""
    return Due(row["id"], row["channel"], row["request_id"], row["session_id"], row["kind"])


def _job(row: Row) -> Job:
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
        text=action.summary if action else result.get("text") or error.get("title") or "",
        agent=result.get("agent"),
        citations=tuple(result.get("citations") or ()),
        also_by=tuple(row["also_by"]),
        ambiguous=row["ambiguous"],
        first_attempt=row["first_attempt"],
        traceparent=row["traceparent"],
        action=action,
    )


def _action(row: Row) -> Action | None:
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

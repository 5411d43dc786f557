"""Deliveries: claimed by one sender at a time, ended together with what becomes due next."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Row, Transaction
from parley.channels.outcome import Delivered, Failed, Outcome, Parked, Retry, Unsure, Wait
from parley.domain import delivery, ids
from parley.domain.delivery import Claimed, Due, Job, LeaseLost
from parley.domain.plan import Plan

BROKER_FIRST = 60.0  # seconds: the Trigger's own retries come before the sweeper's nudge
PARKED = 300.0  # seconds until somebody may have cured the credentials


@dataclass(frozen=True)
class Ending:
    """How a delivery ends: its state, and whether it may have arrived all the same."""

    state: str
    maybe_sent: bool = False


def store_plan(tx: Transaction, request: Row, plan: Plan, kind: str) -> list[Due]:
    """Store the deliveries of a plan within the transaction that ends the request; gives those that are due."""
    due = []
    for rank in plan.ranks:
        delivery_id = ids.delivery(request["id"], kind, rank.channel, rank.rank)
        tx.run(
            "insert_delivery",
            id=delivery_id,
            request_id=request["id"],
            session_id=request["session_id"],
            user_id=request["user_id"],
            kind=kind,
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
    """The store of deliveries. `lease` in seconds."""

    def __init__(self, database: Database, *, owner: str, lease: float = 60.0) -> None:
        self._database = database
        self._owner = owner
        self.lease = lease
        self.ready = database.ready
        self.close = database.close

    def claim(self, delivery_id: UUID) -> Claimed:
        """Take a delivery, or say why not. An expired one is ended here, and the next rank given."""
        with self._database.transaction() as tx:
            row = tx.row("delivery_standing", id=delivery_id)
            verdict = delivery.decide(row)
            if row is None or verdict in ("over", "busy", "behind", "early"):
                return Claimed(verdict)
            if verdict == "expired":
                ending = Ending("expired", maybe_sent=row["ambiguous"])
                due = _end(tx, row["id"], row["epoch"], ending, "not sent in time")
                return Claimed(verdict, None, due, row["traceparent"])
            taken = tx.row("take_delivery", id=delivery_id, owner=self._owner, lease=self.lease)
            assert taken, "the row is locked"
        return Claimed(verdict, _job({**row, **taken}))

    def record(self, job: Job, outcome: Outcome, *, sent: dict[str, Any] | None = None) -> Due | None:
        """
        Write down what became of an attempt, and what follows: the delivery that is due now, if any.

        Raises LeaseLost when somebody else has taken over meanwhile; the attempt's own row is written all the same.
        """
        with self._database.transaction() as tx:
            _end_attempt(tx, job, outcome, sent)
            try:
                return self._settle(tx, job, outcome)
            except LeaseLost:
                lost = True
        if lost:
            raise LeaseLost
        return None

    def give_up_unsure(self, job: Job, outcome: Unsure) -> Due | None:
        """End a delivery that may have arrived and cannot be looked up: `unknown`; the next rank says so."""
        with self._database.transaction() as tx:
            _end_attempt(tx, job, outcome, None)
            return _end(tx, job.delivery_id, job.epoch, Ending("unknown", maybe_sent=True), outcome.reason)

    def _settle(self, tx: Transaction, job: Job, outcome: Outcome) -> Due | None:
        match outcome:
            case Delivered(provider_id):
                return _end(tx, job.delivery_id, job.epoch, Ending("delivered"), None, provider_id)
            case Failed(reason):
                return _end(tx, job.delivery_id, job.epoch, Ending("failed"), reason)
            case Wait(seconds, _, reason):
                _put_back(tx, job, "queued", seconds, reason, hold=True)
            case Parked(reason):
                _put_back(tx, job, "parked", PARKED, reason, hold=True)
            case Retry(reason) | Unsure(reason):
                _put_back(tx, job, "queued", BROKER_FIRST, reason, hold=False)
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
    if not tx.run(
        "put_back_delivery",
        id=job.delivery_id,
        epoch=job.epoch,
        state=state,
        pause=pause,
        reason=reason,
        hold=hold,
    ):
        raise LeaseLost


def _end(
    tx: Transaction, delivery_id: UUID, epoch: int, ending: Ending, reason: str | None, provider_id: str | None = None
) -> Due | None:
    row = tx.row(
        "end_delivery", id=delivery_id, epoch=epoch, state=ending.state, reason=reason, provider_id=provider_id
    )
    if row is None:
        raise LeaseLost
    following = None
    if ending.state == "delivered":
        tx.run("cancel_planned", request_id=row["request_id"], kind=row["kind"])
    else:
        also_by = [row["channel"]] if ending.maybe_sent else []
        following = tx.row(
            "promote_next_rank", request_id=row["request_id"], kind=row["kind"], rank=row["rank"], also_by=also_by
        )
    following = following or tx.row("next_at_place", session_id=row["session_id"], address_key=row["address_key"])
    return due_of(following) if following else None


def due_of(row: Row) -> Due:
    """Give what a row of `deliveries` is to whoever nudges it."""
    return Due(row["id"], row["channel"], row["request_id"], row["session_id"], row["kind"])


def _job(row: Row) -> Job:
    result, error = row["result"] or {}, row["error"] or {}
    return Job(
        delivery_id=row["id"],
        request_id=row["request_id"],
        session_id=row["session_id"],
        kind=row["kind"],
        channel=row["channel"],
        address=row["address"],
        epoch=row["epoch"],
        attempt=row["attempt"],
        question=row["content"],
        text=result.get("text") or error.get("title") or "",
        citations=tuple(result.get("citations") or ()),
        also_by=tuple(row["also_by"]),
        ambiguous=row["ambiguous"],
        first_attempt=row["first_attempt"],
        traceparent=row["traceparent"],
    )

"""Deliveries: claimed by one sender at a time, ended together with what becomes due next."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from parley import telemetry
from parley.adapters.postgres import circuits
from parley.adapters.postgres.database import Database, Row, Transaction
from parley.adapters.postgres.planned import due_of, end_of_rank
from parley.channels.outcome import Delivered, Failed, Outcome, Parked, Retry, Unsure, Wait
from parley.domain import delivery
from parley.domain.circuit import Circuit
from parley.domain.defaults import LEVELS
from parley.domain.delivery import Claimed, Due, Job, LeaseLost
from parley.domain.events import Emit

log = logging.getLogger("parley.deliveries")

SUCCESS = frozenset(LEVELS)
# What else follows from trouble with a receiver, in the same transaction: its owner is told elsewhere.
Tell = Callable[[Transaction, Job, str], None]


@dataclass(frozen=True)
class Ending:
    """How a delivery ends, why, and whether it may have arrived all the same."""

    state: str
    reason: str | None = None
    provider_id: str | None = None
    maybe_sent: bool = False


class Deliveries:
    """
    The store of deliveries. `lease` in seconds; what could not be sent is looked at again after as long, so that the
    Trigger's own retries come before the sweeper's nudge. `tell` the owner of a receiver that it is in trouble.
    """

    def __init__(
        self,
        database: Database,
        *,
        owner: str,
        lease: float = 60.0,
        tell: Tell = lambda *_: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._owner = owner
        self.lease = lease
        self._tell = tell
        self._chance = chance
        self.ready = database.ready
        self.close = database.close

    def claim(self, delivery_id: UUID, channel: str) -> Claimed:
        """Take a delivery of a channel, or say why not. What has to end is ended here, and the next rank given."""
        with self._database.transaction() as tx:
            tx.send("lock_session_of_delivery", id=delivery_id)
            row = tx.row("delivery_standing", id=delivery_id, channel=channel)
            verdict = delivery.decide(row)
            if row is None:
                return Claimed(verdict)
            if verdict == "over":
                following = tx.row("due_rank", request_id=row["request_id"], kind=row["kind"])
                return Claimed(verdict, None, due_of(following) if following else None, row["traceparent"])
            if verdict in ("busy", "awaiting", "behind", "early"):
                return Claimed(verdict, pause=row["early"])
            if verdict == "take" and not circuits.may_try(tx, row, self.lease):
                verdict = "tripped"
            if verdict != "take":
                return Claimed(verdict, None, _settled(tx, row, verdict), row["traceparent"])
            taken = tx.last(
                "take_delivery", id=delivery_id, owner=self._owner, lease=self.lease, trace=telemetry.current()
            )
            if row["endpoint"] and row["endpoint"]["allowed_rate"]:
                tx.send("pace_endpoint", id=row["endpoint"]["integration_id"])
        found = taken()
        assert found, "the row was locked"
        return Claimed(verdict, delivery.job({**row, **found}))

    def expire(self, delivery_id: UUID, channel: str) -> Emit | None:
        """
        End a delivery that is over and which nobody holds; gives the nudge for what is due next, if any.

        For recover: the channel's function was told and did not end it.
        """
        with self._database.transaction() as tx:
            tx.send("lock_session_of_delivery", id=delivery_id)
            row = tx.row("delivery_standing", id=delivery_id, channel=channel)
            verdict = delivery.decide(row)
            if row is None or verdict not in ("expired", "unconfirmed", "moot", "skipped"):
                return None
            due = _settled(tx, row, verdict)
        return due.emit(f"expired {delivery_id}", row["traceparent"]) if due else None

    def record(self, job: Job, outcome: Outcome, *, sent: dict[str, Any] | None = None) -> Due | None:
        """
        Write down what became of an attempt, and what follows: the delivery that is due now, if any.

        Raises LeaseLost when somebody else has taken over meanwhile; the attempt's own row is written all the same.
        """
        return self._recorded(job, outcome, sent, lambda tx: self._settle(tx, job, outcome))

    def give_up_unsure(self, job: Job, outcome: Unsure) -> Due | None:
        """End a delivery that may have arrived and cannot be looked up: `unknown`; the next rank says so."""
        ending = Ending("unknown", outcome.reason, maybe_sent=True)
        return self._recorded(job, outcome, None, lambda tx: _end(tx, job.delivery_id, job.epoch, ending))

    def confirm(self, channel: str, provider_id: str, level: str) -> bool:
        """Keep what a vendor reports later about a message: `delivered` or `seen`. Says whether it is one of ours."""
        found = self._database.row("delivery_by_provider", channel=channel, provider_id=provider_id)
        return found is not None and self.confirm_delivery(found["id"], level)

    def confirm_delivery(self, delivery_id: UUID, level: str) -> bool:
        """Keep that a delivery was `delivered` or `seen`: what still waits of the same answer is not needed."""
        with self._database.transaction() as tx:
            tx.send("lock_session_of_delivery", id=delivery_id)
            row = tx.row("confirm_delivery", id=delivery_id, level=level)
            if row and LEVELS.index(level) >= LEVELS.index(row["level"]):
                _cancel_others(tx, row)
        return row is not None

    def _recorded(
        self, job: Job, outcome: Outcome, sent: dict[str, Any] | None, settle: Callable[[Transaction], Due | None]
    ) -> Due | None:
        try:
            with self._database.transaction() as tx:
                tx.send("lock_session_of_delivery", id=job.delivery_id)
                _end_attempt(tx, job, outcome, sent)
                return settle(tx)
        except LeaseLost:
            with self._database.autocommit() as alone:
                _end_attempt(alone, job, outcome, sent)
            raise

    def _settle(self, tx: Transaction, job: Job, outcome: Outcome) -> Due | None:
        """Write what follows from an attempt; the circuit comes last, so that locks are taken in one order."""
        due: Due | None = None
        match outcome:
            case Delivered(provider_id, level) if LEVELS.index(level) < LEVELS.index(job.level):
                due = _await(tx, job, provider_id)
            case Delivered(provider_id, level):
                due = _end(tx, job.delivery_id, job.epoch, Ending(level, provider_id=provider_id))
            case Failed(reason):
                due = _end(tx, job.delivery_id, job.epoch, Ending("failed", reason, maybe_sent=job.ambiguous))
            case Wait(seconds, _, reason) if seconds > job.left:
                ending = Ending("expired", f"{reason}: longer than may be waited", maybe_sent=job.ambiguous)
                due = _end(tx, job.delivery_id, job.epoch, ending)
            case Wait(seconds, _, reason):
                _put_back(tx, job, seconds, reason, hold=True)
            case Retry(reason) | Unsure(reason):
                self._try_again(tx, job, reason)
        if circuits.is_calm(job, outcome):
            return due
        now = tx.row("now")
        assert now
        trouble = circuits.attempted(tx, job, outcome, now["at"])
        if isinstance(outcome, Parked) or (trouble and trouble.is_open and isinstance(outcome, Retry | Unsure)):
            assert trouble
            due = self._park(tx, job, trouble, outcome.reason)
        self._tell_owner(tx, job, outcome, trouble, now["at"])
        return due

    def _try_again(self, tx: Transaction, job: Job, reason: str) -> None:
        """Leave the first tries to the broker, which is quick; then go by the channel's own schedule."""
        failures = job.failures + 1
        if delivery.is_brokers(job.pauses, failures):
            _put_back(tx, job, self.lease, reason, hold=False, failures=failures)
        else:
            pause = delivery.pause(job.pauses, failures, self._chance())
            _put_back(tx, job, pause, reason, hold=True, failures=failures)

    def _park(self, tx: Transaction, job: Job, trouble: Circuit, reason: str) -> Due | None:
        row = tx.row("park_delivery", id=job.delivery_id, epoch=job.epoch, until=trouble.until, reason=reason)
        if row is None:
            raise LeaseLost
        return end_of_rank(tx, row, _also_by(row, maybe_sent=job.ambiguous))

    def _tell_owner(self, tx: Transaction, job: Job, outcome: Outcome, trouble: Circuit | None, now: datetime) -> None:
        if "integration" not in job.address:
            return
        if isinstance(outcome, Failed) and outcome.disables:
            self._disable(tx, job, outcome.reason)
        elif trouble and trouble.is_given_up(now):
            self._disable(tx, job, f"nothing has arrived there since {trouble.failing_since:%Y-%m-%d %H:%M} UTC")
        elif trouble and trouble.is_open and trouble.trips == 1:
            self._tell(tx, job, f"{outcome_reason(outcome)}; nothing has arrived there for an hour")

    def _disable(self, tx: Transaction, job: Job, reason: str) -> None:
        if tx.run("disable_endpoint", id=job.address["integration"], reason=reason):
            log.error("receiver disabled", extra={"fields": {"circuit": job.circuit, "reason": reason}})
            self._tell(tx, job, f"{reason}; it is not called any more until you set it anew")


def outcome_reason(outcome: Outcome) -> str:
    """Give our words for what happened."""
    return str(getattr(outcome, "reason", "") or "it does not work")


def _settled(tx: Transaction, row: Row, verdict: delivery.Verdict) -> Due | None:
    """End, or park, a delivery that nobody holds."""
    maybe = row["ambiguous"]
    match verdict:
        case "moot":
            ending = Ending("unknown" if maybe else "cancelled", "decided" if row["action_id"] else "not needed")
        case "skipped":
            ending = Ending("unknown" if maybe else "skipped", row["barred"], maybe_sent=maybe)
        case "unconfirmed":
            ending = Ending("accepted", f"not known to be {row['level']} in time", maybe_sent=True)
        case "tripped":
            reason = row["reason"] or "there is trouble with it"
            until = row["tripped_until"] if row["tripped"] else None
            parked = tx.row("park_delivery", id=row["id"], epoch=row["epoch"], until=until or row["at"], reason=reason)
            assert parked, "the row is locked"
            return end_of_rank(tx, parked, _also_by(parked, maybe_sent=maybe))
        case _:
            ending = Ending("expired", "not sent in time", maybe_sent=maybe)
    return _end(tx, row["id"], row["epoch"], ending)


def _end_attempt(tx: Transaction, job: Job, outcome: Outcome, sent: dict[str, Any] | None) -> None:
    tx.send(
        "end_attempt",
        id=job.delivery_id,
        epoch=job.epoch,
        outcome=type(outcome).__name__.lower(),
        reason=getattr(outcome, "reason", None),
        code=getattr(outcome, "code", None),
        provider_id=getattr(outcome, "provider_id", None),
        sent=sent,
    )


def _put_back(tx: Transaction, job: Job, pause: float, reason: str, *, hold: bool, failures: int | None = None) -> None:
    kept = tx.run(
        "put_back_delivery",
        id=job.delivery_id,
        epoch=job.epoch,
        state="queued",
        pause=pause,
        reason=reason,
        hold=hold,
        failures=job.failures if failures is None else failures,
    )
    if not kept:
        raise LeaseLost


def _await(tx: Transaction, job: Job, provider_id: str | None) -> Due | None:
    row = tx.row("await_confirmation", id=job.delivery_id, epoch=job.epoch, provider_id=provider_id)
    if row is None:
        raise LeaseLost
    following = tx.row("next_at_place", **row)
    return due_of(following) if following else None


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
    due = None
    if ending.state in SUCCESS and not ending.maybe_sent:
        _cancel_others(tx, row)
    elif ending.state != "cancelled":
        due = end_of_rank(tx, row, _also_by(row, maybe_sent=ending.maybe_sent))
        if due is None and ending.state in ("failed", "expired", "skipped") and not ending.maybe_sent:
            _mark_undeliverable(tx, row)
    if due is None:
        following = tx.row("next_at_place", session_id=row["session_id"], address_key=row["address_key"])
        due = due_of(following) if following else None
    return due


def _mark_undeliverable(tx: Transaction, row: Row) -> None:
    """Say so when nothing is left to try: the answer waits to be fetched."""
    same = {name: row[name] for name in ("request_id", "kind", "action_id", "id")}
    found = tx.row("is_undeliverable", **same)
    if found and found["it"]:
        tx.run("mark_undeliverable", id=row["id"])
        log.error("undeliverable", extra={"fields": {"delivery_id": str(row["id"]), "channel": row["channel"]}})


def _cancel_others(tx: Transaction, row: Row) -> None:
    if row["mode"] != "all":
        same = {name: row[name] for name in ("request_id", "kind", "action_id", "id")}
        tx.send("cancel_others", **same)


def _also_by(row: Row, *, maybe_sent: bool) -> list[str]:
    return [*row["also_by"], *([row["channel"]] if maybe_sent else [])]

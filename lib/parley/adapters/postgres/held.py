"""Held turns: whoever holds one writes its steps, prolongs it, ends it or gives it back; all fenced by its epoch."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from parley.adapters.postgres.database import Database
from parley.adapters.postgres.endings import after, escalated, tell_end
from parley.adapters.postgres.planned import store_plan
from parley.domain import actions, ids
from parley.domain.actions import Wanted
from parley.domain.budget import Amount
from parley.domain.delivery import Due
from parley.domain.escalation import Escalation
from parley.domain.events import Emit
from parley.domain.plan import Plan
from parley.domain.turn import Cancelled, LeaseLost, Spent, Turn


class HeldTurns:
    """What a turn needs of the store of requests, once it is held."""

    _database: Database
    _lease: float

    def journal(
        self, held: Turn, *, kind: str, fingerprint: str, output: dict[str, Any], usage: dict[str, Any] | None = None
    ) -> None:
        """Write a step that is done, and renew the lease. Raises LeaseLost, and Cancelled."""
        row = self._database.row(
            "journal_step",
            id=held.request_id,
            epoch=held.epoch,
            step=held.step,
            kind=kind,
            fingerprint=fingerprint,
            output=output,
            usage=usage,
            lease=self._lease,
        )
        if row is None:
            raise LeaseLost
        held.step += 1
        if row["cancel_requested"]:
            raise Cancelled

    def reserve(self, held: Turn, wanted: Amount, limit: Amount) -> None:
        """
        Keep a part of the user's day for the call of a model that comes now; the journaled step settles it.

        What a crash leaves reserved counts no longer than its lease. Raises Spent, and LeaseLost.
        """
        with self._database.transaction() as tx:
            tx.row("lock_user", user_id=held.user_id)
            row = tx.row("spent", user_id=held.user_id, but=held.request_id)
            assert row, "it is a row of sums"
            if Amount(row["tokens"] + wanted.tokens, row["micros"] + wanted.micros).is_above(limit):
                raise Spent(row["resets"])
            amount = asdict(wanted)
            if not tx.run("reserve", id=held.request_id, epoch=held.epoch, **amount):
                raise LeaseLost

    def spent(self, user_id: UUID, limit: Amount) -> datetime | None:
        """Give the time from which a user may ask again, when the day's budget leaves nothing."""
        row = self._database.row("spent", user_id=user_id, but=None)
        assert row, "it is a row of sums"
        return row["resets"] if Amount(row["tokens"] + 1, row["micros"] + 1).is_above(limit) else None

    def intend(self, held: Turn, *, fingerprint: str, ahead: int = 0) -> UUID:
        """
        Write down that a tool is about to be called; gives its effect key. Raises LeaseLost, and Cancelled.

        `ahead`: how many calls that are not done yet come before it.
        """
        key = ids.effect(held.request_id, held.step + ahead, fingerprint)
        row = self._database.row(
            "intend_step",
            id=held.request_id,
            epoch=held.epoch,
            step=held.step,
            kind="tool",
            ahead=ahead,
            fingerprint=fingerprint,
            effect_key=key,
            lease=self._lease,
        )
        if row is None:
            raise LeaseLost
        if row["cancel_requested"]:
            raise Cancelled
        return key

    def renew(self, held: Turn) -> bool:
        """Prolong the lease. Returns whether a cancel was asked for. Raises LeaseLost."""
        row = self._database.row("renew_turn", id=held.request_id, epoch=held.epoch, lease=self._lease)
        if row is None:
            raise LeaseLost
        return bool(row["cancel_requested"])

    def tell(self, held: Turn, *told: tuple[str, dict[str, Any]]) -> int:
        """
        Write to the progress log, in this order: (type, data) each. Gives the number of the last one.

        Raises LeaseLost, and Cancelled: then it is written all the same.
        """
        row = self._database.row("tell", id=held.request_id, epoch=held.epoch, told=_events(told))
        if row is None:
            raise LeaseLost
        if row["cancel_requested"]:
            raise Cancelled
        return int(row["events"])

    def wait(self, held: Turn, wanted: Wanted, plan: Plan) -> list[Due]:
        """
        Let the turn wait for a decision: the lease is given back, the session's slot is kept.

        Gives the deliveries that ask for it and are due. Raises LeaseLost, and Cancelled.
        """
        action_id = ids.new()
        with self._database.transaction() as tx:
            tx.send("lock_session_of", id=held.request_id)
            row = tx.row(
                "open_action",
                id=held.request_id,
                epoch=held.epoch,
                step=held.step,
                action_id=action_id,
                digest=actions.digest(wanted.tool, wanted.arguments),
                **asdict(wanted),
            )
            if row is None:
                raise Cancelled if tx.row("still_ours", id=held.request_id, epoch=held.epoch) else LeaseLost
            return store_plan(tx, row, plan, "approval", action_id)

    def complete(
        self, held: Turn, result: dict[str, Any], plan: Plan, escalation: Escalation | None = None
    ) -> tuple[list[Due], Emit | None]:
        """
        End a turn with an answer: result, messages, agent in charge, deliveries, and the person who is told of it when
        one is wanted, in one transaction.

        Gives the deliveries that are due and the nudge for the next request of the session. Raises LeaseLost, and
        Cancelled.
        """
        with self._database.transaction() as tx:
            tx.send("lock_session_of", id=held.request_id)
            row = tx.row(
                "complete_request",
                id=held.request_id,
                epoch=held.epoch,
                result=result,
                plan=plan.as_dict(),
                answer=result["text"],
                agent=result["agent"],
                forgets=held.forgets,
                summary=held.summary,
                summary_seq=held.summarised_to,
                tainted=held.tainted,
                untold=_events(held.untold),
            )
            if row is None:
                raise Cancelled if tx.row("still_ours", id=held.request_id, epoch=held.epoch) else LeaseLost
            told = escalated(tx, row, escalation) if escalation else []
            due, next_one = after(tx, row, plan, "answer", "completed", {"result": result})
        return [*due, *told], next_one()

    def end(self, held: Turn, state: str, error: dict[str, Any], plan: Plan) -> tuple[list[Due], Emit | None]:
        """End a turn without an answer: `failed` or `cancelled`, with what the user is told. Raises LeaseLost."""
        with self._database.transaction() as tx:
            tx.send("lock_session_of", id=held.request_id)
            row = tx.row(
                "end_request", id=held.request_id, epoch=held.epoch, state=state, error=error, plan=plan.as_dict()
            )
            if row is None:
                raise LeaseLost
            tell_end(tx, held.request_id, state, {"error": error})
            due, next_one = after(tx, row, plan, "failure", state, {"error": error})
        return due, next_one()

    def release(self, held: Turn, *, pause: float, failed: bool) -> None:
        """Give the turn back, due again after `pause` seconds; `failed` counts as an attempt. Harmless when lost."""
        self._database.run("release_turn", id=held.request_id, epoch=held.epoch, pause=pause, failed=int(failed))


def _events(told: Sequence[tuple[str, dict[str, Any]]]) -> Jsonb:
    return Jsonb([{"type": kind, "data": data} for kind, data in told])

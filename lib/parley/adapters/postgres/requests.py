"""Requests: accepted once, turned by one at a time, ended together with everything that follows from it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from parley import telemetry
from parley.adapters.postgres.acceptance import Acceptance
from parley.adapters.postgres.actions import expire_action
from parley.adapters.postgres.database import Database, Row, Transaction
from parley.adapters.postgres.endings import after, end_set, following, tell_end
from parley.adapters.postgres.held import HeldTurns
from parley.adapters.postgres.planned import due_of
from parley.domain import turn
from parley.domain.delivery import Due
from parley.domain.events import Emit
from parley.domain.plan import Asked, Plan, inputs, last_resort
from parley.domain.requests import TERMINAL
from parley.domain.turn import Message, Read, Step, Turn

HISTORY = 60  # messages at most, beside the summary


class Requests(Acceptance, HeldTurns):
    """
    The store of requests.

    Seconds: `deadline` from acceptance to giving up, `nudge` until the first nudge, `idle` until a conversation without
    threads counts as over, `lease` of a turn.
    """

    def __init__(
        self,
        database: Database,
        *,
        deadline: float = 900,
        nudge: float = 30,
        idle: float = 1800,
        lease: float = 60,
        max_attempts: int = 6,
    ) -> None:
        self._database = database
        self._deadline = deadline
        self._nudge = nudge
        self._idle = idle
        self._lease = lease
        self._max_attempts = max_attempts
        self.ready = database.ready
        self.close = database.close

    def claim(self, request_id: UUID, *, owner: str, revision: str) -> Turn | None:
        """
        Take the turn of a request, or say why not: `Turn.verdict`.

        A turn with the verdict take, expired, spent or cancelled is held and must be ended or released; with any other
        it is not. None for an unknown request.
        """
        with self._database.transaction() as tx:
            tx.send("lock_session_of", id=request_id)
            row = _answering(tx, request_id)
            verdict = turn.decide(row, max_attempts=self._max_attempts)
            if row is None:
                return None
            if verdict == "take" and row["on_busy"] == "coalesce" and row["epoch"] == 0:
                row = _fixed(tx, row)
            if verdict in ("over", "busy", "behind", "waiting"):
                return _turn(row, verdict)
            if row["state"] == "requires_action":
                expire_action(tx, row["id"])
            if row["on_busy"] == "coalesce":
                row = {**row, **_together(tx, row)}
            taken = tx.last(
                "take_turn",
                id=row["id"],
                owner=owner,
                lease=self._lease,
                takeover=int(turn.takeover(row)),
                revision=revision,
                trace=telemetry.current(),
            )
            history, journal = _history(tx, row), _journal(tx, row)
        held = _turn({**row, **(taken() or {})}, verdict)
        held.history, held.journal = history, journal
        return held

    def cancel(self, request_id: UUID, user_id: UUID, error: dict[str, Any]) -> Emit | None:
        """
        Cancel a request of this user: at once while it waits, at its next step while it runs; an ended one stays.

        Gives the nudge for the next request of the session, when this one held it up.
        """
        with self._database.transaction() as tx:
            tx.send("lock_session_of", id=request_id)
            row = tx.row("cancel_waiting", id=request_id, user_id=user_id, error=error)
            if row is None:
                tx.row("ask_cancel", id=request_id, user_id=user_id)
                return None
            tx.send("close_action", id=request_id, state="superseded", by=user_id)
            tell_end(tx, request_id, "cancelled", {})
            end_set(tx, request_id, "cancelled", {"error": error})
            next_one = following(tx, row)
        return next_one()

    def expire(self, request_id: UUID) -> list[Emit]:
        """
        End a request whose deadline has passed and whose turn nobody holds; gives the nudges that follow, or none.

        For recover: agent-turn was told and did not end it. The user hears of it where they asked.
        """
        with self._database.transaction() as tx:
            tx.send("lock_session_of", id=request_id)
            row = _answering(tx, request_id)
            verdict = turn.decide(row, max_attempts=self._max_attempts)
            if row is None or not row["past_deadline"] or verdict not in turn.ENDINGS:
                return []
            request_id = row["id"]
            state, kind, title = turn.ENDINGS[verdict]
            plan = _last_plan(tx, row)
            error = {"type": kind, "title": title}
            ended = tx.row("expire_request", id=request_id, state=state, error=error, plan=plan.as_dict())
            assert ended, "the row is locked"
            tx.send("close_action", id=request_id, state="expired", by=None)
            tell_end(tx, request_id, state, {"error": error})
            due, next_one = after(tx, ended, plan, "failure", state, {"error": error})
        nudges = [one.emit(f"expired {request_id}", row["traceparent"]) for one in due]
        return [*nudges, *([nudge] if (nudge := next_one()) else [])]

    def due_delivery(self, request_id: UUID) -> Due | None:
        """Give a delivery of an ended request that is still due."""
        row = self._database.row("due_delivery", id=request_id)
        return due_of(row) if row else None


def _answering(tx: Transaction, request_id: UUID) -> Row | None:
    """Give a locked request with its standing; of one that is answered together with others, the one that answers."""
    row = tx.row("standing", id=request_id)
    if row and row["answered_by"] and row["state"] not in TERMINAL:
        answering = tx.row("standing", id=row["answered_by"])
        return answering if answering and answering["state"] not in TERMINAL else row
    return row


def _fixed(tx: Transaction, row: Row) -> Row:
    """Fix what is answered together with this request, at its first claim; gives the one that answers."""
    fixed = tx.rows("fix_set", session_id=row["session_id"], seq=row["seq"])
    answering = tx.row("standing", id=fixed[0]["answered_by"]) if fixed else row
    assert answering, "it is in the set"
    return answering


def _together(tx: Transaction, row: Row) -> Row:
    """Give what was asked, all of it, in its order, and the files that came with it."""
    asked = [*tx.rows("asked_together", id=row["id"]), row]
    return {
        "content": "\n\n".join(one["content"] for one in asked),
        "files": [file for one in asked for file in one["files"]],
    }


def _last_plan(tx: Transaction, row: Row) -> Plan:
    user = tx.row("plan_inputs", user_id=row["user_id"])
    assert user, "a request's user exists"
    overrides, told = inputs(user)
    asked = Asked(row["source"], origin=row["origin"], acted_at=row["acted_at"], **told)
    return last_resort(overrides, asked, row["at"])


def _history(tx: Transaction, row: Row) -> tuple[Message, ...]:
    if row["seq"] == 1:
        return ()
    said = tx.rows(
        "history", session_id=row["session_id"], seq=row["seq"], after=row["summary_seq"], limit=HISTORY
    )  # fmt: skip
    return tuple(Message(m["role"], m["content"], m["agent"], m["seq"]) for m in reversed(said))


def _journal(tx: Transaction, row: Row) -> dict[int, Step]:
    if not row["step"]:
        return {}
    return {
        one["step"]: Step(
            one["step"], one["kind"], one["fingerprint"], one["output"], one["started"], one["effect_key"]
        )
        for one in tx.rows("journaled", id=row["id"])
    }  # fmt: skip


def _turn(row: Mapping[str, Any], verdict: turn.Verdict) -> Turn:
    return Turn(
        request_id=row["id"],
        session_id=row["session_id"],
        user_id=row["user_id"],
        source=row["source"],
        content=row["content"],
        agent=row["session_agent"],
        epoch=row["epoch"],
        step=row["step"],
        revision=row["agent_revision"] or "",
        verdict=verdict,
        origin=row["origin"],
        delivery=row["delivery"],
        traceparent=row["traceparent"],
        taken_in=row["taken_in"],
        summary=row["summary"],
        summarised_to=row["summary_seq"],
        tainted=row["tainted"],
        acted_at=row["acted_at"],
        files=tuple(row["files"]),
        known=tuple(Read(**one) for one in row["known"] or ()),
        since=(row["at"] - row["started_at"]).total_seconds() if row["started_at"] else 0.0,
    )

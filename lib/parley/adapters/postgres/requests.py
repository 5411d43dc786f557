"""Requests: accepted once, turned by one at a time, ended together with everything that follows from it."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from parley.adapters.postgres.actions import expire_action, settle, supersede
from parley.adapters.postgres.database import Database, Row, Transaction
from parley.adapters.postgres.planned import due_of, store_plan
from parley.domain import actions, ids, turn
from parley.domain.actions import Wanted
from parley.domain.delivery import Due
from parley.domain.escalation import Escalation
from parley.domain.events import Emit, Kind, RequestCreated
from parley.domain.plan import Asked, Plan, inputs, last_resort
from parley.domain.requests import TERMINAL, Accepted, KeyReused, NewRequest, NoSuchSession, SessionBusy, SessionWanted
from parley.domain.turn import Cancelled, LeaseLost, Message, Spent, Step, Turn
from parley.errors import Unavailable

HISTORY = 60  # messages at most, beside the summary


class Requests:
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

    def accept(self, new: NewRequest) -> Accepted:
        """
        Store a request with its key and its place in its session, all in one transaction.

        While the session waits for a decision that its user has been asked for, a yes or no is that decision, and
        anything else takes the place of what was proposed.

        Raises KeyReused for the same key with another fingerprint, NoSuchSession for a given session that is not the
        user's, SessionBusy for one that has an open request when that is not wanted, Unavailable when nothing could be
        stored. Whatever is raised, the key is free.
        """
        with self._database.transaction() as tx:
            if new.key is not None and not _took_key(tx, new):
                return _replay(tx, new)
            session_id = self._session(tx, new)
            awaited = tx.row("awaited_action", session_id=session_id)
            if awaited and awaited["shown"] and (yes := actions.said(new.content)) is not None:
                return _decided(tx, new, awaited, "approved" if yes else "denied")
            if new.unless_busy and tx.row("open_in_session", session_id=session_id):
                raise SessionBusy
            instead = awaited and awaited["shown"]
            if awaited and instead:
                supersede(tx, awaited, new.user_id)
            place = tx.row("next_place", session_id=session_id, idle=self._idle)
            if place is None:
                raise Unavailable("the session has just been purged")
            tx.run(
                "insert_request",
                id=new.id,
                session_id=session_id,
                seq=place["seq"],
                user_id=new.user_id,
                source=new.source,
                content=new.content,
                context=new.context,
                origin=new.origin,
                thread=new.session.thread,
                delivery=new.delivery,
                traceparent=new.traceparent,
                asked_by=new.asked_by,
                on_busy="coalesce" if new.coalesce else "enqueue",
                deadline=self._deadline,
                nudge=self._nudge,
            )
            first = tx.row("next_request", session_id=session_id) if instead else None
        return Accepted(new.id, session_id, first=first["id"] if first else None)

    def claim(self, request_id: UUID, *, owner: str, revision: str) -> Turn | None:
        """
        Take the turn of a request, or say why not: `Turn.verdict`.

        A turn with the verdict take, expired, spent or cancelled is held and must be ended or released; with any other
        it is not. None for an unknown request.
        """
        with self._database.transaction() as tx:
            tx.row("lock_session_of", id=request_id)
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
                row = {**row, "content": _together(tx, row)}
            taken = tx.row(
                "take_turn",
                id=row["id"],
                owner=owner,
                lease=self._lease,
                takeover=int(turn.takeover(row)),
                revision=revision,
            )
            held = _turn({**row, **(taken or {})}, verdict)
            held.history = _history(tx, row)
            if held.step:
                held.journal = {
                    r["step"]: Step(r["step"], r["kind"], r["fingerprint"], r["output"], r["started"], r["effect_key"])
                    for r in tx.rows("journaled", id=row["id"])
                }
        return held

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

    def reserve(self, held: Turn, tokens: int, limit: int) -> None:
        """
        Keep tokens of the user's day for the call of a model that comes now; the journaled step settles them.

        What a crash leaves reserved counts no longer than its lease. Raises Spent, and LeaseLost.
        """
        with self._database.transaction() as tx:
            tx.row("lock_user", user_id=held.user_id)
            row = tx.row("spent_tokens", user_id=held.user_id, but=held.request_id)
            assert row, "it is a row of sums"
            if row["spent"] + tokens > limit:
                raise Spent(row["resets"])
            if not tx.run("reserve_tokens", id=held.request_id, epoch=held.epoch, tokens=tokens):
                raise LeaseLost

    def spent(self, user_id: UUID, limit: int) -> datetime | None:
        """Give the time from which a user may ask again, when the day's tokens are spent."""
        row = self._database.row("spent_tokens", user_id=user_id, but=None)
        assert row, "it is a row of sums"
        return row["resets"] if row["spent"] >= limit else None

    def intend(self, held: Turn, *, fingerprint: str) -> UUID:
        """Write down that a tool is about to be called; gives its effect key. Raises LeaseLost, and Cancelled."""
        key = ids.effect(held.request_id, held.step, fingerprint)
        row = self._database.row(
            "intend_step",
            id=held.request_id,
            epoch=held.epoch,
            step=held.step,
            kind="tool",
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
        events = [{"type": kind, "data": data} for kind, data in told]
        row = self._database.row("tell", id=held.request_id, epoch=held.epoch, told=Jsonb(events))
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
            tx.row("lock_session_of", id=held.request_id)
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

    def cancel(self, request_id: UUID, user_id: UUID, error: dict[str, Any]) -> Emit | None:
        """
        Cancel a request of this user: at once while it waits, at its next step while it runs; an ended one stays.

        Gives the nudge for the next request of the session, when this one held it up.
        """
        with self._database.transaction() as tx:
            tx.row("lock_session_of", id=request_id)
            row = tx.row("cancel_waiting", id=request_id, user_id=user_id, error=error)
            if row is None:
                tx.row("ask_cancel", id=request_id, user_id=user_id)
                return None
            tx.run("close_action", id=request_id, state="superseded", by=user_id)
            tx.run("tell_end", id=request_id, type="cancelled", data={})
            _end_set(tx, request_id, "cancelled", {"error": error})
            return _following(tx, row)

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
            tx.row("lock_session_of", id=held.request_id)
            row = tx.row(
                "complete_request",
                id=held.request_id,
                epoch=held.epoch,
                result=result,
                plan=plan.as_dict(),
            )
            if row is None:
                raise Cancelled if tx.row("still_ours", id=held.request_id, epoch=held.epoch) else LeaseLost
            tx.run(
                "insert_messages",
                id=held.request_id,
                session_id=held.session_id,
                seq=row["seq"],
                question=row["content"],
                answer=result["text"],
                agent=result["agent"],
            )
            _remember(tx, held, result, row)
            told = _escalated(tx, row, escalation) if escalation else []
            due, following = _after(tx, row, plan, "answer", "completed", {"result": result})
            return [*due, *told], following

    def end(self, held: Turn, state: str, error: dict[str, Any], plan: Plan) -> tuple[list[Due], Emit | None]:
        """End a turn without an answer: `failed` or `cancelled`, with what the user is told. Raises LeaseLost."""
        with self._database.transaction() as tx:
            tx.row("lock_session_of", id=held.request_id)
            row = tx.row(
                "end_request", id=held.request_id, epoch=held.epoch, state=state, error=error, plan=plan.as_dict()
            )
            if row is None:
                raise LeaseLost
            return _after(tx, row, plan, "failure", state, {"error": error})

    def release(self, held: Turn, *, pause: float, failed: bool) -> None:
        """Give the turn back, due again after `pause` seconds; `failed` counts as an attempt. Harmless when lost."""
        self._database.run("release_turn", id=held.request_id, epoch=held.epoch, pause=pause, failed=int(failed))

    def expire(self, request_id: UUID) -> list[Emit]:
        """
        End a request whose deadline has passed and whose turn nobody holds; gives the nudges that follow, or none.

        For recover: agent-turn was told and did not end it. The user hears of it where they asked.
        """
        with self._database.transaction() as tx:
            tx.row("lock_session_of", id=request_id)
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
            tx.run("close_action", id=request_id, state="expired", by=None)
            due, following = _after(tx, ended, plan, "failure", state, {"error": error})
        nudges = [one.emit(f"expired {request_id}", row["traceparent"]) for one in due]
        return [*nudges, *([following] if following else [])]

    def takes_part(self, thread: str, user_id: UUID) -> bool:
        """Whether this user has asked something in this thread."""
        return self._database.row("session_of_thread", thread=thread, user_id=user_id) is not None

    def due_delivery(self, request_id: UUID) -> Due | None:
        """Give a delivery of an ended request that is still due."""
        row = self._database.row("due_delivery", id=request_id)
        return due_of(row) if row else None

    def _session(self, tx: Transaction, new: NewRequest) -> UUID:
        tx.row("lock_user", user_id=new.user_id)
        wanted = new.session
        if wanted.id is not None:
            row = tx.row("session_given", id=wanted.id, user_id=new.user_id)
            if row is None:
                raise NoSuchSession
            return _id(row)
        return _found(tx, wanted, new.user_id) or self._new_session(tx, wanted, new.user_id)

    def _new_session(self, tx: Transaction, wanted: SessionWanted, user_id: UUID) -> UUID:
        session_id = ids.new()
        tx.run("insert_session", id=session_id, user_id=user_id, conversation=wanted.conversation, idle=self._idle)
        return session_id


def _after(
    tx: Transaction, row: Row, plan: Plan, kind: Kind, state: str, told: dict[str, Any]
) -> tuple[list[Due], Emit | None]:
    tx.run("tell_end", id=row["id"], type=state, data={} if state == "cancelled" else told)
    if row["on_busy"] == "coalesce":
        _end_set(tx, row["id"], state, told)
    return store_plan(tx, row, plan, kind), _following(tx, row)


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


def _together(tx: Transaction, row: Row) -> str:
    """Give what was asked, all of it, in its order."""
    return "\n\n".join([*(r["content"] for r in tx.rows("asked_together", id=row["id"])), row["content"]])


def _end_set(tx: Transaction, request_id: UUID, state: str, told: Mapping[str, Any]) -> None:
    """End the others of a set as the one that answered for them, and tell them the same."""
    result, error = told.get("result"), told.get("error")
    shown, said = {} if state == "cancelled" else dict(told), state == "completed"
    tx.run("end_set", id=request_id, state=state, result=result, error=error, told=shown, said=said)


def _following(tx: Transaction, row: Row) -> Emit | None:
    """Give the nudge for the request that comes after one that has ended."""
    following = tx.row("next_request", session_id=row["session_id"])
    if following is None:
        return None
    contract = RequestCreated(request_id=following["id"], session_id=following["session_id"])
    return Emit(contract, cause=f"after {row['id']}", traceparent=following["traceparent"])


def _last_plan(tx: Transaction, row: Row) -> Plan:
    user = tx.row("plan_inputs", user_id=row["user_id"])
    assert user, "a request's user exists"
    overrides, told = inputs(user)
    asked = Asked(row["source"], origin=row["origin"], acted_at=row["acted_at"], **told)
    return last_resort(overrides, asked, row["at"])


def _decided(tx: Transaction, new: NewRequest, awaited: Row, state: Literal["approved", "denied"]) -> Accepted:
    """Take a message as the decision; its key belongs to the request that goes on."""
    settle(tx, awaited, state, new.user_id)
    if new.key is not None:
        tx.run("key_answers", principal=new.principal, route=new.route, key=new.key, request_id=awaited["request_id"])
    return Accepted(awaited["request_id"], awaited["session_id"], decided=state)


def _took_key(tx: Transaction, new: NewRequest) -> bool:
    return bool(
        tx.run(
            "take_key",
            principal=new.principal,
            route=new.route,
            key=new.key,
            fingerprint=new.fingerprint,
            request_id=new.id,
        )
    )


def _replay(tx: Transaction, new: NewRequest) -> Accepted:
    row = tx.row("key_owner", principal=new.principal, route=new.route, key=new.key)
    if row is None:
        raise Unavailable("the key has just been purged")
    if row["fingerprint"] != new.fingerprint:
        raise KeyReused
    return Accepted(row["id"], row["session_id"], state=row["state"], replayed=True)


def _found(tx: Transaction, wanted: SessionWanted, user_id: UUID) -> UUID | None:
    row = tx.row("session_of_thread", thread=wanted.thread, user_id=user_id) if wanted.thread else None
    if row is None and wanted.conversation_continues:
        row = tx.row("session_recent", conversation=wanted.conversation, user_id=user_id)
    return _id(row) if row else None


def _id(row: Row) -> UUID:
    found: UUID = row["id"]
    return found


def _escalated(tx: Transaction, row: Row, escalation: Escalation) -> list[Due]:
    """Put a conversation on the list of those that wait for a person, and tell them; gives what is due."""
    ids_of = {"request_id": row["id"], "session_id": row["session_id"], "user_id": row["user_id"]}
    tx.row("escalate", id=ids.new(), reason=escalation.reason, **ids_of)
    if escalation.place is None:
        return []
    plan = Plan("first", (escalation.place,), (), datetime.now(UTC))
    return store_plan(tx, row, plan, "escalation", text=escalation.transcript)


def _remember(tx: Transaction, held: Turn, result: Mapping[str, Any], row: Row) -> None:
    """Write down what the session knows from now on; after "start over" nothing."""
    kept = {"summary": held.summary, "summary_seq": held.summarised_to, "tainted": held.tainted}
    if held.forgets:
        kept = {"summary": "", "summary_seq": row["seq"], "tainted": False}
    tx.run("session_agent", session_id=held.session_id, agent=result["agent"], usage=row["usage"], **kept)


def _history(tx: Transaction, row: Row) -> tuple[Message, ...]:
    if row["seq"] == 1:
        return ()
    said = tx.rows(
        "history", session_id=row["session_id"], seq=row["seq"], after=row["summary_seq"], limit=HISTORY
    )  # fmt: skip
    return tuple(Message(m["role"], m["content"], m["agent"], m["seq"]) for m in reversed(said))


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
        summary=row["summary"],
        summarised_to=row["summary_seq"],
        tainted=row["tainted"],
        acted_at=row["acted_at"],
    )

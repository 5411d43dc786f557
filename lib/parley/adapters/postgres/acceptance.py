"""Acceptance: a message becomes a request, once, with its place in its session."""

from typing import Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from parley.adapters.postgres.actions import settle, supersede
from parley.adapters.postgres.database import Database, Row, Transaction
from parley.domain import actions, ids
from parley.domain.requests import Accepted, KeyReused, NewRequest, NoSuchSession, SessionBusy, SessionWanted
from parley.errors import Unavailable


class Acceptance:
    """What those who take messages need of the store of requests."""

    _database: Database
    _deadline: float
    _nudge: float
    _idle: float

    def accept(self, new: NewRequest) -> Accepted:
        """
        Store a request with its key and its place in its session, all in one transaction.

        While the session waits for a decision that its user has been asked for, a yes or no is that decision, and
        anything else takes the place of what was proposed.

        Raises KeyReused for the same key with another fingerprint, NoSuchSession for a given session that is not the
        user's, SessionBusy for one that has an open request when that is not wanted, Unavailable when nothing could be
        stored. Whatever is raised, the key is free.
        """
        if new.session.is_new:
            return self._accept_apart(new)
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
            tx.send("insert_request", session_id=session_id, seq=place["seq"], **self._columns(new))
            first = tx.row("next_request", session_id=session_id) if instead else None
        return Accepted(new.id, session_id, first=first["id"] if first else None)

    def _accept_apart(self, new: NewRequest) -> Accepted:
        """Accept a request that begins a session: there is nothing that it could wait for, so it is one statement."""
        key = {"principal": new.principal, "route": new.route, "key": new.key, "fingerprint": new.fingerprint}
        wanted = {"session_id": ids.new(), "conversation": new.session.conversation, "idle": self._idle}
        row = self._database.row("accept_apart", **key, **wanted, **self._columns(new))
        if row is not None:
            return Accepted(new.id, row["session_id"])
        with self._database.transaction() as tx:
            return _replay(tx, new)

    def _columns(self, new: NewRequest) -> Row:
        return {
            "id": new.id, "user_id": new.user_id, "source": new.source, "content": new.content, "context": new.context,
            "origin": new.origin, "thread": new.session.thread, "delivery": new.delivery, "asked_by": new.asked_by,
            "traceparent": new.traceparent, "on_busy": "coalesce" if new.coalesce else "enqueue",
            "files": Jsonb(list(new.files)), "deadline": self._deadline, "nudge": self._nudge,
        }  # fmt: skip

    def takes_part(self, thread: str, user_id: UUID) -> bool:
        """Whether this user has asked something in this thread."""
        return self._database.row("session_of_thread", thread=thread, user_id=user_id) is not None

    def _session(self, tx: Transaction, new: NewRequest) -> UUID:
        tx.send("lock_user", user_id=new.user_id)
        wanted = new.session
        if wanted.id is not None:
            row = tx.row("session_given", id=wanted.id, user_id=new.user_id)
            if row is None:
                raise NoSuchSession
            return _id(row)
        return _found(tx, wanted, new.user_id) or self._new_session(tx, wanted, new.user_id)

    def _new_session(self, tx: Transaction, wanted: SessionWanted, user_id: UUID) -> UUID:
        session_id = ids.new()
        tx.send("insert_session", id=session_id, user_id=user_id, conversation=wanted.conversation, idle=self._idle)
        return session_id


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

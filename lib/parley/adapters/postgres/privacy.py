"""Erasing and exporting what a user has said and what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Row, Transaction

_LISTS = ("identities", "integrations", "keys", "sessions", "requests", "messages", "deliveries", "feedback")


@dataclass(frozen=True)
class Erased:
    """How much was erased; `waiting` is what still runs and was left alone."""

    requests: int
    sessions: int
    waiting: int


class Privacy:
    """
    Erases and exports. Run it without the wall: dead letters and the spool are nobody's own.

    Whose data it is has been decided by the caller. Each erasure is one transaction, and locks sessions first, as
    everybody does. What still runs is left alone: it needs its content. Cancel it, then erase it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def erase_request(self, request_id: UUID) -> bool:
        """Erase the content of a request that has ended. Returns whether it has."""
        with self._database.transaction() as tx:
            tx.row("lock_session_of", id=request_id)
            return bool(_erase(tx, [request_id]))

    def erase_session(self, session_id: UUID) -> bool:
        """Erase a conversation, when nothing of it is open. Returns whether that was so."""
        with self._database.transaction() as tx:
            tx.row("lock_session", id=session_id)
            rows = tx.rows("requests_of_session", id=session_id)
            if any(row["is_open"] for row in rows):
                return False
            _erase(tx, [row["id"] for row in rows])
            tx.run("blank_sessions", ids=[session_id])
            tx.run("delete_empty_session", ids=[session_id])
        return True

    def open_requests(self, user_id: UUID) -> list[UUID]:
        """Give what is still open of a user's."""
        return [row["id"] for row in self._database.rows("requests_of_user", user_id=user_id) if row["is_open"]]

    def erase_user(self, user_id: UUID) -> Erased:
        """Erase everything of a user but the bare rows that say that there was something."""
        with self._database.transaction() as tx:
            tx.row("lock_user", user_id=user_id)
            sessions = [row["id"] for row in tx.rows("sessions_of_user", user_id=user_id)]
            rows = tx.rows("requests_of_user", user_id=user_id)
            erased = _erase(tx, [row["id"] for row in rows if not row["is_open"]])
            open_sessions = {row["session_id"] for row in rows if row["is_open"]}
            over = [one for one in sessions if one not in open_sessions]
            tx.run("blank_sessions", ids=over)
            tx.run("delete_empty_session", ids=over)
            for statement in _OF_PERSONS:
                tx.run(statement, user_id=user_id)
        return Erased(erased, len(over), sum(row["is_open"] for row in rows))

    def export(self, user_id: UUID) -> dict[str, Any]:
        """Give everything that is kept of a user."""
        with self._database.transaction() as tx:
            found: dict[str, Any] = {"user": _only(tx.row("export_user", user_id=user_id))}
            for name in _LISTS:
                query = "integrations_of_user" if name == "integrations" else f"export_{name}"
                found[name] = tx.rows(query, user_id=user_id)
        return found


_OF_PERSONS = (
    "erase_letters_of_people", "erase_spool_of_people", "erase_suppressions", "erase_usage", "erase_identities",
    "delete_integrations", "erase_keys", "erase_rates", "blank_user",
)  # fmt: skip


def _erase(tx: Transaction, request_ids: Sequence[UUID]) -> int:
    rows = tx.rows("erase_requests", ids=list(request_ids))
    ended = [row["id"] for row in rows]
    for statement in _OF_REQUESTS:
        tx.run(statement, ids=ended)
    return len(ended)


_OF_REQUESTS = (
    "erase_slack_messages", "erase_actions", "erase_messages", "erase_steps", "erase_events",
    "erase_keys_of_requests", "erase_feedback", "erase_escalations", "erase_attempts", "erase_letters",
    "erase_deliveries",
)  # fmt: skip


def _only(row: Row | None) -> Row:
    assert row, "the user exists"
    return row

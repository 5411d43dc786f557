"""Erasing and exporting what a user has said and what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Transaction

# Every table, so that none is forgotten: a test holds this against the schema, and tries each of the first two kinds.
# What a person is given: the name of the list in the export.
EXPORTED: Mapping[str, str] = {
    "users": "user", "user_identities": "identities", "user_integrations": "integrations", "api_keys": "keys",
    "sessions": "sessions", "requests": "requests", "messages": "messages", "deliveries": "deliveries",
    "delivery_attempts": "attempts", "actions": "actions", "request_feedback": "feedback",
    "escalations": "escalations", "slack_messages": "slack_messages", "suppressions": "suppressions",
    "token_usage": "usage", "desk_employees": "employee", "desk_laptops": "laptops", "desk_tickets": "tickets",
}  # fmt: skip
# What is erased with them, and why it is not in their export.
ERASED_ONLY: Mapping[str, str] = {
    "steps": "how an answer was made; the answer is exported",
    "request_events": "the answer once more, as it came",
    "idempotency_keys": "which calls came twice",
    "rate_limits": "how many calls are left this minute",
    "dead_letters": "messages on their way; once taken they are exported",
    "spool": "messages on their way; once taken they are exported",
}
# What says nothing of a person, or goes with a row that does.
NOBODYS: Mapping[str, str] = {
    "endpoints": "goes with the setting that names the receiver",
    "desk_effects": "goes with its ticket",
    "audit_log": "who did what, by ids that lead to nobody after an erasure",
    "slack_installations": "a workspace's; who added the app is an id that leads to nobody after an erasure",
    "circuits": "trouble of channels and receivers, by ids",
    "paces": "places of a channel, for a day",
    "knowledge_documents": "what the files say",
    "knowledge_chunks": "what the files say",
    "knowledge_bases": "what the files say",
    "knowledge_models": "what the files say",
    "knowledge_embeddings": "what the files say",
    "knowledge_words": "what the files say",
    "knowledge_quarantine": "what the files say",
    "heartbeats": "when the sweep last ran",
    "schema_migrations": "what was applied",
}

_QUERIES = {"integrations": "integrations_of_user"}  # that have another name than export_…


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
            emails = _emails(tx, user_id)
            for statement in _OF_PERSONS:
                tx.run(statement, user_id=user_id, emails=emails)
        return Erased(erased, len(over), sum(row["is_open"] for row in rows))

    def export(self, user_id: UUID) -> dict[str, Any]:
        """Give everything that is kept of a user."""
        with self._database.transaction() as tx:
            whose = {"user_id": user_id, "emails": _emails(tx, user_id)}
            found: dict[str, Any] = {
                name: tx.rows(_QUERIES.get(name, f"export_{name}"), **whose) for name in EXPORTED.values()
            }
        return {**found, "user": found["user"][0]}


_OF_PERSONS = (
    "erase_letters_of_people", "erase_spool_of_people", "erase_suppressions", "erase_usage", "erase_employee",
    "erase_identities", "delete_integrations", "erase_keys", "erase_keys_of_caller", "erase_rates", "blank_user",
)  # fmt: skip


def _emails(tx: Transaction, user_id: UUID) -> list[str]:
    return [row["email"] for row in tx.rows("emails_of_user", user_id=user_id)]


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

"""Sessions as their owners see and change them."""

from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Row
from parley.domain import ids


class Conversations:
    """The sessions of users. `idle`: seconds until one without questions counts as over."""

    def __init__(self, database: Database, *, idle: float = 1800) -> None:
        self._database = database
        self._idle = idle

    def create(self, user_id: UUID, title: str | None, metadata: dict[str, Any]) -> Row:
        """Begin a conversation."""
        session_id = ids.new()
        with self._database.transaction() as tx:
            tx.run("create_session", id=session_id, user_id=user_id, title=title, metadata=metadata, idle=self._idle)
            row = tx.row("session_view", id=session_id)
        assert row, "it was just made"
        return row

    def get(self, session_id: UUID) -> Row | None:
        """Give a session."""
        return self._database.row("session_view", id=session_id)

    def of(self, user_id: UUID, status: str | None, before: tuple[Any, Any], limit: int) -> list[Row]:
        """Give a user's sessions, the latest used first; `before` is where the page before ended."""
        return self._database.rows(
            "list_sessions", user_id=user_id, status=status, before_at=before[0], before=before[1], limit=limit
        )

    def change(self, session_id: UUID, version: int, changes: dict[str, Any]) -> bool:
        """Change title, metadata or status: what is in `changes`. False when the session has another version."""
        row = self._database.row(
            "change_session",
            id=session_id,
            version=version,
            has_title="title" in changes,
            title=changes.get("title"),
            has_metadata="metadata" in changes,
            metadata=changes.get("metadata") or {},
            status=changes.get("status"),
        )
        return row is not None

    def reset(self, session_id: UUID) -> UUID:
        """Close a session and begin its successor; gives that one's id."""
        new = ids.new()
        with self._database.transaction() as tx:
            tx.row("lock_session", id=session_id)
            tx.run("succeed_session", id=session_id, new=new, idle=self._idle)
            tx.run("close_session", id=session_id)
        return new

    def messages(self, session_id: UUID, *, after: int | None, newest_first: bool, limit: int) -> list[Row]:
        """Give what was said, from a place on."""
        return self._database.rows("list_messages", id=session_id, after=after, newest_first=newest_first, limit=limit)

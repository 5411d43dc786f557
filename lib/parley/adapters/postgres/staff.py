"""What support and admins look at, and what is written down of what they do."""

from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Row


class Staff:
    """Stuck work, dead letters, escalations, the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stuck(self, late: float, limit: int) -> list[Row]:
        """Give what is overdue by more than `late` seconds, was nudged in vain, or is parked; the latest first."""
        return self._database.rows("stuck", late=late, limit=limit)

    def dead_letters(self, *, closed: bool, type_: str | None, before: tuple[Any, Any], limit: int) -> list[Row]:
        """Give dead letters, the newest first; those replayed and closed, too, when `closed`."""
        return self._database.rows(
            "page_of_dead_letters", all=closed, type=type_, before_at=before[0], before=before[1], limit=limit
        )

    def escalations(self, state: str, after: UUID | None, limit: int) -> list[Row]:
        """Give what waits for people, the oldest first."""
        return self._database.rows("list_escalations", state=state, after=after, limit=limit)

    def close_escalation(self, escalation_id: UUID, user_id: UUID) -> bool:
        """Close one. Returns whether it was open."""
        return self._database.row("close_escalation", id=escalation_id, user_id=user_id) is not None

    def audit(self, actor: str, action: str, object_: str, detail: dict[str, Any]) -> None:
        """Write down what somebody did."""
        self._database.run("insert_audit", actor=actor, action=action, object=object_, detail=detail)

    def audit_log(self, before: int | None, limit: int) -> list[Row]:
        """Give what was written down, the newest first."""
        return self._database.rows("page_of_audit", before=before, limit=limit)

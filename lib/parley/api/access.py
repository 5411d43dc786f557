"""
Who may do what with whose things: the one place that decides.

    see      that it exists, how it stands, where it was sent     its owner, who asked for the owner, support, admin
    read     what was said                                        its owner, who asked for the owner, admin
    change   end it, edit it, erase it                            its owner, who asked for the owner, admin
    repair   send or publish it again                             its owner, who asked for the owner, support, admin

What somebody may not even see looks like what does not exist. Whatever staff does with what is not their own, beyond
seeing it, is written down. PostgreSQL's row-level security is the second wall for everybody else.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal
from uuid import UUID

from parley.api.problems import Problem
from parley.domain.keys import Principal, Role

Action = Literal["see", "read", "change", "repair"]
Audit = Callable[[Principal, str, str], None]


_STAFF: Mapping[Role, frozenset[Action]] = {
    "user": frozenset(),
    "service": frozenset(),
    "support": frozenset({"see", "repair"}),
    "admin": frozenset({"see", "read", "change", "repair"}),
}


def is_own(who: Principal, row: Mapping[str, Any]) -> bool:
    """Whether it is the caller's own, or was asked by the caller for somebody else."""
    return row["user_id"] == who.user_id or row.get("asked_by") in who.people


def may(who: Principal, action: Action, row: Mapping[str, Any]) -> bool:
    """Whether the caller may do this with a row that has an owner."""
    return is_own(who, row) or action in _STAFF[who.role]


def granted(who: Principal, action: Action, row: dict[str, Any] | None, audit: Audit, name: str) -> dict[str, Any]:
    """Give a row that the caller may do this with; writes down what staff does. Raises Problem."""
    if row is None or not may(who, "see", row):
        raise Problem("not-found")
    if not may(who, action, row):
        raise Problem("forbidden", detail="Only its owner or an admin may do that.")
    if action != "see" and not is_own(who, row):
        audit(who, action, name)
    return row


def person(who: Principal, text: str, action: Action, audit: Audit, name: str) -> UUID:
    """Give the user of a path: `me`, one's own id, or for staff anybody's. Raises Problem."""
    if text == "me":
        return who.user_id
    try:
        wanted = UUID(text)
    except ValueError:
        raise Problem("not-found") from None
    granted(who, action, {"user_id": wanted}, audit, name)
    return wanted

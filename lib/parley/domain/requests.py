"""What is asked: the words that intake, the API and the store share about a request."""

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

Source = Literal["slack", "web", "cli", "tool", "generic"]
TERMINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True)
class SessionWanted:
    """
    Which session a request belongs to: the one given, else that of its thread, else the user's recent one in the
    same conversation (only when `conversation_continues`), else a new one.
    """

    id: UUID | None = None
    conversation: str | None = None
    thread: str | None = None
    conversation_continues: bool = False


@dataclass(frozen=True)
class NewRequest:
    """
    A request to be stored. `key` and `fingerprint` make it idempotent within (principal, route).

    `asked_by`: who asks, when it is for somebody else. `unless_busy`: not behind an earlier request of its session.
    """

    id: UUID
    user_id: UUID
    session: SessionWanted
    source: Source
    content: str
    principal: str
    route: str
    key: str | None = None
    fingerprint: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] | None = None
    delivery: dict[str, Any] | None = None
    traceparent: str | None = None
    asked_by: UUID | None = None
    unless_busy: bool = False


@dataclass(frozen=True)
class Accepted:
    """The request as it stands in the store; `replayed` when the key had been used for the same body before."""

    request_id: UUID
    session_id: UUID
    state: str = "queued"
    replayed: bool = False


class KeyReused(Exception):
    """The same idempotency key was used for a different body."""


class NoSuchSession(Exception):
    """The session does not exist, is closed, or belongs to somebody else."""


class SessionBusy(Exception):
    """An earlier request of the session is still open."""

"""What is asked: the words that intake, the API and the store share about a request."""

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from parley.domain.actions import State
from parley.domain.events import Emit, RequestCreated

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

    @property
    def is_new(self) -> bool:
        """Whether it is a new one whatever there is."""
        return self.id is None and self.thread is None and not self.conversation_continues


@dataclass(frozen=True)
class NewRequest:
    """
    A request to be stored. `key` and `fingerprint` make it idempotent within (principal, route).

    `asked_by`: who asks, when it is for somebody else. `unless_busy`: not behind an earlier request of its session.
    `files`: what came with it, by `id` and `name`. `coalesce`: may be answered together with its neighbours, when it
    waits as they do.
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
    coalesce: bool = False
    files: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Accepted:
    """
    The request as it stands in the store; `replayed` when the key had been used for the same body before.

    `decided`: the message was a yes or no to the action that this request waited for, and is no request of its own.
    `first`: the request whose turn it is now, when it is another one.
    """

    request_id: UUID
    session_id: UUID
    state: str = "queued"
    replayed: bool = False
    decided: Literal["approved", "denied"] | None = None
    first: UUID | None = None

    def created(self) -> RequestCreated:
        """Give the event that says so: the nudge of whoever comes next."""
        return RequestCreated(request_id=self.first or self.request_id, session_id=self.session_id)


@dataclass(frozen=True)
class Decided:
    """
    The state of an action after somebody has decided it; `emit` lets the turn go on.

    Not `applied`: it was decided before, has expired, or (still `open`) was not what the decision was about.
    """

    request_id: UUID
    session_id: UUID
    state: State
    applied: bool
    emit: Emit | None = None


class KeyReused(Exception):
    """The same idempotency key was used for a different body."""


class NoSuchSession(Exception):
    """The session does not exist, is closed, or belongs to somebody else."""


class SessionBusy(Exception):
    """An earlier request of the session is still open."""

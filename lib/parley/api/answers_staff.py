"""What staff gets: models of the answers of the console and of administration, as `answers` has everybody's."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from parley.api.answers import Model, Source, State
from parley.domain.events import Channel


class StuckItem(Model):
    """A row whose time has passed, or that waits for somebody."""

    kind: Literal["request", "delivery"]
    id: UUID
    request_id: UUID
    session_id: UUID
    state: str
    channel: str | None
    reason: str | None
    attempt: int
    nudges: int
    due_at: datetime | None
    overdue_seconds: float
    created_at: datetime


class Stuck(Model):
    """What is overdue."""

    items: list[StuckItem]


class DeadLetterItem(Model):
    """An event that a function could not take."""

    id: UUID
    stored_at: datetime
    type: str
    subject: str | None
    destination: str
    code: int | None
    reason: str | None
    replayed_at: datetime | None
    closed_at: datetime | None
    closed_reason: str | None


class DeadLetterPage(Model):
    """A page of dead letters, the newest first."""

    items: list[DeadLetterItem]
    next_cursor: str | None


class DeadLetter(DeadLetterItem):
    """A dead letter with its event."""

    source: str
    event_id: str
    about: UUID | None
    event: dict[str, Any]


class AuditEntry(Model):
    """Something that was done to what is not one's own."""

    id: int
    actor: str
    action: str
    object: str
    detail: dict[str, Any]
    created_at: datetime


class AuditPage(Model):
    """A page of the audit log, the newest first."""

    items: list[AuditEntry]
    next_cursor: str | None


class Span(Model):
    """Something that took time; without an end it still does."""

    lane: str = Field(description="Who worked, or was waited for: a function, `tools`, `person`.")
    kind: str
    label: str
    start: datetime
    end: datetime | None
    state: Literal["done", "open", "waits", "failed", "unknown"]
    detail: str


class Timeline(Model):
    """One request through its functions."""

    id: UUID
    session_id: UUID
    user: UUID
    source: Source
    state: State
    attempt: int
    epoch: int
    step: int
    nudges: int = Field(description="How often recovery has nudged it since its last step.")
    agent_revision: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline: datetime
    due_at: datetime | None
    erased_at: datetime | None
    at: datetime = Field(description="Now, by the database's clock.")
    spans: list[Span]


class Lately(Model):
    """What happened in one span of time."""

    at: datetime
    asked: int
    completed: int
    failed: int
    cancelled: int
    p50: float | None = Field(description="Seconds from the question to the answer, of half of them at most.")
    p95: float | None


class Sent(Model):
    """Attempts by one channel with one outcome."""

    channel: Channel
    outcome: str
    count: int
    p50: float | None = Field(description="Milliseconds.")


class OpenNow(Model):
    """What is open."""

    queued: int
    running: int
    waiting: int
    deliveries: int
    dead_letters: int
    escalations: int


class VoteReason(Model):
    """What was wrong, and how often."""

    reason: str
    count: int


class Votes(Model):
    """What people thought of answers."""

    up: int
    down: int
    reasons: list[VoteReason]


class Metrics(Model):
    """What happened lately."""

    span_seconds: int
    requests: list[Lately]
    deliveries: list[Sent]
    now: OpenNow
    votes: Votes

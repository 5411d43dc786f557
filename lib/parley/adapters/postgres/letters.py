"""Dead letters: stored whole and once, found, replayed by one at a time."""

import base64
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from parley import envelope
from parley.adapters.postgres.database import Database, Row
from parley.domain.events import RequestCreated, ResponseReady
from parley.errors import Malformed

# Which field of the data names the row that the event is a nudge for.
_ABOUT = {RequestCreated.TYPE: "request_id", ResponseReady.TYPE: "delivery_id"}
# What a broker adds to a dead letter; `reason` is what our functions give it (`kne-reason`).
_ADDED = ("knativeerrordest", "knativeerrorcode", "knativeerrordata", "reason")


def store(database: Database, event: envelope.Event, *, destination: str, code: int | None, reason: str | None) -> None:
    """Store a dead letter; the same letter again is the same row."""
    database.run(
        "insert_dead_letter",
        id=uuid.UUID(envelope.event_id(event.source, event.id, destination)),
        event=_storable(event),
        body=event.body,
        source=_text(event.source),
        event_id=_text(event.id),
        type=_text(event.type),
        subject=None if event.subject is None else _text(event.subject),
        about=_about(event),
        destination=_text(destination),
        code=code,
        reason=None if reason is None else _text(reason),
    )


class Letters:
    """What a person does with dead letters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self,
        *,
        type_: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        closed: bool = False,
        limit: int = 100,
    ) -> list[Row]:
        """Give the newest letters, stored from `since` until before `until`; those replayed or closed when `closed`."""
        return self._database.rows("list_dead_letters", type=type_, since=since, until=until, all=closed, limit=limit)

    def open(
        self, *, type_: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[UUID]:
        """Give the ids of all letters that are neither replayed nor closed, oldest first."""
        return [row["id"] for row in self._database.rows("open_dead_letters", type=type_, since=since, until=until)]

    def get(self, letter_id: UUID) -> Row | None:
        """Give a letter with everything that is known of it."""
        return self._database.row("dead_letter", id=letter_id)

    def replay(self, letter_id: UUID, publish: Callable[[envelope.Event], object]) -> bool:
        """
        Publish the event of an open letter as it was before it died, and mark the letter.

        Returns False when there is no such letter, it is not open, or somebody else replays it now. What `publish`
        raises leaves it as it was. The row is locked while it publishes, the one place where a transaction spans a
        network call: a mark before would lose the letter in a crash, a mark after would publish it twice.
        """
        with self._database.transaction() as tx:
            row = tx.row("claim_dead_letter", id=letter_id)
            if row is None:
                return False
            publish(revived(row["event"], row["body"]))
            tx.run("dead_letter_replayed", id=letter_id)
        return True


def revived(document: dict[str, Any], body: bytes | None) -> envelope.Event:
    """Give the event of a letter as it was sent. `body` is None for letters stored before bytes were kept."""
    kept = {name: value for name, value in document.items() if name not in _ADDED}
    if body is None:
        return envelope.from_structured(kept)
    bare = {name: value for name, value in kept.items() if name not in ("data", "data_base64")}
    return replace(envelope.from_structured(bare), body=body)


def _about(event: envelope.Event) -> UUID | None:
    """Give the row that the event is a nudge for, when it names one."""
    field = _ABOUT.get(event.type)
    if field is None:
        return None
    with suppress(Malformed, ValueError):  # no JSON, or no id
        data = event.data
        return UUID(str(data.get(field))) if isinstance(data, dict) else None
    return None


def _storable(event: envelope.Event) -> dict[str, object]:
    """Give the event whole; jsonb holds no NUL, so data that has one is kept as base64."""
    document = envelope.to_structured(event)
    with suppress(ValueError):  # half a character, or a number out of range
        if b"\\u0000" not in envelope.dumps(document):
            return document
    attributes = {name: _text(value) for name, value in event.attributes().items()}
    return {**attributes, "data_base64": base64.b64encode(event.body).decode()}


def _text(value: str) -> str:
    """Give what a column of text can hold."""
    return value.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")

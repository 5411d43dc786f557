"""What recovery reads and writes: overdue rows, dead letters, its own heartbeat."""

import base64
import uuid
from collections.abc import Callable
from contextlib import suppress

from parley import envelope
from parley.adapters.postgres.database import Database
from parley.domain.overdue import Action, Pace, overdue


class Ledger:
    """Implements `recovery.Ledger` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ready = database.ready
        self.close = database.close

    def take_overdue(self, limit: int, pace: Pace, chance: Callable[[], float]) -> list[Action]:
        """Take overdue rows with `skip locked`: two sweeps at once share the work."""
        with self._database.transaction() as tx:
            actions: list[Action] = []
            for table in ("requests", "deliveries"):
                rows = tx.rows(f"overdue_{table}", limit=limit - len(actions))
                found = [overdue(row, pace, chance()) for row in rows]
                if rows:
                    pauses = [action.pause for action in found]
                    tx.run(f"put_off_{table}", ids=[row["id"] for row in rows], pauses=pauses)
                actions += found
        return actions

    def keep(self, event: envelope.Event, *, destination: str, code: int | None, reason: str | None) -> None:
        """Store a dead letter; the same letter again is the same row."""
        self._database.run(
            "insert_dead_letter",
            id=uuid.UUID(envelope.event_id(event.source, event.id, destination)),
            event=_storable(event),
            source=_text(event.source),
            event_id=_text(event.id),
            type=_text(event.type),
            subject=None if event.subject is None else _text(event.subject),
            destination=_text(destination),
            code=code,
            reason=None if reason is None else _text(reason),
        )

    def beat(self) -> None:
        """Write down that recovery is alive."""
        self._database.run("beat", name="recover")


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

"""What the console shows: one request through its functions, and what happened lately, counted."""

import time
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Row
from parley.domain import ids

_TIMELINE = ("events", "texts", "steps", "actions", "deliveries", "attempts")


class Console:
    """Reads for support and admins; what was said is in none of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def timeline(self, request_id: UUID) -> dict[str, Any] | None:
        """Give everything that is known of when a request did what."""
        with self._database.transaction() as tx:
            row = tx.row("timeline_request", id=request_id)
            if row is None:
                return None
            return {"request": row, **{name: tx.rows(f"timeline_{name}", id=request_id) for name in _TIMELINE}}

    def metrics(self, span: int, spans: int) -> dict[str, Any]:
        """Count the last `spans` spans of `span` seconds each."""
        seconds = span * spans
        first = ids.since(time.time() - seconds - span)
        with self._database.transaction() as tx:
            requests: list[Row] = tx.rows("metrics_requests", span=span, spans=spans, first=first)
            return {
                "requests": requests,
                "deliveries": tx.rows("metrics_deliveries", seconds=seconds),
                "now": tx.row("metrics_now"),
                "votes": {
                    **(tx.row("metrics_votes", seconds=seconds) or {}),
                    "reasons": tx.rows("metrics_reasons", seconds=seconds),
                },
            }

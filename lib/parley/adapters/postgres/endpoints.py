"""Endpoints: what is known of the receivers that users registered, and how their owners hear of trouble with them."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from parley.adapters.postgres import circuits
from parley.adapters.postgres.database import Database, Row, Transaction
from parley.adapters.postgres.planned import due_of, store_plan
from parley.domain.defaults import Defaults
from parley.domain.delivery import Due, Job
from parley.domain.plan import Asked, inputs, notice

log = logging.getLogger("parley.endpoints")

OVERLAP = 86_400.0  # seconds in which the secret before signs, too
MOST = 1000  # deliveries of one replay


class Endpoints:
    """The store of what is known of receivers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, integration_id: UUID) -> Row | None:
        """Give a receiver: its setting, the generation of its secret, consent, and how it is."""
        return self._database.row("endpoint", id=integration_id)

    def consented(self, integration_id: str, rate: float | None) -> None:
        """Keep that a receiver wants our posts, so many in a minute."""
        self._database.run("consented", id=integration_id, rate=rate)

    def enable(self, integration_id: UUID, channel: str, *, is_other: bool = False) -> int:
        """
        Call a receiver again: its trouble is forgotten, what waited is due. Gives how many.

        `is_other`: its URL or format is another one now, and it has not consented yet.
        """
        with self._database.transaction() as tx:
            tx.run("enable_endpoint", id=integration_id)
            if is_other:
                tx.run("forget_consent", id=integration_id)
            name = f"{channel}:{integration_id}"
            return circuits.close(tx, name) if tx.row("lock_circuit", name=name) else 0

    def rotate(self, integration_id: UUID, overlap: float = OVERLAP) -> tuple[int, datetime]:
        """Begin a new generation of a receiver's secret; gives it, and until when the one before signs, too."""
        row = self._database.row("rotate_endpoint", id=integration_id, overlap=overlap)
        assert row, "an upsert returns its row"
        return row["generation"], row["overlap_until"]

    def replay(
        self, user_id: UUID, channel: str, integration_id: UUID, since: datetime, until: datetime, *, only_failed: bool
    ) -> Sequence[Due]:
        """Make due once more what went to a receiver in a range of time, the oldest first; gives the nudges."""
        with self._database.transaction() as tx:
            found = tx.rows(
                "replayable", channel=channel, integration=str(integration_id), user_id=user_id, since=since,
                until=until, only_failed=only_failed, limit=MOST,
            )  # fmt: skip
            rows = [tx.row("redeliver", id=row["id"]) for row in found]
        return [due_of(row) for row in rows if row]


class Notices:
    """Tells the owner of a receiver, by another channel of theirs, that it is in trouble: `Deliveries(tell=…)`."""

    def __init__(self, defaults: Callable[[], Defaults]) -> None:
        self._defaults = defaults

    def __call__(self, tx: Transaction, job: Job, trouble: str) -> None:
        request = tx.row("request_of_delivery", id=job.delivery_id)
        user = tx.row("plan_inputs", user_id=request["user_id"]) if request else None
        if request is None or user is None:
            return
        overrides, told = inputs(user)
        plan = notice(self._defaults(), overrides, Asked("notice", **told), job.channel, request["at"])
        where = job.config.get("url") or job.address.get("url")
        store_plan(tx, request, plan, "notice", text=f"Your {job.channel} {where} is in trouble: {trouble}.")
        log.warning("owner told", extra={"fields": {"circuit": job.circuit, "ranks": len(plan.ranks)}})

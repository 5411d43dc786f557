"""Circuits: trouble that several deliveries share, opened and closed with the attempts that show it."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from parley.adapters.postgres.database import Database, Row, Transaction
from parley.channels.outcome import Delivered, Outcome, Wait
from parley.domain import circuit
from parley.domain.circuit import Circuit
from parley.domain.delivery import Job

log = logging.getLogger("parley.circuits")


def may_try(tx: Transaction, row: Row, lease: float) -> bool:
    """Whether a delivery of a circuit that is open and may be tried now is the one that tries."""
    if row["tripped_until"] is None:
        return True
    return tx.row("try_circuit", name=row["circuit"], lease=lease) is not None


def is_calm(job: Job, outcome: Outcome) -> bool:
    """Whether an attempt shows nothing of a circuit: there was no trouble, and there is none."""
    return isinstance(outcome, Delivered | Wait) and not job.troubled


def attempted(tx: Transaction, job: Job, outcome: Outcome, at: datetime) -> Circuit | None:
    """Keep what an attempt shows of its circuit, and release what waited when it is cured. Gives what stands now."""
    said: Any = type(outcome).__name__.lower()
    row = tx.row("lock_circuit", name=job.circuit)
    before = Circuit.of(row) if row else None
    now = circuit.after(before, said, at, of_receiver="integration" in job.address)
    if now is None and before:
        close(tx, job.circuit)
    elif now and now != before:
        reason, code = getattr(outcome, "reason", None), getattr(outcome, "code", None)
        tx.run("keep_circuit", name=job.circuit, reason=reason, code=code, **vars(now))
        if now.is_open and not (before and before.is_open):
            log.error("circuit opened", extra={"fields": {"circuit": job.circuit, "reason": reason, "code": code}})
    return now


def close(tx: Transaction, name: str) -> int:
    """Forget the trouble, and make due what waited for its end. Gives how many."""
    tx.run("close_circuit", name=name)
    released = tx.run("release_parked", name=name)
    log.warning("circuit closed", extra={"fields": {"circuit": name, "released": released}})
    return released


class Circuits:
    """What operators see and do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, limit: int = 100) -> Sequence[Row]:
        """Give the circuits that are open: since when, why, how many deliveries wait. The oldest first."""
        return self._database.rows("open_circuits", limit=limit)

    def cured(self, name: str) -> int:
        """Take somebody's word that a trouble is over: what waits is due at once. Gives how many."""
        with self._database.transaction() as tx:
            tx.row("lock_circuit", name=name)
            return close(tx, name)

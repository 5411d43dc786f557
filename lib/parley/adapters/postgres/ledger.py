"""What recovery reads and writes: overdue rows, dead letters, heartbeats, what is old enough to go."""

from collections.abc import Callable

from parley import envelope
from parley.adapters.postgres import letters
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.requests import Requests
from parley.domain.events import Contract, Emit, RequestCreated, ResponseReady
from parley.domain.overdue import Action, Pace, overdue
from parley.ports import Publisher
from parley.recovery import Standby, Sweep


class Ledger:
    """Implements `recovery.Ledger` and `recovery.Watch` on PostgreSQL."""

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

    def expire(self, contract: Contract) -> list[Emit]:
        """End the row that a nudge names, when that is still to be done; gives what follows."""
        match contract:
            case RequestCreated():
                return Requests(self._database).expire(contract.request_id)
            case ResponseReady():
                store = Deliveries(self._database, owner="recover")
                emit = store.expire(contract.delivery_id, contract.channel)
                return [emit] if emit else []
        raise AssertionError("only requests and deliveries are overdue")

    def keep(self, event: envelope.Event, *, destination: str, code: int | None, reason: str | None) -> None:
        """Store a dead letter; the same letter again is the same row."""
        letters.store(self._database, event, destination=destination, code=code, reason=reason)

    def close_letters(self, limit: int) -> int:
        """Close dead letters about rows that have ended."""
        return self._database.run("close_dead_letters", limit=limit)

    def end_leases(self) -> int:
        """Let every lease end now: whoever held one is known to be gone. Returns how many."""
        row = self._database.row("end_leases")
        assert row, "it is a row of sums"
        return int(row["ended"])

    def beat(self) -> None:
        """Write down that recovery is alive."""
        self._database.run("beat", name="recover")

    def stand_in(self, *, silent: float, every: float) -> bool:
        """Whether recovery is silent, and it is the caller's turn: one statement, which mostly writes nothing."""
        return self._database.row("stand_in", silent=silent, every=every) is not None

    def may_purge(self, every: float) -> bool:
        """Whether it is time, for one caller."""
        return self._database.row("beat_unless_recent", name="purge", every=every) is not None

    def purge(self, rule: str, age: float, limit: int) -> int:
        """
        Delete at most `limit` rows by one rule of `Retention`, in one short transaction.

        Whatever somebody works with now is skipped, and found again the next time.
        """
        if rule == "requests":
            return self._purge_requests(age, limit)
        return self._database.run(f"purge_{rule}", age=age, limit=limit)

    def _purge_requests(self, age: float, limit: int) -> int:
        with self._database.transaction() as tx:
            old = tx.rows("old_requests", age=age, limit=limit)
            if not old:
                return 0
            found = tx.rows("lock_idle_sessions", ids=list({row["session_id"] for row in old}))
            sessions = [row["id"] for row in found]
            deleted = tx.run("delete_requests", ids=[row["id"] for row in old], sessions=sessions)
            tx.run("delete_empty_sessions", ids=sessions)
        return deleted


def standby(database: Database, publisher: Publisher, pace: Pace) -> Standby:
    """Make what stands in for recover, for a function whose own work uses this database."""
    ledger = Ledger(database)
    return Standby(ledger, Sweep(ledger, publisher, pace))

"""What mail needs to know besides the delivery: its conversation so far, and where nothing is sent any more."""

from typing import Literal

from parley.adapters.postgres.database import Database
from parley.channels.email import Thread
from parley.domain.delivery import Job

Kind = Literal["email", "sms"]
Why = Literal["bounce", "complaint", "opt_out", "refused"]


class Mail:
    """Conversations by mail."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.suppressions = Suppressions(database)

    def thread(self, job: Job) -> tuple[Thread, str | None]:
        """Give the conversation of a delivery, and why nothing is sent to its address, if so."""
        row = self._database.row("mail_thread", id=job.delivery_id, address=str(job.address.get("to", "")))
        if row is None:
            return Thread(job.question), None
        return Thread(row["opening"], tuple(row["earlier"])), row["suppressed"]


class Suppressions:
    """Addresses and numbers that are not written to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reason(self, kind: Kind, address: str) -> str | None:
        """Give why nothing is sent there, None when something may be."""
        row = self._database.row("suppressed", kind=kind, address=address)
        return row["reason"] if row else None

    def add(self, kind: Kind, address: str, why: Why, detail: str | None = None) -> None:
        """Send nothing there any more."""
        self._database.run("suppress", kind=kind, address=address, why=why, detail=detail)

    def refused(self, address: str, detail: str) -> None:
        """A mail server says that nobody has this address."""
        self.add("email", address, "refused", detail)

    def lift(self, kind: Kind, address: str) -> bool:
        """Send there again; False when nothing kept us from it."""
        return self._database.run("lift_suppression", kind=kind, address=address) > 0

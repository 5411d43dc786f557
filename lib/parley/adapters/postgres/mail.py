"""What mail needs to know besides the delivery: its conversation so far, and whether anything may be sent."""

from parley.adapters.postgres.database import Database
from parley.adapters.postgres.suppressions import Suppressions
from parley.channels.email import Thread
from parley.domain.delivery import Job


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

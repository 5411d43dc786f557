"""Where nothing is sent any more, and what became of mails."""

from typing import TYPE_CHECKING

from parley.adapters.postgres.database import Database, Row
from parley.adapters.postgres.deliveries import Deliveries

if TYPE_CHECKING:
    from parley.channels.sns_notice import Fate


class Suppressions:
    """Addresses and numbers that are not written to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._deliveries = Deliveries(database, owner="notices")

    def reason(self, kind: str, address: str) -> str | None:
        """Give why nothing is sent there, None when something may be."""
        row = self._database.row("suppressed", kind=kind, address=address)
        return row["reason"] if row else None

    def add(self, kind: str, address: str, why: str, detail: str | None = None) -> None:
        """Send nothing there any more."""
        self._database.run("suppress", kind=kind, address=address, why=why, detail=detail)

    def refused(self, address: str, detail: str) -> None:
        """A mail server says that nobody has this address."""
        self.add("email", address, "refused", detail)

    def became(self, fate: "Fate") -> None:
        """Keep what became of a mail: that it arrived, or that it never will."""
        row = self._database.row("mail_of", delivery_id=fate.delivery_id, provider_id=fate.provider_id)
        if row is None:
            return
        if fate.kind == "delivery":
            self._deliveries.confirm_delivery(row["id"], "delivered")
        elif fate.kind == "bounce" and fate.permanent:
            self._database.run("mail_bounced", id=row["id"], reason=f"bounced: {fate.detail}")

    def all(self, kind: str | None, limit: int) -> list[Row]:
        """Give the newest ones first."""
        return self._database.rows("all_suppressed", kind=kind, limit=limit)

    def lift(self, kind: str, address: str) -> bool:
        """Send there again; False when nothing kept us from it."""
        return self._database.run("lift_suppression", kind=kind, address=address) > 0

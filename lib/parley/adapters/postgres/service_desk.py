"""The service desk's tables: employees, their laptops, their tickets. Everybody sees and changes only their own."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Row
from parley.domain.desk import Laptop

MOST = 20


class NotYours(Exception):
    """There is no such thing, or it is somebody else's: which of both is not told."""


class RefreshOpen(Exception):
    """A refresh of this laptop is open already; its number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class ServiceDesk:
    """The store of mcp-service-desk. `email` is always the caller's own, as the token has it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ready = database.ready
        self.close = database.close

    def employee(self, email: str) -> Row | None:
        """Give an employee."""
        return self._database.row("desk_employee", email=email)

    def laptops(self, email: str) -> list[Laptop]:
        """Give an employee's laptops, the oldest first."""
        return [Laptop(**row) for row in self._database.rows("desk_laptops_of", email=email)]

    def tickets(self, email: str) -> list[Row]:
        """Give an employee's newest tickets."""
        return self._database.rows("desk_tickets_of", email=email, limit=MOST)

    def open(self, key: UUID, email: str, agent: str, ticket: Mapping[str, Any]) -> Row:
        """Open a ticket, once for its key. Raises RefreshOpen when the laptop is being replaced by another ticket."""
        with self._database.transaction() as tx:
            values = {"kind": ticket["kind"], "asset": ticket.get("asset"), "model": ticket.get("model")}
            row = tx.row("desk_open_ticket", key=key, email=email, agent=agent, summary=ticket["summary"], **values)
            if row or (row := tx.row("desk_ticket_of_effect", key=key, email=email)):
                return row
            other = tx.row("desk_open_refresh", asset=values["asset"])
        raise RefreshOpen(other["number"] if other else 0)

    def cancel(self, key: UUID, email: str, number: int) -> None:
        """Cancel an open ticket, once for its key. Raises NotYours."""
        with self._database.transaction() as tx:
            if tx.row("desk_effect", key=key, email=email):
                return
            if tx.row("desk_cancel_ticket", key=key, email=email, number=number) is None:
                raise NotYours

    def load(self, employees: list[Mapping[str, Any]]) -> int:
        """Put these employees and their laptops in; gives how many. Idempotent."""
        with self._database.transaction() as tx:
            for one in employees:
                fields = {name: one[name] for name in ("name", "region", "country", "role")}
                tx.run("desk_put_employee", email=one["email"].lower(), **fields)
                for laptop in one.get("laptops", ()):
                    tx.run("desk_put_laptop", email=one["email"].lower(), **laptop)
        return len(employees)

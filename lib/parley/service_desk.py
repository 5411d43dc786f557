"""
The tools of the example use case, an IT service desk: what is my laptop, may it be replaced, open a ticket.

Who asks is the signed token's e-mail address; no tool takes a person as an argument.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol
from uuid import UUID

from parley.domain.desk import Laptop, Refresh, refresh
from parley.mcp import Offered, Refused
from parley.tokens import Caller

NOTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
ASSET = {"type": "string", "pattern": "^AF[0-9]{6}$", "description": "The asset tag, such as AF104711."}
READS = {"readOnlyHint": True, "openWorldHint": False}
WRITES = {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
DESTROYS = {**WRITES, "destructiveHint": True}
REFRESH = {
    "type": "object",
    "properties": {
        "asset": ASSET,
        "model": {"type": "string", "maxLength": 40, "description": "The new model, one that the check names."},
        "delivery": {"type": "string", "enum": ["office", "home"]},
    },
    "required": ["asset", "model", "delivery"],
    "additionalProperties": False,
}
TICKET = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "enum": ["incident", "request"]},
        "summary": {"type": "string", "minLength": 10, "maxLength": 500},
    },
    "required": ["kind", "summary"],
    "additionalProperties": False,
}


class Store(Protocol):
    """Where employees, laptops and tickets are."""

    def employee(self, email: str) -> Mapping[str, Any] | None: ...
    def laptops(self, email: str) -> list[Laptop]: ...
    def tickets(self, email: str) -> list[dict[str, Any]]: ...
    def open(self, key: UUID, email: str, agent: str, ticket: Mapping[str, Any]) -> Mapping[str, Any]: ...
    def cancel(self, key: UUID, email: str, number: int) -> None: ...


class Desk:
    """The tools, over a store. `taken` and `missing` are what the store raises; `today` is the clock."""

    def __init__(
        self,
        store: Store,
        *,
        taken: type[Exception],
        missing: type[Exception],
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self._store = store
        self._taken = taken
        self._missing = missing
        self._today = today

    def tools(self) -> Sequence[Offered]:
        """Give what is offered."""
        number = {"type": "object", "properties": {"number": {"type": "integer", "minimum": 1}},
                  "required": ["number"], "additionalProperties": False}  # fmt: skip
        asset = {"type": "object", "properties": {"asset": ASSET}, "required": ["asset"], "additionalProperties": False}
        return (
            Offered("find_laptops", "Find the laptops of the person who asks.", NOTHING, self.find_laptops, READS),
            Offered("check_refresh", "Check whether a laptop may be replaced.", asset, self.check_refresh, READS),
            Offered("list_tickets", "List the tickets of the person who asks.", NOTHING, self.list_tickets, READS),
            Offered("order_refresh", "Order a new laptop for an eligible one.", REFRESH, self.order_refresh, WRITES),
            Offered("open_ticket", "Open an incident or a request.", TICKET, self.open_ticket, WRITES),
            Offered("cancel_ticket", "Cancel an open ticket.", number, self.cancel_ticket, DESTROYS),
        )

    def find_laptops(self, caller: Caller, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give asset tag, model and ship date of each."""
        email, person = self._employee(caller)
        found = [{"asset": one.asset, "model": one.model, "shipped": one.shipped} for one in self._store.laptops(email)]
        return {"employee": person["name"], "country": person["country"], "laptops": _plain(found)}

    def check_refresh(self, caller: Caller, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Say whether, by which rule, from when, and by which models."""
        _, found = self._judged(caller, arguments["asset"])
        return {
            "asset": arguments["asset"],
            "eligible": found.eligible,
            "refresh_date": found.from_date.isoformat(),
            "rule": found.rule,
            "models": list(found.models),
        }

    def list_tickets(self, caller: Caller, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give the newest."""
        email, _person = self._employee(caller)
        return {"tickets": [_ticket(one) for one in self._store.tickets(email)]}

    def order_refresh(self, caller: Caller, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Open the ticket of a refresh, only for the caller's own laptop that is eligible, with a model of its role."""
        laptop, found = self._judged(caller, arguments["asset"])
        if not found.eligible:
            raise Refused(f"{laptop.asset} may be replaced from {found.from_date} ({found.rule})")
        if arguments["model"] not in found.models:
            raise Refused(f"models that may be chosen: {', '.join(found.models)}")
        what = f"Replace {laptop.model} {laptop.asset} by {arguments['model']}, to the {arguments['delivery']}"
        return self._opened(caller, {"kind": "laptop_refresh", "summary": what, **arguments})

    def open_ticket(self, caller: Caller, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Open any other ticket."""
        return self._opened(caller, arguments)

    def cancel_ticket(self, caller: Caller, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Cancel one that is the caller's and open."""
        email, _ = self._employee(caller)
        try:
            self._store.cancel(_key(caller), email, arguments["number"])
        except self._missing:
            raise Refused(f"you have no open ticket {arguments['number']}") from None
        return {"number": arguments["number"], "state": "cancelled"}

    def _opened(self, caller: Caller, ticket: Mapping[str, Any]) -> Mapping[str, Any]:
        email, _ = self._employee(caller)
        try:
            return _ticket(self._store.open(_key(caller), email, caller.agent, ticket))
        except self._taken as error:
            raise Refused(f"ticket {error.args[0]} is open for this laptop already") from None

    def _judged(self, caller: Caller, asset: str) -> tuple[Laptop, Refresh]:
        email, _ = self._employee(caller)
        laptop = next((one for one in self._store.laptops(email) if one.asset == asset), None)
        if laptop is None:
            raise Refused(f"you have no laptop {asset}")
        return laptop, refresh(laptop, self._today())

    def _employee(self, caller: Caller) -> tuple[str, Mapping[str, Any]]:
        email = (caller.email or "").lower()
        person = self._store.employee(email) if email else None
        if person is None:
            raise Refused("the person who asks is not known as an employee")
        return email, person


def _key(caller: Caller) -> UUID:
    assert caller.key, "a call has a key: the server has checked it"
    return caller.key


def _ticket(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("number", "kind", "summary", "state")
    return {"ticket": f"REQ{row['number']}", **{name: row[name] for name in names}}


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()} for row in rows]

"""Endings: what follows from the end of a request, in the transaction that ends it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Row, Transaction
from parley.adapters.postgres.planned import store_plan
from parley.domain import ids
from parley.domain.delivery import Due
from parley.domain.escalation import Escalation
from parley.domain.events import Emit, Kind, RequestCreated
from parley.domain.plan import Plan


def after(
    tx: Transaction, row: Row, plan: Plan, kind: Kind, state: str, told: Mapping[str, Any]
) -> tuple[list[Due], Callable[[], Emit | None]]:
    """Store the plan, end what was answered together; gives the due deliveries and what `following` gives."""
    if row["on_busy"] == "coalesce":
        end_set(tx, row["id"], state, told)
    return store_plan(tx, row, plan, kind), following(tx, row)


def end_set(tx: Transaction, request_id: UUID, state: str, told: Mapping[str, Any]) -> None:
    """End the others of a set as the one that answered for them, and tell them the same."""
    result, error = told.get("result"), told.get("error")
    shown, said = {} if state == "cancelled" else dict(told), state == "completed"
    tx.send("end_set", id=request_id, state=state, result=result, error=error, told=shown, said=said)


def following(tx: Transaction, row: Row) -> Callable[[], Emit | None]:
    """Give what gives, once the transaction is over, the nudge for the request that comes after one that has ended."""
    found = tx.last("next_request", session_id=row["session_id"])

    def nudge() -> Emit | None:
        if (next_one := found()) is None:
            return None
        contract = RequestCreated(request_id=next_one["id"], session_id=next_one["session_id"])
        return Emit(contract, cause=f"after {row['id']}", traceparent=next_one["traceparent"])

    return nudge


def tell_end(tx: Transaction, request_id: UUID, state: str, told: Mapping[str, Any]) -> None:
    """Write the last event of a request; who has cancelled it is told no more than that."""
    tx.send("tell_end", id=request_id, type=state, data={} if state == "cancelled" else dict(told))


def escalated(tx: Transaction, row: Row, escalation: Escalation) -> list[Due]:
    """Put a conversation on the list of those that wait for a person, and tell them; gives what is due."""
    ids_of = {"request_id": row["id"], "session_id": row["session_id"], "user_id": row["user_id"]}
    tx.row("escalate", id=ids.new(), reason=escalation.reason, **ids_of)
    if escalation.place is None:
        return []
    plan = Plan("first", (escalation.place,), (), datetime.now(UTC))
    return store_plan(tx, row, plan, "escalation", text=escalation.transcript)

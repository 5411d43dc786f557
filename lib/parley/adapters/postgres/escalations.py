"""Handing a conversation over to people because its user wishes it: on their list, and told, in one transaction."""

from datetime import UTC, datetime

from parley.adapters.postgres.database import Database, Row
from parley.adapters.postgres.planned import store_plan
from parley.domain import ids
from parley.domain.delivery import Due
from parley.domain.escalation import transcript
from parley.domain.plan import Plan, Rank
from parley.domain.turn import Message

HISTORY = 20  # messages that a person gets to read


class Escalations:
    """What people are asked to look at. `place`: where they are told; without one it waits in their list."""

    def __init__(self, database: Database, place: Rank | None) -> None:
        self._database = database
        self._place = place

    def open(self, request: Row, reason: str | None) -> tuple[Row, list[Due]]:
        """Hand a request over, once; gives the row of the list, and what is due to be told."""
        about = {"request_id": request["id"], "session_id": request["session_id"], "user_id": request["user_id"]}
        with self._database.transaction() as tx:
            row = tx.row("escalate", id=ids.new(), reason=reason, **about)
            assert row, "an upsert returns its row"
            if self._place is None:
                return row, []
            said = tx.rows("history", session_id=request["session_id"], seq=request["seq"] + 1, after=0, limit=HISTORY)
            who = tx.row("me", user_id=request["user_id"])
            history = [Message(one["role"], one["content"], one["agent"]) for one in reversed(said)]
            is_told = any(one["seq"] == request["seq"] for one in said)
            last = "(asks for a person)" if is_told else request["content"]
            told = transcript(last, history, reason=reason or "", who=_name(who))
            plan = Plan("first", (self._place,), (), datetime.now(UTC))
            return row, store_plan(tx, request, plan, "escalation", text=told)


def _name(user: Row | None) -> str:
    parts = [user["display_name"], user["email"]] if user else []
    return ", ".join(part for part in parts if part)

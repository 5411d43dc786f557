"""Actions that wait for a decision: made by a turn, decided once, by a person, a message or the clock."""

from uuid import UUID

from parley.adapters.postgres.database import Database, Row, Transaction
from parley.domain import actions
from parley.domain.actions import Action, State
from parley.domain.events import Emit, RequestCreated
from parley.domain.requests import Decided

NUDGE = 30.0  # seconds until a turn that may go on is nudged again
SUPERSEDED = {"type": "urn:parley:problem:superseded", "title": "Another message came instead of a decision."}


class Actions:
    """What people decide about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def decide(self, action_id: UUID, user_id: UUID, *, digest: str, approve: bool) -> Decided | None:
        """
        Decide an action of this user's, once; `digest` says what was seen. None when there is no such action.

        The first decision counts, and the same one again changes nothing: see `Decided`.
        """
        with self._database.transaction() as tx:
            tx.row("lock_session_of_action", id=action_id)
            row = tx.row("action_of", id=action_id)
            if row is None or row["user_id"] != user_id:
                return None
            state: State = "approved" if approve else "denied"
            if row["state"] == "open" and row["past"]:
                return Decided(row["request_id"], row["session_id"], "expired", applied=False)
            if row["state"] != "open" or row["digest"] != digest:
                return Decided(row["request_id"], row["session_id"], row["state"], applied=False)
            emit = settle(tx, row, state, user_id)
        return Decided(row["request_id"], row["session_id"], state, applied=True, emit=emit)

    def of_request(self, request_id: UUID) -> list[Action]:
        """Give the actions of a request, in their order."""
        return [action_of(row) for row in self._database.rows("actions_of_request", id=request_id)]


def settle(tx: Transaction, row: Row, state: State, by: UUID | None) -> Emit | None:
    """Settle an open action; its session is locked. Gives the nudge with which the turn goes on."""
    freed = tx.row("settle_action", id=row["id"], state=state, by=by, nudge=NUDGE)
    if freed is None:
        return None
    contract = RequestCreated(request_id=freed["id"], session_id=freed["session_id"])
    return Emit(contract, cause=f"decided {row['id']}", traceparent=freed["traceparent"])


def expire_action(tx: Transaction, request_id: UUID) -> None:
    """Settle the open action of a request, if it has one, that nobody has decided in time."""
    if row := tx.row("open_action_of", id=request_id):
        settle(tx, row, "expired", None)


def supersede(tx: Transaction, row: Row, by: UUID) -> None:
    """End the turn that waits for this action; its session is locked. What was proposed stays in the conversation."""
    tx.run("close_action", id=row["request_id"], state="superseded", by=by)
    proposal = f"{row['summary']}\n\n(This waited for a decision and was not done.)"
    tx.run("supersede_request", id=row["request_id"], error=SUPERSEDED, proposal=proposal)
    ended = {"state": "cancelled", "result": None, "error": SUPERSEDED, "told": {}, "said": True}
    tx.run("end_set", id=row["request_id"], **ended)


def action_of(row: Row) -> Action:
    """Give what a row of `actions` with its `session_id` is to those who decide."""
    return Action(**{name: row[name] for name in actions.Action.__dataclass_fields__})

"""Trouble that many deliveries share: what somebody should see to, and their word that it is over."""

from typing import Any

from parley.adapters.postgres.circuits import Circuits
from parley.api import views
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import ADMIN, Answer, Call, Route
from parley.domain.keys import STAFF


def list_(desk: Desk, _: Call) -> Answer:
    """List open circuits, the oldest first: whose credentials, which receivers; since when, how many wait."""
    with desk.unwalled():
        found = Circuits(desk.database).open()
    return Answer({"items": [_shown(row) for row in found]})


def close(desk: Desk, call: Call) -> Answer:
    """Say that a trouble is over: what was parked is due at once. It opens again when it is not."""
    name = call.path["circuit"]
    with desk.unwalled():
        store = Circuits(desk.database)
        if not any(row["name"] == name for row in store.open()):
            raise Problem("not-found")
        released = store.cured(name)
    desk.audit(call.principal, "close circuit", name)
    return Answer({"count": released}, 202)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: row[name] for name in ("name", "failures", "reason", "code", "parked")}
    times = {name: views.time(row[name]) for name in ("failing_since", "opened_at")}
    return {**shown, **times, "next_try_at": views.time(row["until"])}


ROUTES = (
    Route("GET", "/api/v1/admin/circuits", list_, {200: "Circuits"}, tag="admin", scope="admin", roles=STAFF,
          name="list_circuits"),
    Route("POST", "/api/v1/admin/circuits/{circuit}/close", close, {202: "Replay"}, tag="admin", scope="admin",
          roles=ADMIN, name="close_circuit"),
)  # fmt: skip

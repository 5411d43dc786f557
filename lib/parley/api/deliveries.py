"""Deliveries: what was sent where, how it went, and once more."""

from datetime import datetime
from uuid import UUID

from parley.api import views
from parley.api.desk import Desk
from parley.api.paging import Page, page, place
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route

ONE = "/api/v1/deliveries/{delivery_id}"


def list_(desk: Desk, call: Call) -> Answer:
    """List what was sent to a user, the newest first."""
    user_id = desk.person(call.principal, call.path["user_id"], "see")
    at, before = place(call.query.cursor, datetime.fromisoformat, UUID)
    rows = desk.views.deliveries(user_id, call.query.limit + 1, at, before)
    return page(call, rows, views.plain, lambda row: (row["created_at"].isoformat(), row["id"]))


def get(desk: Desk, call: Call) -> Answer:
    """Show a delivery with its attempts."""
    who, delivery_id = call.principal, call.path["delivery_id"]
    row = desk.granted(who, "see", desk.views.delivery(delivery_id), f"delivery {delivery_id}")
    if not desk.may_read(who, row):
        row = {**row, "attempts": [{**attempt, "sent": None} for attempt in row["attempts"]]}
    return Answer(views.plain(row))


def redeliver(desk: Desk, call: Call) -> Answer:
    """Send an answer once more by a delivery that has ended."""
    who, delivery_id = call.principal, call.path["delivery_id"]
    desk.granted(who, "repair", desk.views.delivery(delivery_id), f"delivery {delivery_id}")
    nudge = desk.views.redeliver(delivery_id)
    if nudge is None:
        raise Problem("conflict", detail="It is still open, not yet planned to be sent, or its answer was erased.")
    desk.publish(nudge)
    return _sent(desk, call)


def _sent(desk: Desk, call: Call, _: str = "") -> Answer:
    delivery_id = call.path["delivery_id"]
    row = desk.granted(call.principal, "see", desk.views.delivery(delivery_id), f"delivery {delivery_id}")
    return Answer(views.plain({**row, "attempts": []}), 202, {"Location": f"/api/v1/deliveries/{delivery_id}"})


ROUTES = (
    Route("GET", "/api/v1/users/{user_id}/deliveries", list_, {200: "DeliveryPage"}, tag="deliveries",
          scope="deliveries:read", query=Page, name="list_deliveries"),
    Route("GET", ONE, get, {200: "Delivery"}, tag="deliveries", scope="deliveries:read", name="get_delivery"),
    Route("POST", f"{ONE}/redeliver", redeliver, {202: "Delivery"}, tag="deliveries", scope="deliveries:write",
          problems=("conflict",), again=_sent),
)  # fmt: skip

"""Where the answer to a request went, and why, in words."""

from parley.api import views
from parley.api.desk import Desk
from parley.api.route import Answer, Call, Route
from parley.domain.explain import explained


def deliveries(desk: Desk, call: Call) -> Answer:
    """Show a request's deliveries, and say of each channel why it was or was not used."""
    request_id = call.path["request_id"]
    row = desk.request(call.principal, request_id, "see")
    found = desk.views.deliveries_of_request(request_id)
    names = {name: one.name for name, one in desk.defaults().channels.items()}
    answers = [one for one in found if one["kind"] in ("answer", "failure")]
    return Answer({
        "mode": (row["plan"] or {}).get("mode"),
        "items": [views.plain(one) for one in found],
        "explained": explained(row["plan"], answers, names),
    })  # fmt: skip


ROUTES = (
    Route("GET", "/api/v1/requests/{request_id}/deliveries", deliveries, {200: "RequestDeliveries"}, tag="deliveries",
          scope="deliveries:read", problems=("gone",), name="list_request_deliveries"),
)  # fmt: skip

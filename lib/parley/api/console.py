"""What the console shows to support and admins: one request as a picture, and what happened lately in numbers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from parley.adapters.postgres.console import Console
from parley.api import views
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.domain import timeline as made
from parley.domain.keys import STAFF

SPANS = {"hour": (60, 60), "day": (1800, 48), "week": (6 * 3600, 28)}  # seconds of a span, and how many


class Lately(BaseModel):
    """How far to look back."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    last: Annotated[Literal["hour", "day", "week"], Field(description="How far to look back.")] = "day"


def timeline(desk: Desk, call: Call) -> Answer:
    """Show when a request did what, in which function: steps, tools, approvals, deliveries; never what was said."""
    request_id = call.path["request_id"]
    rows = Console(desk.database).timeline(request_id)
    if rows is None:
        raise Problem("not-found")
    request = {name: value for name, value in rows["request"].items() if name not in _LEFT_OUT}
    head = views.plain({**request, "user": str(rows["request"]["user_id"])})
    return Answer({**head, "spans": views.plain(made.spans(rows))})


def metrics(desk: Desk, call: Call) -> Answer:
    """Count what happened lately: questions, their ends and times, deliveries, votes; and what is open now."""
    span, spans = SPANS[call.query.last]
    found: dict[str, Any] = views.plain(Console(desk.database).metrics(span, spans))
    return Answer({"span_seconds": span, **found})


_LEFT_OUT = ("asked_by", "lease_owner", "usage")

ROUTES = (
    Route("GET", "/api/v1/admin/requests/{request_id}/timeline", timeline, {200: "Timeline"}, tag="admin",
          scope="admin", roles=STAFF, name="get_timeline"),
    Route("GET", "/api/v1/admin/metrics", metrics, {200: "Metrics"}, tag="admin", scope="admin", roles=STAFF,
          query=Lately, name="get_metrics"),
)  # fmt: skip

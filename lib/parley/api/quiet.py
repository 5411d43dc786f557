"""Quiet hours: when a person is not to be interrupted, by their own clock."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from parley.api.bodies import Strict
from parley.api.desk import Desk
from parley.api.route import Answer, Call, Route

PATH = "/api/v1/users/{user_id}/quiet-hours"


def _zone(name: str) -> str:
    from zoneinfo import available_timezones

    if name not in available_timezones():
        raise ValueError("is no time zone such as Europe/Berlin")
    return name


Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class ChosenQuietHours(Strict):
    """From one time of the day until another, which may be on the next day; both the same: never."""

    begin: Clock = Field(alias="from", examples=["22:00"])
    until: Clock = Field(examples=["07:00"])
    timezone: Annotated[str, AfterValidator(_zone)] | None = Field(default=None, description="Null: as it is.")


def get(desk: Desk, call: Call) -> Answer:
    """Show a user's quiet hours and time zone; null is what holds for everybody."""
    return Answer(_shown(desk, desk.person(call.principal, call.path["user_id"], "see")))


def put(desk: Desk, call: Call) -> Answer:
    """Set quiet hours. What somebody has just asked for still comes at once."""
    user_id, wanted = desk.person(call.principal, call.path["user_id"], "change"), call.body
    desk.users.set_quiet(user_id, wanted.begin, wanted.until, wanted.timezone)
    return Answer(_shown(desk, user_id))


def delete(desk: Desk, call: Call) -> Answer:
    """Forget quiet hours: what holds for everybody holds again."""
    desk.users.set_quiet(desk.person(call.principal, call.path["user_id"], "change"), None, None, None)
    return Answer(None, 204)


def _shown(desk: Desk, user_id: Any) -> dict[str, Any]:
    row = desk.users.quiet(user_id)
    return {"from": row["quiet_from"], "until": row["quiet_until"], "timezone": row["timezone"]}


ROUTES = (
    Route("GET", PATH, get, {200: "QuietHours"}, tag="integrations", scope="settings:read", name="get_quiet_hours"),
    Route("PUT", PATH, put, {200: "QuietHours"}, tag="integrations", scope="settings:write", body=ChosenQuietHours,
          name="put_quiet_hours"),
    Route("DELETE", PATH, delete, {204: None}, tag="integrations", scope="settings:write", name="delete_quiet_hours"),
)  # fmt: skip

"""Receivers that users registered: consent, new secrets, called again after trouble, and what they missed."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from parley.adapters.postgres.endpoints import Endpoints
from parley.api import views
from parley.api.bodies import Strict
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.channels import signing
from parley.domain import ids
from parley.domain.events import Emit

if TYPE_CHECKING:
    from parley.channels.consent import Consent

ONE = "/api/v1/users/{user_id}/integrations/{channel}"
LONGEST = timedelta(days=90)
PATIENCE = 10.0  # seconds for the handshake


class Rotation(Strict):
    """How long the secret before signs, too."""

    overlap_seconds: Annotated[int, Field(ge=0, le=30 * 86_400)] = 86_400


class Range(Strict):
    """What is sent once more: everything to this receiver in a range of time, or only what did not arrive."""

    since: AwareDatetime
    until: AwareDatetime
    only_failed: bool = True

    @model_validator(mode="after")
    def _is_a_range(self) -> "Range":
        if not timedelta(0) < self.until - self.since <= LONGEST:
            raise ValueError("until is after since, and at most 90 days")
        return self


def status(desk: Desk, call: Call) -> Answer:
    """Show how a receiver is: its consent, its secret's generation, trouble with it, whether it is called at all."""
    return Answer(_shown(_endpoint(desk, call, "see")))


def rotate(desk: Desk, call: Call) -> Answer:
    """Make a new secret for a webhook. The one before signs, too, for a while; both are derived and stored nowhere."""
    row = _endpoint(desk, call, "change")
    overlap = (call.body or Rotation()).overlap_seconds
    generation, until = Endpoints(desk.database).rotate(row["id"], overlap)
    return _rotated(desk, row["id"], generation, until)


def rotated_before(desk: Desk, call: Call, generation: str) -> Answer:
    """Show the secret that the first call made, unless there is a newer one."""
    row = _endpoint(desk, call, "change")
    if row["generation"] != int(generation):
        raise Problem("conflict", detail="There is a newer secret than the one that the first call made.")
    return _rotated(desk, row["id"], row["generation"], row["overlap_until"])


def _rotated(desk: Desk, integration_id: UUID, generation: int, until: datetime) -> Answer:
    shown = {**secrets(desk, str(integration_id), generation), "overlap_until": views.time(until)}
    return Answer(shown, made=str(generation))


def enable(desk: Desk, call: Call) -> Answer:
    """Call a receiver again that was disabled, or say that it works again: what waits for it is sent."""
    row = _endpoint(desk, call, "change")
    check(desk, row["config"])
    begin(desk, row["id"], row["channel"], consent(desk, row["config"]))
    return Answer(_shown(_endpoint(desk, call, "see")))


def replay(desk: Desk, call: Call) -> Answer:
    """Send once more what went to a receiver in a range of time, the oldest first, at most a thousand."""
    row = _endpoint(desk, call, "change")
    wanted = call.body
    due = Endpoints(desk.database).replay(
        row["user_id"], row["channel"], row["id"], wanted.since, wanted.until, only_failed=wanted.only_failed
    )
    cause = f"replay {ids.new()}"
    for one in due:
        desk.publish(Emit(one.emit(cause, None).contract, cause=cause))
    return Answer({"count": len(due)}, 202, made=str(len(due)))


def replayed_before(_: Desk, __: Call, count: str) -> Answer:
    """Say how many the first call made due."""
    return Answer({"count": int(count)}, 202)


def check(desk: Desk, config: dict[str, Any]) -> None:
    """Refuse a URL that would never be called. Raises Problem."""
    from parley.adapters.pinned import Pinned, Refused

    try:
        Pinned(allow=desk.rules.allow_private).check(str(config.get("url")))
    except Refused as error:
        raise Problem("invalid", errors=[{"pointer": "/config/url", "detail": str(error)}]) from None


def consent(desk: Desk, config: dict[str, Any]) -> "Consent | None":
    """Ask a receiver of CloudEvents whether it wants them; others are not asked. Raises Problem when it does not."""
    from parley.channels.webhook import is_cloudevent

    if not is_cloudevent(config):
        return None
    from parley.adapters.http import asked
    from parley.adapters.pinned import Pinned, Refused
    from parley.channels.consent import named
    from parley.channels.outcome import MaybeSent, NotSent

    said = "it does not consent: the header WebHook-Allowed-Origin names us or is *"
    try:
        origin = named(desk.rules.public_url)
        if given := asked(Pinned(allow=desk.rules.allow_private), config["url"], origin, PATIENCE):
            return given
    except (Refused, NotSent, MaybeSent) as error:
        said = str(error)
    raise Problem("invalid", errors=[{"pointer": "/config/url", "detail": said}])


def begin(desk: Desk, integration_id: UUID, channel: str, given: "Consent | None", *, is_other: bool = False) -> None:
    """Call a receiver from now on, as it consented."""
    endpoints = Endpoints(desk.database)
    with desk.unwalled():
        endpoints.enable(integration_id, channel, is_other=is_other)
        if given:
            endpoints.consented(str(integration_id), given.rate)


def secrets(desk: Desk, integration_id: str, generation: int = 1) -> dict[str, str]:
    """Give what a receiver verifies our signatures with."""
    [key, *_] = signing.keys(desk.rules.signing_key)
    made = {"secret": signing.secret(key, integration_id, generation)}
    return {**made, "public_key": signing.public_key(key, integration_id, generation)}


def _endpoint(desk: Desk, call: Call, action: Any) -> dict[str, Any]:
    user_id, channel = desk.person(call.principal, call.path["user_id"], action), call.path["channel"]
    own = next((row for row in desk.views.integrations(user_id) if row["channel"] == channel), None)
    if own is None or "url" not in desk.defaults().channels[channel].address.values():
        raise Problem("not-found")
    with desk.unwalled():  # it is the caller's own; trouble is nobody's
        row = Endpoints(desk.database).of(own["id"])
    if row is None:
        raise Problem("not-found")
    return row


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    is_off, is_open = row["disabled_at"] is not None, row["is_open"]
    return {
        "channel": row["channel"],
        "state": "disabled" if is_off else "failing" if is_open else "ok",
        "reason": row["disabled_reason"],
        "failing_since": _time(row["failing_since"]),
        "failures": row["failures"] or 0,
        "generation": row["generation"] or 1,
        "overlap_until": _time(row["overlap_until"]),
        "consented_at": _time(row["consented_at"]),
        "allowed_rate": row["allowed_rate"],
    }


def _time(value: datetime | None) -> str | None:
    return views.time(value) if value else None


ROUTES = (
    Route("GET", f"{ONE}/status", status, {200: "Receiver"}, tag="integrations", scope="settings:read",
          name="get_receiver"),
    Route("POST", f"{ONE}/rotate", rotate, {200: "Secrets"}, tag="integrations", scope="settings:write", body=Rotation,
          body_is_optional=True, problems=("conflict",), again=rotated_before, name="rotate_secret"),
    Route("POST", f"{ONE}/enable", enable, {200: "Receiver"}, tag="integrations", scope="settings:write",
          problems=("invalid",), name="enable_receiver"),
    Route("POST", f"{ONE}/replay", replay, {202: "Replay"}, tag="integrations", scope="settings:write", body=Range,
          again=replayed_before, name="replay_deliveries"),
)  # fmt: skip

"""How answers reach people: the system's defaults, a user's own settings, and what follows from both."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from parley.api import bodies, views, webhooks
from parley.api.desk import Desk
from parley.api.preferences import version
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.domain.defaults import Default
from parley.domain.explain import effective as in_force
from parley.domain.plan import inputs

OWN = "/api/v1/users/{user_id}/integrations"
EFFECTIVE = "/api/v1/users/{user_id}/integration-defaults"
LEFT_OUT = "…"  # of a URL that is shown


class Explained(BaseModel):
    """How much to tell."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    explain: bool = Field(default=False, description="Also say where each value comes from.")


def defaults(desk: Desk, _: Call) -> Answer:
    """Show how answers reach people who have not chosen otherwise."""
    found = desk.defaults().channels
    return Answer({"items": [{"channel": name, **_default(one)} for name, one in found.items()]})


def list_(desk: Desk, call: Call) -> Answer:
    """List a user's own settings."""
    user_id = desk.person(call.principal, call.path["user_id"], "see")
    return Answer({"items": [_seen(desk, row) for row in desk.views.integrations(user_id)]})


def get(desk: Desk, call: Call) -> Answer:
    """Show a user's own setting for one channel."""
    user_id = desk.person(call.principal, call.path["user_id"], "see")
    row = _own(desk, user_id, call.path["channel"])
    if row is None:
        raise Problem("not-found")
    return Answer(_seen(desk, row), headers={"ETag": views.etag(row)})


def create(desk: Desk, call: Call) -> Answer:
    """Store a setting for the channel that it names, instead of the one before."""
    return _put(desk, call, call.body.channel)


def put(desk: Desk, call: Call) -> Answer:
    """
    Store a setting for a channel, instead of the one before; with `If-Match`, only instead of that one.

    A URL that is sent as it is shown, shortened, stays what it is.
    """
    return _put(desk, call, call.path["channel"])


def delete(desk: Desk, call: Call) -> Answer:
    """Forget a user's own setting: the default holds again."""
    user_id = desk.person(call.principal, call.path["user_id"], "change")
    channel = call.path["channel"]
    if not desk.views.delete_integration(user_id, channel):
        raise Problem("not-found")
    return Answer(None, 204)


def effective(desk: Desk, call: Call) -> Answer:
    """Show what is in force for a user: their own settings over the defaults, and with `explain` which is which."""
    user_id = desk.person(call.principal, call.path["user_id"], "see")
    return _effective(desk, user_id, explain=call.query.explain)


def reset(desk: Desk, call: Call) -> Answer:
    """Forget all of a user's own settings."""
    user_id = desk.person(call.principal, call.path["user_id"], "change")
    desk.views.delete_integrations(user_id)
    return _effective(desk, user_id, explain=False)


def _put(desk: Desk, call: Call, channel: str) -> Answer:
    user_id = desk.person(call.principal, call.path["user_id"], "change")
    default = desk.defaults().channels.get(channel)
    if default is None:
        raise Problem("not-found")
    wanted = call.body
    bodies.unlocked(default, wanted)
    values = wanted.model_dump(include={"enabled", "rank", "level", "patience_seconds"})
    values["config"] = _whole(default, bodies.config(default, wanted), _own(desk, user_id, channel))
    has_url = "url" in default.address.values() and bool(values["config"])
    given = None
    if has_url:  # asked before anything is stored: who refuses leaves no trace
        webhooks.check(desk, values["config"])
        given = None if wanted.enabled is False else webhooks.consent(desk, values["config"])
    row = desk.views.put_integration(user_id, channel, values, version(call.headers, required=False))
    if row is None:
        raise Problem("precondition-failed")
    is_new = row.pop("is_new")
    if has_url:
        webhooks.begin(desk, row["id"], channel, given, is_other=True)
    shown = views.plain(row) if is_new else _seen(desk, row)
    if is_new and "signature" in default.options:
        shown |= webhooks.secrets(desk, str(row["id"]))
    return Answer(shown, 201 if is_new else 200, {"ETag": views.etag(row)})


def _own(desk: Desk, user_id: UUID, channel: str) -> Mapping[str, Any] | None:
    return next((row for row in desk.views.integrations(user_id) if row["channel"] == channel), None)


def _effective(desk: Desk, user_id: UUID, *, explain: bool) -> Answer:
    with desk.unwalled():  # suppressions are nobody's own
        overrides, _ = inputs(desk.users.plan_inputs(user_id))
    items = [_seen(desk, one) for one in in_force(desk.defaults(), overrides)]
    if not explain:
        items = [{name: value for name, value in one.items() if name != "origin"} for one in items]
    return Answer({"items": items})


def _seen(desk: Desk, row: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give a setting as it is shown: of a URL where it leads, and its end, by which its owner knows it.

    Whoever has the URL of a receiver can post there: it is shown whole once, like a key.
    """
    shown: dict[str, Any] = views.plain(row)
    default = desk.defaults().channels.get(row["channel"])
    if default is None:  # there is no such channel any more
        return {**shown, "config": {}}
    urls = _urls(default)
    return {**shown, "config": {name: _short(one) if name in urls else one for name, one in shown["config"].items()}}


def _whole(default: Default, config: dict[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Put what is kept in the place of a URL that came as it is shown. Raises Problem for what was never shown."""
    kept = before["config"] if before else {}
    found = dict(config)
    for name in _urls(default) & config.keys():
        if name in kept and config[name] == _short(kept[name]):
            found[name] = kept[name]
        elif LEFT_OUT in config[name]:
            said = "it is shortened: give it whole, or as it is shown now"
            raise Problem("invalid", errors=[{"pointer": f"/config/{name}", "detail": said}])
    return found


def _urls(default: Default) -> set[str]:
    return {name for name, kind in default.address.items() if kind == "url"}


def _short(url: str) -> str:
    """Give scheme and host of a URL, and its last signs when they are few of many."""
    parts = urlsplit(url)
    door = f"{parts.scheme}://{parts.netloc}/"
    return door + LEFT_OUT + (url[-4:] if len(url) - len(door) >= 16 else "")


def _default(default: Default) -> dict[str, Any]:
    patience = default.patience.total_seconds()
    shown: dict[str, Any] = {
        "enabled": default.enabled,
        "rank": default.rank,
        "level": default.level,
        "patience_seconds": patience,
    }
    shown |= {"name": default.name, "address": dict(default.address), "options": dict(default.options)}
    return {**shown, "locked": sorted(default.locked), **({"because": default.because} if default.locked else {})}


_PUT = {200: "Integration", 201: "Integration"}

ROUTES = (
    Route("GET", "/api/v1/integration-defaults", defaults, {200: "Defaults"}, tag="integrations",
          scope="settings:read", name="list_defaults"),
    Route("GET", OWN, list_, {200: "Integrations"}, tag="integrations", scope="settings:read",
          name="list_integrations"),
    Route("POST", OWN, create, _PUT, tag="integrations", scope="settings:write", body=bodies.NewIntegrationSetting,
          name="create_integration"),
    Route("GET", f"{OWN}/{{channel}}", get, {200: "Integration"}, tag="integrations", scope="settings:read",
          name="get_integration"),
    Route("PUT", f"{OWN}/{{channel}}", put, _PUT, tag="integrations", scope="settings:write",
          body=bodies.IntegrationSetting,
          headers=("If-Match",), problems=("precondition-failed",), name="put_integration"),
    Route("DELETE", f"{OWN}/{{channel}}", delete, {204: None}, tag="integrations", scope="settings:write",
          name="delete_integration"),
    Route("GET", EFFECTIVE, effective, {200: "Effective"}, tag="integrations", scope="settings:read", query=Explained,
          name="get_effective"),
    Route("POST", f"{EFFECTIVE}/reset", reset, {200: "Effective"}, tag="integrations", scope="settings:write",
          name="reset_integrations"),
)  # fmt: skip

"""
Which token opens which workspace: the one of a setting, or those of many installations.

Source: https://docs.slack.dev/authentication/using-token-rotation (12 hours; a refresh token works once)
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from parley.adapters.slack_api import SlackApi
from parley.channels.outcome import MaybeSent, NotSent
from parley.errors import Misconfigured, Rejected, Unavailable

if TYPE_CHECKING:
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.installations import Installation

log = logging.getLogger("parley.slack")

REMEMBERED = 60.0  # seconds: a workspace that has removed us is asked no longer than that
_TIMEOUT = 10.0


ApiOf = Callable[[str, str | None], SlackApi]


class Store(Protocol):
    """The installations."""

    def find(self, workspace: str, enterprise: str | None = None) -> "Installation | None": ...
    def put(self, one: "Installation") -> None: ...
    def take_refresh(self, one: "Installation") -> bool: ...
    def stale(self) -> Sequence[str]: ...


@dataclass(frozen=True, kw_only=True)
class SlackSettings:
    """One workspace by the token of `slack_bot_token`, else many whose sealed tokens `slack_token_key` opens."""

    slack_bot_token: str | None = None
    slack_token_key: tuple[str, ...] = ()
    slack_client_id: str | None = None
    slack_client_secret: str | None = None
    slack_api_url: str = "https://slack.com/api/"


def apis(settings: SlackSettings, database: Callable[[], "Database"]) -> ApiOf:
    """
    Give what opens the Web API of a workspace: see `Tokens.__call__`. The database is asked for when it is needed.

    Raises Misconfigured when no setting opens any workspace.
    """
    if settings.slack_bot_token:
        one = SlackApi(settings.slack_bot_token, settings.slack_api_url)
        return lambda _, __: one
    if not settings.slack_token_key:
        raise Misconfigured("SLACK_BOT_TOKEN: required, unless SLACK_TOKEN_KEY opens the tokens of many workspaces")
    kept: list[Tokens] = []

    def of(workspace: str, enterprise: str | None) -> SlackApi:
        if not kept:
            kept.append(tokens(settings, database()))
        return kept[0](workspace, enterprise)

    return of


def refreshing(settings: SlackSettings, database: "Database") -> Callable[[], None] | None:
    """Give what refreshes the tokens of many workspaces before they expire; None where one token is a setting."""
    if settings.slack_bot_token or not settings.slack_token_key:
        return None
    made = tokens(settings, database)
    return made.refresh_all


def opened(url: str | None, *, name: str) -> "Database":
    """Give a database that is opened only when a token of many is needed. Raises Misconfigured when there is none."""
    from parley.adapters.postgres.database import Database

    if not url:
        raise Misconfigured("DATABASE_URL: required for the tokens of many workspaces, not set")
    return Database(url, name=name, max_connections=1)


def forgetting(settings: SlackSettings, database: "Database") -> Callable[[str], bool] | None:
    """Give what forgets a workspace that has removed us; None where one token is a setting."""
    if settings.slack_bot_token:
        return None
    return lambda workspace: bool(database.run("remove_installation", workspace=workspace))


def tokens(settings: SlackSettings, database: "Database") -> "Tokens":
    """Give the tokens of many workspaces. Raises Misconfigured for keys that are none."""
    from parley.adapters.postgres.installations import Installations
    from parley.adapters.sealing import Seal

    seal = Seal("SLACK_TOKEN_KEY", settings.slack_token_key)
    store = Installations(database, seal.close, seal.open)
    return Tokens(store, settings.slack_api_url, settings.slack_client_id, settings.slack_client_secret)


class Tokens:
    """
    Tokens of many workspaces, remembered for a minute.

    A token with less than two hours left is refreshed by one process, on its way or by the tick of each minute
    (`refresh_all`); the others go on with the old one, which works until it expires.
    """

    def __init__(
        self,
        store: Store,
        url: str,
        client_id: str | None = None,
        client_secret: str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._url = url
        self._client = {"client_id": client_id or "", "client_secret": client_secret or ""}
        self._clock = clock
        self._known: dict[tuple[str, str | None], tuple[float, str]] = {}

    def __call__(self, workspace: str, enterprise: str | None = None) -> SlackApi:
        """Give the Web API of a workspace. Raises Rejected when we are not installed there, Unavailable."""
        return SlackApi(self.token(workspace, enterprise), self._url)

    def token(self, workspace: str, enterprise: str | None = None) -> str:
        """Give the token of a workspace. Raises as `__call__`."""
        now, place = self._clock(), (workspace, enterprise)
        until, token = self._known.get(place, (0.0, ""))
        if now < until:
            return token
        found = self._store.find(workspace, enterprise)
        if found is None:
            self._known.pop(place, None)
            raise Rejected("not installed in this workspace")
        if found.is_stale:
            found = self.refreshed(found)
        self._known[place] = (now + REMEMBERED, found.token)
        return found.token

    def refreshed(self, one: "Installation") -> "Installation":
        """Give the installation with a new token, if this is the process that asks for one."""
        if not one.refresh_token or not self._store.take_refresh(one):
            if one.is_over:
                raise Unavailable("the token has expired, and another process asks for a new one")
            return one
        try:
            data = self._access(grant_type="refresh_token", refresh_token=one.refresh_token)
        except (Unavailable, Rejected):
            if one.is_over:
                raise
            log.warning("token not refreshed", exc_info=True)
            return one
        new = replace(
            one,
            token=str(data["access_token"]),
            refresh_token=data.get("refresh_token"),
            expires_in=data.get("expires_in"),
        )
        self._store.put(new)
        log.info("token refreshed", extra={"fields": {"workspace": one.workspace}})
        return new

    def refresh_all(self) -> None:
        """Refresh what expires soon, whether it is used or not: a workspace that is quiet for a day stays open."""
        for workspace in self._store.stale():
            try:
                if one := self._store.find(workspace):
                    self.refreshed(one)
            except (Unavailable, Rejected):  # one of them keeps no other from being refreshed
                log.exception("a token was not refreshed", extra={"fields": {"workspace": workspace}})

    def install(self, code: str, redirect_uri: str, allowed: Sequence[str]) -> "Installation":
        """
        Trade the code of an installation for its tokens, and keep them, in a place that is allowed.

        Raises Rejected, and Unavailable. What was granted elsewhere is given back.
        """
        data = self._access(code=code, redirect_uri=redirect_uri)
        one = _granted(data)
        if one.workspace not in allowed and one.enterprise not in allowed:
            SlackApi(one.token, self._url).call(_TIMEOUT, lambda client: client.auth_revoke())
            raise Rejected("this workspace is not on the list")
        self._store.put(one)
        return one

    def _access(self, **arguments: Any) -> Mapping[str, Any]:
        wanted = {**self._client, **arguments}
        try:
            answer, data = SlackApi("", self._url).call(_TIMEOUT, lambda client: client.oauth_v2_access(**wanted))
        except (NotSent, MaybeSent) as error:
            raise Unavailable("oauth.v2.access: Slack cannot be reached") from error
        if answer.status >= 429:
            raise Unavailable(f"oauth.v2.access: {answer.status}")
        if answer.code or answer.status != 200:
            raise Rejected(f"oauth.v2.access: {answer.code or answer.status}")
        return data


def _granted(data: Mapping[str, Any]) -> "Installation":
    from parley.adapters.postgres.installations import Installation

    team, enterprise = data.get("team") or {}, data.get("enterprise") or {}
    place = enterprise.get("id") if data.get("is_enterprise_install") else team.get("id")
    if not place or data.get("token_type") != "bot":
        raise Rejected("Slack gave no token of a bot")
    return Installation(
        workspace=str(place),
        enterprise=enterprise.get("id"),
        bot_user=str(data.get("bot_user_id", "")),
        token=str(data["access_token"]),
        scopes=tuple(str(data.get("scope", "")).split(",")),
        refresh_token=data.get("refresh_token"),
        expires_in=data.get("expires_in"),
    )

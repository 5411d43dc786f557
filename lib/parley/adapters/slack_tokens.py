"""
Which token opens which workspace: the one of a setting, or those of many installations.

Source: https://docs.slack.dev/authentication/using-token-rotation (12 hours; a refresh token works once)
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from parley.adapters.postgres.installations import Installation
from parley.adapters.slack_api import SlackApi
from parley.channels.outcome import MaybeSent, NotSent
from parley.errors import Rejected, Unavailable

log = logging.getLogger("parley.slack")

REMEMBERED = 60.0  # seconds: a workspace that has removed us is asked no longer than that
_TIMEOUT = 10.0


class Store(Protocol):
    """The installations."""

    def find(self, workspace: str, enterprise: str | None = None) -> Installation | None: ...
    def put(self, one: Installation) -> None: ...
    def take_refresh(self, one: Installation) -> bool: ...


class Tokens:
    """
    Tokens of many workspaces, remembered for a minute.

    A token with less than two hours left is refreshed on its way, by one process; the others go on with the old one,
    which works until it expires.
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

    def refreshed(self, one: Installation) -> Installation:
        """Give the installation with a new token, if this is the process that asks for one."""
        if not one.refresh_token or not self._store.take_refresh(one):
            if one.is_over:
                raise Unavailable("the token has expired, and another process asks for a new one")
            return one
        try:
            data = self._access(grant_type="refresh_token", refresh_token=one.refresh_token)
        except Unavailable:
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

    def install(self, code: str, redirect_uri: str) -> Installation:
        """Trade the code of an installation for its tokens, and keep them. Raises Rejected, Unavailable."""
        data = self._access(code=code, redirect_uri=redirect_uri)
        is_whole = bool(data.get("is_enterprise_install"))
        team, enterprise = data.get("team") or {}, data.get("enterprise") or {}
        place = enterprise.get("id") if is_whole else team.get("id")
        if not place or data.get("token_type") != "bot":
            raise Rejected("Slack gave no token of a bot")
        one = Installation(
            workspace=str(place),
            enterprise=enterprise.get("id"),
            bot_user=str(data.get("bot_user_id", "")),
            token=str(data["access_token"]),
            scopes=tuple(str(data.get("scope", "")).split(",")),
            refresh_token=data.get("refresh_token"),
            expires_in=data.get("expires_in"),
        )
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

"""
Slack's OAuth v2: codes, bot tokens, and tokens that expire and are refreshed.

Sources: https://docs.slack.dev/authentication/installing-with-oauth (a code works once, for ten minutes)
         https://docs.slack.dev/authentication/using-token-rotation (12 hours; a refresh token works once)
Left out: user tokens, PKCE, the page that asks a person.
"""

import base64
import itertools
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from devkit.serving import Request
from devkit.slack_arguments import Refused
from devkit.slack_workspace import APP, BOT_USER

CODE_SECONDS = 600.0
TOKEN_SECONDS = 43_200.0


class OAuth:
    """The app's credentials, what people have agreed to, and the tokens that came of it."""

    client_id = "1.2"
    client_secret = "stand-in-client-secret"  # noqa: S105 - opens nothing but this stand-in

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._codes: dict[str, tuple[float, dict[str, Any]]] = {}
        self._refresh: dict[str, dict[str, Any]] = {}
        self._tokens: dict[str, float] = {}  # until when

    def agree(
        self,
        *,
        team: str | None = "T0PARLEY1",
        enterprise: str | None = None,
        rotates: bool = False,
        redirect: str = "",
    ) -> str:
        """Let somebody agree to an installation; gives the code. `team` None: in the whole organisation."""
        code = f"code-{next(self._numbers)}"
        self._codes[code] = (
            self._clock(),
            {"team": team, "enterprise": enterprise, "rotates": rotates, "redirect": redirect},
        )
        return code

    def is_valid(self, token: str) -> str:
        """Give Slack's word for a token of ours: empty when it opens, `token_expired` or `invalid_auth`."""
        until = self._tokens.get(token)
        if until is None:
            return "invalid_auth"
        return "" if self._clock() < until else "token_expired"

    def revoke(self, token: str) -> None:
        """auth.revoke."""
        self._tokens.pop(token, None)

    def access(self, request: Request) -> dict[str, Any]:
        """oauth.v2.access. Raises Refused."""
        given = {**dict(parse_qsl(request.body.decode(), keep_blank_values=True)), **_basic(request)}
        if given.get("client_id") != self.client_id:
            raise Refused("invalid_client_id")
        if given.get("client_secret") != self.client_secret:
            raise Refused("bad_client_secret")
        if given.get("grant_type") == "refresh_token":
            where = self._refresh.pop(given.get("refresh_token", ""), None)
            if where is None:
                raise Refused("invalid_refresh_token")
            return self._granted(where)
        made_at, where = self._codes.pop(given.get("code", ""), (0.0, {}))
        if not where:
            raise Refused("invalid_code")
        if self._clock() - made_at > CODE_SECONDS:
            raise Refused("code_expired")
        if where["redirect"] and where["redirect"] != given.get("redirect_uri"):
            raise Refused("bad_redirect_uri")
        return self._granted(where)

    def _granted(self, where: Mapping[str, Any]) -> dict[str, Any]:
        number, rotates = next(self._numbers), where["rotates"]
        token = f"{'xoxe.' if rotates else ''}xoxb-{number}"
        self._tokens[token] = self._clock() + TOKEN_SECONDS if rotates else float("inf")
        more: dict[str, Any] = {}
        if rotates:
            more = {"refresh_token": f"xoxe-1-{number}", "expires_in": int(TOKEN_SECONDS)}
            self._refresh[more["refresh_token"]] = dict(where)
        team, enterprise = where["team"], where["enterprise"]
        return {
            "ok": True, "app_id": APP, "authed_user": {"id": "U0ALICE01"}, "scope": "chat:write",
            "token_type": "bot", "access_token": token, "bot_user_id": BOT_USER, "is_enterprise_install": team is None,
            "team": {"id": team, "name": "x"} if team else None,
            "enterprise": {"id": enterprise, "name": "x"} if enterprise else None, **more,
        }  # fmt: skip


def _basic(request: Request) -> dict[str, str]:
    """Give the credentials of HTTP Basic, which Slack recommends over those in the body."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    client_id, _, client_secret = base64.b64decode(given).decode().partition(":")
    return {"client_id": client_id, "client_secret": client_secret}

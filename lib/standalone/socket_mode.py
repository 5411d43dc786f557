"""
Slack's Socket Mode, for development: a laptop without a public address takes part in a real workspace.

What Slack says over its WebSocket is posted, signed, to our own slack-ingest, as Slack would have posted it; what
that answers goes back with the acknowledgement. What could not be kept is not acknowledged, and Slack sends it again.
Source: https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import hashlib
import hmac
import http.client
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import urlencode

from parley.errors import Misconfigured, Unavailable

log = logging.getLogger("standalone.socket")

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
_silent = logging.Logger("slack_sdk.silent", logging.CRITICAL)  # noqa: LOG001 - its own log holds whole messages


class SocketMode:
    """
    A WebSocket to Slack, by an app-level token (`xapp-…`, scope `connections:write`).

    `door` is the port of slack-ingest on this machine, `secret` what it verifies signatures with. Used as a context.
    """

    def __init__(
        self,
        token: str,
        door: int,
        secret: str,
        *,
        url: str = "https://slack.com/api/",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not token.startswith("xapp-"):
            raise Misconfigured("SLACK_APP_TOKEN: an app-level token begins with xapp-")
        self._token = token
        self._door = door
        self._secret = secret
        self._url = url
        self._clock = clock
        self._client: Any = None

    def __enter__(self) -> Self:
        from slack_sdk import WebClient
        from slack_sdk.errors import SlackClientError
        from slack_sdk.socket_mode import SocketModeClient

        web = WebClient(base_url=self._url, logger=_silent)
        self._client = SocketModeClient(self._token, web_client=web, logger=_silent)
        self._client.socket_mode_request_listeners.append(self._take)
        try:
            self._client.connect()
        except (SlackClientError, OSError) as error:
            self._client.close()
            raise Unavailable("SLACK_APP_TOKEN: Slack cannot be reached, or refuses the token") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _take(self, client: Any, request: Any) -> None:
        from slack_sdk.socket_mode.response import SocketModeResponse

        kind, body = as_posted(request.type, request.payload)
        try:
            status, answer = self._post(kind, body)
        except OSError:
            log.warning("slack-ingest cannot be reached")
            return
        if status == 200:
            client.send_socket_mode_response(SocketModeResponse(request.envelope_id, json.loads(answer or "null")))

    def _post(self, kind: str, body: bytes) -> tuple[int, bytes]:
        stamp = str(int(self._clock()))
        made = hmac.new(self._secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": kind, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={made}"}
        connection = http.client.HTTPConnection("127.0.0.1", self._door, timeout=10)
        try:
            connection.request("POST", "/slack/events", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def as_posted(kind: str, payload: Mapping[str, Any]) -> tuple[str, bytes]:
    """Give what Slack would have posted: content type and body. `kind`: events_api, slash_commands, interactive."""
    if kind == "slash_commands":
        return FORM, urlencode(payload).encode()
    if kind == "interactive":
        return FORM, urlencode({"payload": json.dumps(payload)}).encode()
    return JSON, json.dumps(payload).encode()

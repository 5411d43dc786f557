"""
Slack's forms, Home tab and prompts: what people see of us besides messages.

Everything here may be done twice without harm, and nothing of it is owed: what fails is tried again with the event that
led to it, or seen anew the next time somebody looks.
"""

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from parley.adapters.slack_tokens import ApiOf
from parley.channels.outcome import MaybeSent, NotSent
from parley.channels.slack_errors import passes
from parley.errors import Rejected, Unavailable

_HURRY = 1.0  # seconds: a trigger lives for three, and Slack waits for three
_CALM = 5.0


class Surface:
    """`api_of` gives the Web API of a workspace; `hooks` is the host of the URLs that replies go to."""

    def __init__(self, api_of: ApiOf, *, hooks: str = "hooks.slack.com") -> None:
        self._api_of = api_of
        self._hooks = hooks

    def open(self, workspace: str, enterprise: str, trigger: str, view: Mapping[str, Any]) -> str:
        """Show a form; gives its id. Raises Unavailable, and Rejected when its trigger has died."""
        arguments = {"trigger_id": trigger, "view": view}
        return str(self._done(workspace, enterprise, "views.open", arguments, _HURRY)["view"]["id"])

    def fill(self, workspace: str, enterprise: str, view_id: str, view: Mapping[str, Any]) -> None:
        """Show a form anew that is open. Raises Unavailable, and Rejected when it was closed."""
        self._done(workspace, enterprise, "views.update", {"view_id": view_id, "view": view})

    def publish_home(self, workspace: str, enterprise: str, user: str, view: Mapping[str, Any]) -> None:
        """Show somebody's Home tab anew. Raises Unavailable, Rejected."""
        self._done(workspace, enterprise, "views.publish", {"user_id": user, "view": view})

    def suggest(
        self, workspace: str, enterprise: str, conversation: str, thread: str, prompts: Sequence[Mapping[str, str]]
    ) -> None:
        """Suggest what to ask. Raises Unavailable, Rejected."""
        arguments = {"channel_id": conversation, "prompts": [dict(one) for one in prompts]}
        where = {"thread_ts": thread} if thread else {}
        self._done(workspace, enterprise, "assistant.threads.setSuggestedPrompts", {**arguments, **where})

    def reply(self, url: str, message: Mapping[str, Any]) -> None:
        """Answer a command or a click, seen by who did it. Raises Unavailable, and Rejected for a URL that is over."""
        parts = urlsplit(url)
        if parts.netloc != self._hooks:
            raise Rejected("a reply URL that is not Slack's")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=_CALM)
        try:
            connection.request("POST", parts.path, json.dumps(message), {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable("Slack cannot be reached") from error
        finally:
            connection.close()
        if status >= 500 or status == 429:
            raise Unavailable(f"the reply URL answered {status}")
        if status != 200:
            raise Rejected(f"the reply URL answered {status}")

    def _done(
        self, workspace: str, enterprise: str, method: str, arguments: Mapping[str, Any], timeout: float = _CALM
    ) -> Mapping[str, Any]:
        try:
            answer, data = self._api_of(workspace, enterprise or None).call(
                timeout, lambda client: client.api_call(method, json=dict(arguments))
            )
        except (NotSent, MaybeSent) as error:
            raise Unavailable(f"{method}: Slack cannot be reached") from error
        if answer.status >= 429 or passes(answer.code):
            raise Unavailable(f"{method}: {answer.code or answer.status}")
        if answer.code or answer.status != 200:
            raise Rejected(f"{method}: {answer.code or answer.status}")
        return data

"""
Slack's Web API, through slack_sdk with its retries off: a post is not idempotent, we decide what is repeated.

slack_sdk is imported when Slack is first called: most events need no call.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parley.channels.outcome import Answer, MaybeSent, NotSent

if TYPE_CHECKING:
    from slack_sdk import WebClient

# slack_sdk writes whole requests and answers at its debug level, and builds these texts unless its level is set.
_silent = logging.Logger("slack_sdk.silent", logging.CRITICAL)  # noqa: LOG001 - one that nobody configures


@dataclass(frozen=True)
class SlackApi:
    """One workspace, by its bot token. `url` ends with `/api/`."""

    token: str = field(repr=False)
    url: str

    def load(self) -> None:
        """Import what a call needs."""
        import slack_sdk.errors
        import slack_sdk.web  # noqa: F401 - it is there when it is needed

    def call(self, timeout: float, method: Callable[["WebClient"], Any]) -> tuple[Answer, Mapping[str, Any]]:
        """Call once. Raises NotSent, MaybeSent; an error that Slack names is an answer."""
        import http.client
        import urllib.error

        from slack_sdk import WebClient
        from slack_sdk.errors import SlackApiError, SlackClientError

        client = WebClient(
            self.token, base_url=self.url, timeout=max(1, int(timeout)), retry_handlers=[], logger=_silent
        )
        try:
            answer = method(client)
        except SlackApiError as error:
            return _refused(error.response), {}
        except urllib.error.URLError as error:
            if _never_left(error.reason):
                raise NotSent("Slack cannot be reached") from error
            raise MaybeSent("the connection to Slack broke") from error
        except (OSError, http.client.HTTPException, SlackClientError) as error:
            raise MaybeSent("Slack's answer was lost") from error
        return Answer(200, provider_id=str(answer.get("ts"))), answer.data


def _refused(response: Any) -> Answer:
    """Read an answer with `ok: false`, or one that is not Slack's: then slack_sdk puts a sentence into `error`."""
    code = str(response.data.get("error", "")) if isinstance(response.data, dict) else ""
    known = code if code.replace("_", "").isalnum() else None
    headers = {name.lower(): value for name, value in response.headers.items()}
    status = response.status_code if known or response.status_code != 200 else 502
    return Answer(status, known, _seconds(headers.get("retry-after")))


def _never_left(reason: object) -> bool:
    import errno
    import socket
    import ssl

    if isinstance(reason, (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)):
        return True
    return isinstance(reason, OSError) and reason.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH)


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None

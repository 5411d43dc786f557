"""
Slack's Web API, through slack_sdk with its retries off: a post is not idempotent, we decide what is repeated.

slack_sdk is imported when Slack is first called: normalize needs it only for people whom we have not met.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parley.channels import slack
from parley.channels.outcome import Answer, Delivered, MaybeSent, NotSent, Retry, Sent, Unsure
from parley.domain.delivery import Job
from parley.errors import Unavailable

if TYPE_CHECKING:
    from slack_sdk import WebClient

PAGES = 10  # of 200 messages each, read at most when looking for an earlier attempt
SKEW = 60.0  # seconds that Slack's clock may differ from the database's

_PASSING = frozenset({"ratelimited", "rate_limited", "fatal_error", "internal_error", "service_unavailable"})
_NOBODY = frozenset({"user_not_found", "user_not_visible"})

# slack_sdk writes whole requests and answers at its debug level, and builds these texts unless its level is set.
_silent = logging.Logger("slack_sdk.silent", logging.CRITICAL)  # noqa: LOG001 - one that nobody configures


@dataclass(frozen=True)
class Profile:
    """A person, as Slack knows them."""

    email: str | None
    name: str
    timezone: str | None


class Slack:
    """One workspace, by its bot token. `url` ends with `/api/`."""

    def __init__(self, token: str, url: str) -> None:
        self._token = token
        self._url = url

    def profile(self, user: str) -> Profile:
        """Look a person up; nothing is known of one whom Slack does not show. Raises Unavailable."""
        try:
            answer, data = self._call(5, lambda client: client.users_info(user=user))
        except (NotSent, MaybeSent) as error:
            raise Unavailable("users.info: Slack cannot be reached") from error
        if answer.code in _NOBODY:
            return Profile(None, "", None)
        if answer.code or answer.status != 200:
            raise Unavailable(f"users.info: {answer.code or answer.status}")
        found = data.get("user") or {}
        profile = found.get("profile") or {}
        return Profile(profile.get("email"), profile.get("real_name") or found.get("name") or "", found.get("tz"))

    def load(self) -> None:
        """Import what a call needs."""
        import slack_sdk.errors
        import slack_sdk.web  # noqa: F401 - it is there when it is needed

    def send(self, job: Job, timeout: float) -> Sent:
        """Post an answer."""
        arguments = slack.render(job)
        try:
            answer, _ = self._call(timeout, lambda client: client.chat_postMessage(**arguments))
        except NotSent as error:
            return Sent(Retry(str(error)))
        except MaybeSent as error:
            return Sent(Unsure(str(error)))
        return Sent(slack.outcome(answer))

    def find(self, job: Job, timeout: float) -> Sent | None:
        """Look where the answer belongs for an earlier attempt's message, by the key in its metadata."""
        try:
            for answer, data in self._pages(job, timeout):
                if answer.code == "thread_not_found":
                    return None
                if answer.code or answer.status != 200:
                    passing = answer.code in _PASSING or answer.status >= 429
                    code = answer.code or str(answer.status)
                    return Sent(Unsure("the conversation cannot be read", code, final=not passing))
                if ts := slack.found(job, data.get("messages") or []):
                    return Sent(Delivered(ts))
        except (NotSent, MaybeSent):
            return Sent(Unsure("Slack cannot be asked whether it arrived"))
        return None

    def _pages(self, job: Job, timeout: float) -> Iterator[tuple[Answer, Mapping[str, Any]]]:
        conversation, thread = str(job.address["conversation"]), job.address.get("thread")
        if conversation.startswith(("U", "W")):  # a person: their direct messages have an id of their own
            answer, data = self._call(timeout, lambda client: client.conversations_open(users=conversation))
            if answer.code or answer.status != 200:
                yield answer, data
                return
            conversation = str(data["channel"]["id"])
        oldest = f"{max(0.0, (job.first_attempt or 0.0) - SKEW):.6f}"
        page: dict[str, Any] = {"channel": conversation, "oldest": oldest, "limit": 200, "include_all_metadata": True}
        for _ in range(PAGES):
            arguments = dict(page)
            answer, data = self._call(
                timeout,
                lambda client, arguments=arguments: (  # type: ignore[misc]  # mypy infers no lambda with a default
                    client.conversations_replies(ts=thread, **arguments)
                    if thread
                    else client.conversations_history(**arguments)
                ),
            )
            yield answer, data
            page["cursor"] = (data.get("response_metadata") or {}).get("next_cursor")
            if not page["cursor"]:
                return

    def _call(self, timeout: float, method: Callable[["WebClient"], Any]) -> tuple[Answer, Mapping[str, Any]]:
        """Call once. Raises NotSent, MaybeSent; an error that Slack names is an answer."""
        import http.client
        import urllib.error

        from slack_sdk import WebClient
        from slack_sdk.errors import SlackApiError, SlackClientError

        client = WebClient(
            self._token, base_url=self._url, timeout=max(1, int(timeout)), retry_handlers=[], logger=_silent
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

"""Slack: answers are posted and found again, people looked up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from parley.adapters.slack_api import SlackApi
from parley.channels import slack
from parley.channels.outcome import Answer, Delivered, MaybeSent, NotSent, Retry, Sent, Unsure
from parley.domain.delivery import Job
from parley.errors import Unavailable

PAGES = 10  # of 200 messages each, read at most when looking for an earlier attempt
SKEW = 60.0  # seconds that Slack's clock may differ from the database's

_PASSING = frozenset({"ratelimited", "rate_limited", "fatal_error", "internal_error", "service_unavailable"})
_NOBODY = frozenset({"user_not_found", "user_not_visible"})


@dataclass(frozen=True)
class Profile:
    """A person, as Slack knows them."""

    email: str | None
    name: str
    timezone: str | None


class Slack:
    """One workspace, by its bot token. `url` ends with `/api/`."""

    def __init__(self, token: str, url: str) -> None:
        self._api = SlackApi(token, url)

    def profile(self, user: str) -> Profile:
        """Look a person up; nothing is known of one whom Slack does not show. Raises Unavailable."""
        try:
            answer, data = self._api.call(5, lambda client: client.users_info(user=user))
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
        self._api.load()

    def send(self, job: Job, timeout: float) -> Sent:
        """Post an answer."""
        arguments = slack.render(job)
        try:
            answer, _ = self._api.call(timeout, lambda client: client.chat_postMessage(**arguments))
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
            answer, data = self._api.call(timeout, lambda client: client.conversations_open(users=conversation))
            if answer.code or answer.status != 200:
                yield answer, data
                return
            conversation = str(data["channel"]["id"])
        oldest = f"{max(0.0, (job.first_attempt or 0.0) - SKEW):.6f}"
        page: dict[str, Any] = {"channel": conversation, "oldest": oldest, "limit": 200, "include_all_metadata": True}
        for _ in range(PAGES):
            arguments = dict(page)
            answer, data = self._api.call(
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

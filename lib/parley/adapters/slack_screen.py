"""Streams in Slack: begun, continued, edited and ended, where the workspace has them."""

from collections.abc import Callable, Mapping
from typing import Any

from parley.adapters.slack_tokens import ApiOf
from parley.channels import slack, slack_parts, slack_text
from parley.channels.outcome import Answer, MaybeSent, NotSent
from parley.channels.slack_errors import classed, passes
from parley.channels.slack_text import shortened
from parley.errors import Rejected, Unavailable
from parley.streams import Begun, StreamOver, Titled

TIMEOUT = 8.0
BRIEF = 2.0  # for what may as well not be there


class SlackScreen:
    """What can be shown while an answer is made, in the workspace where it was asked."""

    def __init__(self, api_of: ApiOf) -> None:
        self._api_of = api_of
        self._silent: set[str] = set()  # workspaces that show no status: they are not asked again
        self._unknown: set[str] = set()  # those that know no sessions of agents

    def title(self, thread: Titled) -> None:
        """Give a thread its title, as it stands in the person's list of conversations with us."""
        if not (words := slack_text.title(thread.question)):
            return
        answer, _ = self._call(
            thread,
            lambda client: client.assistant_threads_setTitle(
                channel_id=thread.conversation, thread_ts=thread.thread, title=words
            ),
            BRIEF,
        )
        _check(answer)

    def working(self, begun: Begun) -> None:
        """Say that we are at work in this thread: Slack shows a button to stop it."""
        who = {"initiator_user_id": begun.person} if begun.person else {}
        self._session(begun, "processing", title=slack_text.title(begun.question), **who)

    def rested(self, begun: Begun, *, waits: bool) -> None:
        """Say that we are at work no more; `waits`: for the person."""
        self._session(begun, "suspended" if waits else "active")

    def _session(self, begun: Begun, status: str, **more: str) -> None:
        if begun.workspace in self._unknown:
            return
        where = {"channel_id": begun.conversation, "thread_ts": begun.thread}
        given = {name: value for name, value in more.items() if value}
        try:
            answer, _ = self._call(
                begun, lambda client: client.agents_sessions_setStatus(**where, status=status, **given), BRIEF
            )
        except StreamOver:
            return  # the answer is shown all the same
        if answer.code is not None and not passes(answer.code):
            self._unknown.add(begun.workspace)

    def status(self, begun: Begun, text: str) -> None:
        """Say what is done now, until the next message or two minutes have passed."""
        if begun.workspace in self._silent:
            return
        answer, _ = self._call(
            begun,
            lambda client: client.assistant_threads_setStatus(
                channel_id=begun.conversation, thread_ts=begun.thread, status=text
            ),
        )
        if answer.code is not None and classed(answer.code) in ("credential", "ours", "recipient"):
            self._silent.add(begun.workspace)

    def start(self, begun: Begun) -> str:
        """Begin a message that grows, with nothing in it yet: whoever dies now leaves no half answer."""
        who = {"recipient_user_id": begun.person, "recipient_team_id": begun.workspace} if begun.person else {}
        answer, _ = self._call(
            begun, lambda client: client.chat_startStream(channel=begun.conversation, thread_ts=begun.thread, **who)
        )
        _check(answer)
        return str(answer.provider_id)

    def append(self, begun: Begun, text: str) -> None:
        """Add text to it."""
        answer, _ = self._call(
            begun,
            lambda client: client.chat_appendStream(channel=begun.conversation, ts=str(begun.ts), markdown_text=text),
        )
        _check(answer)

    def stop(self, begun: Begun) -> None:
        """End it; one that has ended already stays so."""
        answer, _ = self._call(
            begun, lambda client: client.chat_stopStream(channel=begun.conversation, ts=str(begun.ts))
        )
        if answer.code is None or classed(answer.code) not in ("gone", "stopped"):
            _check(answer)

    def edit(self, begun: Begun, text: str) -> None:
        """Put another text in its place."""
        part = slack.parts(text)[0]
        answer, _ = self._call(
            begun,
            lambda client: client.chat_update(
                channel=begun.conversation,
                ts=str(begun.ts),
                text=shortened(slack_parts.words(part), slack.FALLBACK),
                blocks=slack_parts.rich(part),
            ),
        )
        _check(answer)

    def remove(self, begun: Begun, ts: str) -> None:
        """Take a message away that nobody needs."""
        self._call(begun, lambda client: client.chat_stopStream(channel=begun.conversation, ts=ts))
        self._call(begun, lambda client: client.chat_delete(channel=begun.conversation, ts=ts))

    def _call(
        self, begun: Begun | Titled, method: Callable[[Any], Any], timeout: float = TIMEOUT
    ) -> tuple[Answer, Mapping[str, Any]]:
        try:
            return self._api_of(begun.workspace, begun.enterprise).call(timeout, method)
        except (NotSent, MaybeSent, Rejected, Unavailable) as error:
            raise StreamOver(str(error)) from error


def _check(answer: Answer) -> None:
    if answer.code or answer.status != 200:
        name = classed(answer.code or "")
        code = answer.code or str(answer.status)
        raise StreamOver(code, stopped=name == "stopped", editable=answer.code == "message_not_in_streaming_state")

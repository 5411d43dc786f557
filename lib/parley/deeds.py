"""
What people do in a chat that is no question: edit, delete, stop, decide, vote, ask for a person, look, choose.

normalize applies each at once, to the rows that it is about; a deed that comes again changes nothing. What is shown in
return (a form filled in, the Home tab, a reply) is owed to nobody: when the chat system cannot show it, that is logged.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol
from uuid import UUID

from parley import logs
from parley.channels import slack_views
from parley.domain import turn
from parley.domain.delivery import Due
from parley.domain.events import Emit, MessageReceived
from parley.domain.requests import Decided
from parley.errors import Rejected, Unavailable

log = logging.getLogger("parley.deeds")

Row = Mapping[str, Any]

ESCALATED = "I have passed this on to a person, with what we said so far. They will get back to you."


class Chat(Protocol):
    """What the store knows of a chat."""

    def question(self, message: str) -> Row | None:
        """Give the request (`id`, `user_id`) that a message's identity was accepted as."""

    def edit(self, request_id: UUID, user_id: UUID, text: str) -> bool:
        """Replace the text of a question whose turn has not begun. Says whether it was replaced."""

    def open_in_thread(self, thread: str, user_id: UUID) -> Sequence[UUID]:
        """Name a person's open requests in a thread, first to last."""

    def recent(self, user_id: UUID) -> Sequence[Row]:
        """Give a person's latest requests: `id`, `question`, `state`, `asked`."""

    def to_hand_over(self, user_id: UUID, request_id: UUID | None) -> Row | None:
        """Give a person's request, the latest one for None, as `People.open` takes it."""

    def start_over(self, user_id: UUID, conversations: Sequence[str]) -> int:
        """Close a person's sessions in these conversations. Gives how many."""

    def preferences(self, user_id: UUID) -> Row:
        """Give `channels` {name: rank, 0: never, None: as everybody}, `quiet` (from, until) or None, `timezone`."""

    def prefer(self, user_id: UUID, values: Mapping[str, str]) -> None:
        """Keep what was filled into the form of preferences."""

    def vote(self, request_id: UUID, user_id: UUID, rating: str) -> bool:
        """Keep what a person thinks of an answer of theirs, the last word counting. Says whether it is theirs."""


class Requests(Protocol):
    """The store of requests."""

    def cancel(self, request_id: UUID, user_id: UUID, error: dict[str, Any]) -> Emit | None:
        """Cancel a user's request, at once or at its next step; gives the nudge for the one that it held up."""


class Decisions(Protocol):
    """What people decide about."""

    def decide(self, action_id: UUID, user_id: UUID, *, digest: str, approve: bool) -> Decided | None:
        """Decide an action of this user's, once."""


class People(Protocol):
    """Those who take over."""

    def open(self, request: Row, reason: str | None) -> tuple[Row, Sequence[Due]]:
        """Hand a request over, once; gives the row of the list (`id`), and what is due to be told."""


class Surface(Protocol):
    """What the chat system shows of us besides messages. Each raises Unavailable, Rejected."""

    def fill(self, workspace: str, enterprise: str, view_id: str, view: Row) -> None: ...
    def publish_home(self, workspace: str, enterprise: str, user: str, view: Row) -> None: ...
    def suggest(
        self, workspace: str, enterprise: str, conversation: str, thread: str, prompts: Sequence[Mapping[str, str]]
    ) -> None: ...
    def reply(self, url: str, message: Row) -> None: ...


class Deeds:
    """Applies every kind of `parley.message.received` but `message`."""

    def __init__(
        self,
        chat: Chat,
        requests: Requests,
        decisions: Decisions,
        people: People,
        surface: Surface,
        *,
        prompts: Callable[[], Sequence[Mapping[str, str]]] = tuple,
    ) -> None:
        self._chat = chat
        self._requests = requests
        self._decisions = decisions
        self._people = people
        self._surface = surface
        self._prompts = prompts
        self._kinds: Mapping[str, Callable[[MessageReceived, UUID], Emit | None]] = {
            "edit": self._edit,
            "delete": self._delete,
            "stop": self._stop,
            "action": self._decide,
            "vote": self._vote,
            "command": self._command,
            "opened": self._opened,
            "submitted": self._submitted,
        }

    def __call__(self, done: MessageReceived, user_id: UUID) -> Emit | None:
        """Apply a deed of this user's; gives the nudge that follows."""
        apply = self._kinds.get(done.kind)
        if apply is None:
            raise Rejected(f"nobody applies a deed of kind {done.kind}")
        logs.bind(deed=done.kind)
        return apply(done, user_id)

    def _edit(self, done: MessageReceived, user_id: UUID) -> None:
        """Replace what has not begun to be answered; an edit that comes later changes nothing."""
        asked = self._chat.question(done.about)
        if asked and asked["user_id"] == user_id:
            logs.bind(edited=self._chat.edit(asked["id"], user_id, done.text))

    def _delete(self, done: MessageReceived, user_id: UUID) -> Emit | None:
        asked = self._chat.question(done.about)
        return self._cancel(asked["id"], user_id) if asked and asked["user_id"] == user_id else None

    def _stop(self, done: MessageReceived, user_id: UUID) -> Emit | None:
        """Cancel the request that the button names, else the one that runs in the thread."""
        named = [_id(done.about)] if done.about else self._chat.open_in_thread(_thread(done), user_id)[:1]
        emit = self._cancel(named[0], user_id) if named else None
        self._home_again(done, user_id)
        return emit

    def _decide(self, done: MessageReceived, user_id: UUID) -> Emit | None:
        approve = done.values.get("decision") == "approve"
        decided = self._decisions.decide(
            _id(done.about), user_id, digest=done.values.get("digest", ""), approve=approve
        )
        if decided is None:
            self._reply(done, "This is not yours to decide.")
            return None
        words, is_over = _DECIDED.get(decided.state, "This is over."), decided.state != "open"
        told = f"{done.text}\n\n*{words}*" if is_over and done.text else words
        self._reply(done, told, replace_original=is_over)
        return decided.emit

    def _vote(self, done: MessageReceived, user_id: UUID) -> None:
        if self._chat.vote(_id(done.about), user_id, done.values.get("rating", "")):
            self._reply(done, "Thank you, that helps.")

    def _command(self, done: MessageReceived, user_id: UUID) -> Emit | None:
        match done.name:
            case "escalate":
                return self._escalate(done, user_id)
            case "status":
                self._show(self._surface.reply, done.reply_url, slack_views.status(self._chat.recent(user_id)))
            case "new":
                places = (done.conversation, done.sender)
                self._chat.start_over(user_id, [f"{done.origin}:{done.workspace}:{place}" for place in places])
                self._reply(done, "Forgotten. What you write next begins a new conversation.")
            case "preferences":
                view = slack_views.preferences(self._chat.preferences(user_id))
                self._show(self._surface.fill, done.workspace, done.enterprise, done.view, view)
        return None

    def _escalate(self, done: MessageReceived, user_id: UUID) -> Emit | None:
        """Hand over the request that the button names, else the latest one; people are told by a delivery."""
        request = self._chat.to_hand_over(user_id, _id(done.about) if done.about else None)
        if request is None:
            self._reply(done, "This is not yours to hand over." if done.about else "You have asked nothing yet.")
            return None
        row, due = self._people.open(request, done.text or None)
        self._reply(done, ESCALATED)
        return due[0].emit(f"escalated {row['id']}", done.traceparent) if due else None

    def _opened(self, done: MessageReceived, user_id: UUID) -> None:
        if done.name == "home":
            self._home(done, user_id)
        elif prompts := self._prompts():
            self._show(self._surface.suggest, done.workspace, done.enterprise, done.conversation, done.thread, prompts)

    def _submitted(self, done: MessageReceived, user_id: UUID) -> None:
        self._chat.prefer(user_id, done.values)
        self._home(done, user_id)

    def _cancel(self, request_id: UUID, user_id: UUID) -> Emit | None:
        return self._requests.cancel(request_id, user_id, turn.CANCELLED)

    def _home(self, done: MessageReceived, user_id: UUID) -> None:
        view = slack_views.home(self._chat.recent(user_id), self._chat.preferences(user_id))
        self._show(self._surface.publish_home, done.workspace, done.enterprise, done.sender, view)

    def _home_again(self, done: MessageReceived, user_id: UUID) -> None:
        """Show the Home tab anew when that is where the button was."""
        if done.conversation == done.sender:
            self._home(done, user_id)

    def _reply(self, done: MessageReceived, words: str, **more: Any) -> None:
        if done.reply_url:
            message = {"response_type": "ephemeral", "replace_original": False, "text": words, **more}
            self._show(self._surface.reply, done.reply_url, message)

    def _show(self, show: Callable[..., None], *arguments: Any) -> None:
        try:
            show(*arguments)
        except (Unavailable, Rejected):
            log.warning("not shown", exc_info=True)


_DECIDED = {
    "approved": "Approved. I go on.",
    "denied": "Denied. Nothing is done.",
    "expired": "Too late: this has expired.",
    "superseded": "Another message came instead; nothing was done.",
    "open": "This has changed meanwhile. Please look at the newest request.",
}


def _thread(done: MessageReceived) -> str:
    return f"{done.origin}:{done.workspace}:{done.conversation}:{done.thread}"


def _id(text: str) -> UUID:
    with suppress(ValueError):
        return UUID(text)
    raise Rejected("an id that is none")

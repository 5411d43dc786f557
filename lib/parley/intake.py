"""
normalize: whose message is this, in which session, and was it seen before?

The rows decide: a message that comes again (retries, `message` and `app_mention` doubles) finds its request by the
message's identity.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from parley import envelope
from parley.domain import ids
from parley.domain.events import Emit, MessageReceived
from parley.domain.requests import Accepted, NewRequest, SessionWanted
from parley.errors import Rejected

log = logging.getLogger("parley.intake")


class Profile(Protocol):
    """What the chat system tells of a person. E-mail and time zone may be unknown."""

    @property
    def email(self) -> str | None: ...
    @property
    def name(self) -> str: ...
    @property
    def timezone(self) -> str | None: ...


class Directory(Protocol):
    """The chat system's people."""

    def profile(self, workspace: str, enterprise: str, user: str, /) -> Profile:
        """Look a person up. Raises Unavailable."""


class People(Protocol):
    """Our people."""

    def known(self, kind: str, value: str) -> UUID | None:
        """Give the user of an identity, if we have met."""

    def meet(self, kind: str, value: str, *, email: str | None, name: str, timezone: str | None) -> UUID:
        """Give the user of a new identity."""


class Store(Protocol):
    """Where requests are kept."""

    def accept(self, new: NewRequest) -> Accepted:
        """Store a request, once for its key."""

    def takes_part(self, thread: str, user_id: UUID) -> bool:
        """Whether this user has asked something in this thread."""

    def ready(self) -> None:
        """Raise Unavailable while the store cannot be used."""

    def close(self) -> None:
        """Give back connections."""


class Deeds(Protocol):
    """Applies what is no question."""

    def __call__(self, done: MessageReceived, user_id: UUID) -> Emit | None: ...


class Intake:
    """The handler of normalize."""

    def __init__(
        self,
        people: People,
        store: Store,
        directory: Directory,
        keys: Sequence[str] | None,
        deeds: Deeds,
        forget: Callable[[str], bool] | None = None,
        coalesce: bool = False,
    ) -> None:
        """
        `keys` sign the events; None accepts unsigned ones, for development. `forget` drops the tokens of a workspace.
        `coalesce`: messages that wait next to each other are answered together.
        """
        self._people = people
        self._store = store
        self._directory = directory
        self._keys = keys
        self._deeds = deeds
        self._forget = forget
        self._coalesce = coalesce
        self.ready = store.ready
        self.close = store.close

    def guard(self, event: envelope.Event) -> None:
        """Refuse an event that slack-ingest has not signed."""
        if self._keys is not None and not envelope.is_signed(event, self._keys):
            raise Rejected("the signature is missing or wrong")

    def __call__(self, message: MessageReceived) -> Emit | None:
        if message.kind == "uninstalled":
            self._removed(message)
            return None
        user_id = self._who(message)
        return self._asked(message, user_id) if message.kind == "message" else self._deeds(message, user_id)

    def _removed(self, message: MessageReceived) -> None:
        """Forget the tokens of a place that has removed us; of an organisation, when that has us as a whole."""
        place = message.enterprise or message.workspace
        known = self._forget(place) if self._forget else False
        log.error("the app was removed from a workspace", extra={"fields": {"workspace": place, "known": known}})

    def _asked(self, message: MessageReceived, user_id: UUID) -> Emit | None:
        thread = f"{message.origin}:{message.workspace}:{message.conversation}:{message.thread}"
        addressed = message.is_mention or message.is_direct
        if not addressed and not self._store.takes_part(thread, user_id):
            return None
        accepted = self._store.accept(replace(_request(message, user_id, thread), coalesce=self._coalesce))
        if accepted.replayed and accepted.state != "queued":
            return None
        return Emit(accepted.created(), cause="accepted", traceparent=message.traceparent)

    def _who(self, message: MessageReceived) -> UUID:
        identity = f"{message.workspace}:{message.sender}"
        if known := self._people.known(message.origin, identity):
            return known
        profile = self._directory.profile(message.workspace, message.enterprise, message.sender)
        return self._people.meet(
            message.origin, identity, email=profile.email, name=profile.name, timezone=profile.timezone
        )


def _request(message: MessageReceived, user_id: UUID, thread: str) -> NewRequest:
    address = {"channel": message.origin, "workspace": message.workspace, "conversation": message.conversation}
    if message.enterprise:
        address["enterprise"] = message.enterprise
    return NewRequest(
        id=ids.new(),
        user_id=user_id,
        session=SessionWanted(
            conversation=f"{message.origin}:{message.workspace}:{message.conversation}",
            thread=thread if message.thread else None,
            conversation_continues=message.is_direct and not message.is_reply,
        ),
        source=message.origin,
        content=message.text,
        principal=f"{message.origin}:{message.workspace}",
        route="message",
        key=message.key,
        origin={**address, "thread": message.thread or None, "user": message.sender},
        traceparent=message.traceparent,
        files=tuple(file.model_dump() for file in message.files),
    )

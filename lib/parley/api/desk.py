"""What the API works with: its stores, its settings, and the few things that several resources do alike."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from parley.adapters.postgres.actions import Actions
from parley.adapters.postgres.api import Keys, Views
from parley.adapters.postgres.conversations import Conversations
from parley.adapters.postgres.database import Database, also_seeing, seeing
from parley.adapters.postgres.escalations import Escalations
from parley.adapters.postgres.privacy import Privacy
from parley.adapters.postgres.sign_ins import SignIns
from parley.adapters.postgres.staff import Staff
from parley.adapters.postgres.users import Users
from parley.api import access, views
from parley.api.access import Action
from parley.api.problems import Problem
from parley.api.waiting import Waiting
from parley.domain.budget import ANY, Amount
from parley.domain.events import Emit
from parley.domain.keys import Principal
from parley.domain.plan import Defaults, Rank
from parley.domain.requests import Accepted, NewRequest
from parley.errors import Rejected, Unavailable
from parley.ports import Publisher

if TYPE_CHECKING:
    from parley.adapters.oidc_code import CodeFlow
    from parley.api.notifications import Notices
    from parley.api.slack_install import SlackApp

log = logging.getLogger("parley.api")

# What is published once the transaction of this call has committed: see `publishing_later`.
_later: ContextVar[list[Emit] | None] = ContextVar("later", default=None)


class Store(Protocol):
    """Where requests are kept, and cancelled."""

    def accept(self, new: NewRequest, /) -> Accepted:
        """Store a request, once for its key."""

    def spent(self, user_id: UUID, limit: Amount) -> datetime | None:
        """Give the time from which a user may ask again, when the day's budget is spent."""

    def cancel(self, request_id: UUID, user_id: UUID, error: dict[str, Any]) -> Emit | None:
        """Cancel a user's request, at once or at its next step; gives the nudge for the one that it held up."""


@dataclass
class Rules:
    """
    How the API behaves. `signing_key` derives the secrets of webhooks and signs links, unless `link_key` does; at most
    `most_waiters` wait at once; `leaving` says that the process is about to end; `public_url` is where others reach it,
    without a slash; `allow_private` names networks of ours that webhooks may be in.
    """

    signing_key: str
    most_waiters: int = 5
    leaving: Callable[[], bool] = lambda: False
    public_url: str = ""
    link_key: str = ""
    notices: "Notices | None" = None  # of what became of mails
    origins: tuple[str, ...] = ()
    defaults: Callable[[], Defaults] = lambda: Defaults({})
    budget: Amount = ANY  # what a user may spend in a day
    people: Rank | None = None  # where those are told to whom a conversation is handed over
    stream_seconds: float = 55.0
    beat_seconds: float = 15.0
    sign_in: "CodeFlow | None" = None  # at the OpenID provider, on the page
    slack_app: "SlackApp | None" = None  # where many workspaces may add us
    allow_private: tuple[str, ...] = ()


@dataclass
class Desk:
    """The stores, for the views."""

    database: Database
    store: Store
    publisher: Publisher
    rules: Rules
    more: dict[str, Any] = field(default_factory=dict)  # what other resources keep here, by their name

    @cached_property
    def views(self) -> Views:
        return Views(self.database)

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.database)

    @cached_property
    def sign_ins(self) -> SignIns:
        return SignIns(self.database)

    @cached_property
    def users(self) -> Users:
        return Users(self.database)

    @cached_property
    def sessions(self) -> Conversations:
        return Conversations(self.database)

    @cached_property
    def privacy(self) -> Privacy:
        return Privacy(self.database)

    @cached_property
    def staff(self) -> Staff:
        return Staff(self.database)

    @cached_property
    def escalations(self) -> Escalations:
        return Escalations(self.database, self.rules.people)

    @cached_property
    def decisions(self) -> Actions:
        return Actions(self.database)

    @cached_property
    def waiting(self) -> Waiting:
        return Waiting(self.views.versions, self.views.events, most=self.rules.most_waiters, leaving=self.rules.leaving)

    def publish(self, nudge: Emit) -> None:
        """Publish after the commit; when that fails, the sweep finds the row."""
        if (later := _later.get()) is not None:
            later.append(nudge)
            return
        try:
            self.publisher.publish(nudge)
        except (Unavailable, Rejected):
            log.warning("nudge not published", exc_info=True)

    @contextmanager
    def publishing_later(self) -> Iterator[None]:
        """Publish what is published inside at its end, unless it fails."""
        later: list[Emit] = []
        token = _later.set(later)
        try:
            yield
        finally:
            _later.reset(token)
        for nudge in later:
            self.publish(nudge)

    def audit(self, who: Principal, action: str, object_: str) -> None:
        """Write down what somebody did with what is not their own."""
        detail = {"role": who.role, **({"key": str(who.key_id)} if who.key_id else {})}
        self.staff.audit(f"user:{who.caller}", action, object_, detail)

    def granted(self, who: Principal, action: Action, row: dict[str, Any] | None, name: str) -> dict[str, Any]:
        """Give a row that the caller may do this with. Raises Problem."""
        found = access.granted(who, action, row, self._audited, name)
        also_seeing(found["user_id"])  # who asked for somebody else works with that person's session, too
        return found

    def request(self, who: Principal, request_id: UUID, action: Action) -> dict[str, Any]:
        """Give a request that the caller may do this with, while there is something to see. Raises Problem."""
        row = self.granted(who, action, self.views.request(request_id), f"request {request_id}")
        if row["erased_at"]:
            raise Problem("gone", detail="It was erased.")
        return row

    def session(self, who: Principal, session_id: UUID, action: Action) -> dict[str, Any]:
        """Give a session that the caller may do this with. Raises Problem."""
        return self.granted(who, action, self.sessions.get(session_id), f"session {session_id}")

    def person(self, who: Principal, text: str, action: Action) -> UUID:
        """Give the user of a path: `me`, one's own id, or for staff anybody's. Raises Problem."""
        user_id = access.person(who, text, action, self._audited, f"user {text}")
        if user_id != who.user_id and self.views.me(user_id) is None:
            raise Problem("not-found")
        return user_id

    def _audited(self, who: Principal, action: str, name: str) -> None:
        self.audit(who, f"{action} {name.partition(' ')[0]}", name)

    def may_read(self, who: Principal, row: dict[str, Any]) -> bool:
        """Whether the caller may read what was said."""
        return access.may(who, "read", row)

    def unwalled(self) -> AbstractContextManager[None]:
        """Work without row-level security: for what is nobody's own, once it is decided that the caller may."""
        return seeing(None)

    def defaults(self) -> Defaults:
        """Give the system's defaults of all channels."""
        return self.rules.defaults()

    def actions(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Give what a request waits for a yes to, as it is shown."""
        if row["state"] != "requires_action":
            return []
        return [views.action(one) for one in self.decisions.of_request(row["id"]) if one.state == "open"]

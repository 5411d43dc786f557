"""What the tests of the page act with: people, and turns that they play themselves."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from databases import run
from playwright.sync_api import Page, expect
from processes import until

from parley import envelope
from parley.adapters.postgres import letters
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.requests import Requests
from parley.domain.actions import Wanted
from parley.domain.plan import Plan, Rank

CITATION = {"document": "laptops", "title": "Laptop refresh policy", "heading": "When am I eligible", "anchor": "age"}


@dataclass
class Stage:
    """request-api, its database, and what it has published."""

    url: str
    database: Database
    events: list[envelope.Event] = field(default_factory=list)
    _expected: list[str] = field(default_factory=list)

    def key(self, role: str = "user", email: str = "") -> str:
        """Give a key of somebody new, or of this address."""
        return Keys(self.database).create(email=email or f"{uuid.uuid4().hex}@example.org", role=role, name="test")

    def sign_in(self, page: Page, role: str = "user", email: str = "", path: str = "/chat") -> None:
        """Sign in with a new key, as people do."""
        page.goto(f"/sign-in?then={path}")
        page.get_by_label("API key").fill(self.key(role, email))
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{path}*")
        expect(page.locator(".welcome, .turn, #tabs a").first).to_be_visible()

    def asked(self, page: Page, text: str) -> UUID:
        """Ask on the page; gives the request."""
        seen = len(self.events)
        page.get_by_label("Your question").fill(text)
        page.keyboard.press("Enter")
        return self.next(seen)

    def next(self, seen: int) -> UUID:
        """Give the request that is published next."""
        event = until(lambda: next((e for e in self.events[seen:] if e.type == "parley.request.created"), None))
        return UUID(event.subject)

    def take(self, request_id: UUID) -> "Played":
        """Take the turn, as agent-turn does."""
        turn = Requests(self.database).claim(request_id, owner="agent-turn-7f4c", revision="1")
        assert turn
        assert turn.verdict == "take"
        return Played(self.database, turn)

    def letter(self, kind: str = "parley.request.created") -> None:
        """Let a function have failed."""
        event = envelope.Event(uuid.uuid4().hex, "/agent-turn", kind)
        letters.store(self.database, event, destination="http://agent-turn.parley/", code=500, reason="internal error")

    @contextmanager
    def fault(self, text: str) -> Iterator[None]:
        """Let the browser say this: the test causes it."""
        self._expected.append(text)
        yield

    def expects(self, fault: str) -> bool:
        """Whether a test has said that it causes this."""
        return any(text in fault for text in self._expected)


class Played:
    """A turn that the test plays."""

    def __init__(self, database: Database, turn: Any) -> None:
        self._store = Requests(database)
        self._deliveries = Deliveries(database, owner="test")
        self._store_url = database.url
        self.turn = turn

    def tell(self, *told: tuple[str, dict[str, Any]]) -> None:
        """Tell of progress."""
        self._store.tell(self.turn, *told)

    def say(self, *words: str) -> None:
        """Say words of the answer."""
        self.tell(*(("text", {"step": self.turn.step, "delta": word}) for word in words))

    def thought(self, text: str = "") -> None:
        """Journal a step of the model."""
        self._store.journal(self.turn, kind="model", fingerprint=uuid.uuid4().hex, output={"text": text, "calls": []})

    def call(self, tool: str, state: str = "done") -> None:
        """Call a tool: intent, call, outcome."""
        self._store.intend(self.turn, fingerprint=uuid.uuid4().hex)
        self.tell(("tool_call", {"step": self.turn.step, "tool": tool, "state": "started"}))
        self.tell(("tool_call", {"step": self.turn.step, "tool": tool, "state": state}))
        self._store.journal(self.turn, kind="tool", fingerprint=uuid.uuid4().hex, output={"text": "done"})

    def ask(self, tool: str, arguments: dict[str, Any], summary: str) -> None:
        """Ask the person whether it may be done, and leave."""
        self._store.wait(self.turn, Wanted(tool, arguments, "write", summary, uuid.uuid4().hex, 3600.0), _plan())

    def answer(self, text: str, *, ranks: Sequence[str] = (), citations: Sequence[dict[str, str]] = (CITATION,)) -> Any:
        """End it with an answer, to be sent by these channels. Gives what is due."""
        result = {"text": text, "citations": list(citations), "agent": "it-desk"}
        due, _ = self._store.complete(self.turn, result, _plan(*ranks))
        return due

    def attempt(self, due: Any, outcome: Any) -> None:
        """Try once to send what is due, with this outcome."""
        run(
            self._store_url,
            "update deliveries set due_at = clock_timestamp(), not_before = null where id = %s",
            due.delivery_id,
        )
        held = self._deliveries.claim(due.delivery_id, due.channel)
        assert held.job, held
        self._deliveries.record(held.job, outcome)


def _plan(*ranks: str) -> Plan:
    chosen = tuple(
        Rank(channel, number, {"to": "ann"}, f"{channel}:{uuid.uuid4().hex}", timedelta(minutes=30))
        for number, channel in enumerate(ranks, start=1)
    )
    return Plan("first", chosen, (), datetime.now(UTC))


def turns(page: Page, count: int) -> None:
    """Wait until this many answers are complete."""
    expect(page.locator(".turn[data-is=completed]")).to_have_count(count)

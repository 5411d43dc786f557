"""
agent-turn: one turn of one session, in short transactions with none open across a model call.

claim → steps, each journaled → commit. A turn that cannot go on is given back before the broker hears of it; only a
crash leaves its lease to expire.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from parley import logs
from parley.agents import loop
from parley.agents.config import AgentSet
from parley.domain import turn
from parley.domain.delivery import Due
from parley.domain.events import Emit, RequestCreated
from parley.domain.plan import Asked, Defaults, Override, Plan, plan
from parley.domain.turn import Cancelled, LeaseLost, Turn
from parley.errors import Rejected, Unavailable
from parley.ports import Publisher
from parley.recovery import publish_all

log = logging.getLogger("parley.turns")

PAUSE = 2.0  # seconds until a turn that was given back is due again; the broker's own retry usually comes first

ENDINGS = {
    "cancelled": ("cancelled", "urn:parley:problem:cancelled", "The request was cancelled."),
    "expired": ("failed", "urn:parley:problem:deadline", "No answer could be given in time. Please ask again."),
    "spent": ("failed", "urn:parley:problem:attempts", "This could not be answered. Please contact the service desk."),
}


class Store(Protocol):
    """Where turns are taken and ended."""

    def claim(self, request_id: UUID, *, owner: str, revision: str) -> Turn | None: ...
    def journal(self, held: Turn, *, kind: str, fingerprint: str, output: dict[str, Any]) -> None: ...
    def complete(self, held: Turn, result: dict[str, Any], plan: Plan) -> tuple[list[Due], Emit | None]: ...
    def end(self, held: Turn, state: str, error: dict[str, Any], plan: Plan) -> tuple[list[Due], Emit | None]: ...
    def release(self, held: Turn, *, pause: float, failed: bool) -> None: ...
    def due_delivery(self, request_id: UUID) -> Due | None: ...
    def ready(self) -> None: ...
    def close(self) -> None: ...


class Turns:
    """The handler of agent-turn."""

    def __init__(
        self,
        store: Store,
        agents: AgentSet,
        engine: loop.Engine,
        planner: Callable[[Turn], Plan],
        publisher: Publisher,
        *,
        owner: str,
        revision: str,
    ) -> None:
        self._store = store
        self._agents = agents
        self._engine = engine
        self._planner = planner
        self._publisher = publisher
        self._owner = owner
        self._revision = revision

    def __call__(self, created: RequestCreated) -> Emit | None:
        held = self._store.claim(created.request_id, owner=self._owner, revision=self._revision)
        if held is None:
            raise Rejected("no such request")
        logs.bind(session_id=held.session_id, epoch=held.epoch, verdict=held.verdict)
        if held.verdict in ("busy", "behind"):
            return None
        if held.verdict == "over":
            due = self._store.due_delivery(held.request_id)
            return due.emit("ended", held.traceparent) if due else None
        return self._held(held)

    def ready(self) -> None:
        """Raise Unavailable while the store cannot be used."""
        self._store.ready()

    def close(self) -> None:
        """Give back connections."""
        self._store.close()

    def _held(self, held: Turn) -> Emit | None:
        try:
            due, following = self._finish(held)
        except LeaseLost:
            log.warning("lease lost")
            return None
        except Unavailable:
            self._store.release(held, pause=PAUSE, failed=False)
            raise
        except Exception:
            self._store.release(held, pause=PAUSE, failed=True)
            raise
        ready = [one.emit(f"turn {held.epoch}", held.traceparent) for one in due]
        nudges = [*ready, *([following] if following else [])]
        publish_all(self._publisher, nudges[1:])
        return nudges[0] if nudges else None

    def _finish(self, held: Turn) -> tuple[list[Due], Emit | None]:
        if held.verdict != "take":
            state, kind, title = ENDINGS[held.verdict]
            return self._store.end(held, state, {"type": kind, "title": title}, self._last_plan(held))
        try:
            reply = self._answer(held)
            result = {"text": reply.text, "citations": list(reply.citations), "agent": reply.agent}
            return self._store.complete(held, result, self._planner(held))
        except Cancelled:
            held.verdict = "cancelled"
            return self._finish(held)

    def _last_plan(self, held: Turn) -> Plan:
        """Plan how a turn without an answer is told of. It must end: a bug in the planner leaves it to be polled."""
        try:
            return self._planner(held)
        except Unavailable:
            raise
        except Exception:
            log.exception("bug while planning")
            return Plan("first", (), (), datetime.now(UTC))

    def _answer(self, held: Turn) -> loop.Reply:
        """Run the loop to its reply. Raises Cancelled when the user has asked for it meanwhile."""
        conversation = loop.start(self._agents, held.content, held.history, held.agent)
        while True:
            decision = loop.decide(self._agents, conversation)
            if isinstance(decision, loop.Reply):
                return decision
            mark = turn.fingerprint(decision.agent.name, held.content, conversation.handovers, self._revision)
            done = next((step for step in held.journal.values() if step.fingerprint == mark), None)
            if done:
                answer = loop.Answer.of(done.output)
            else:
                answer = self._engine.ask(decision.agent, conversation)
                self._store.journal(held, kind="model", fingerprint=mark, output=answer.as_dict())
            conversation = loop.after(self._agents, conversation, answer)


class Planner:
    """Makes the plan of a turn from the system's defaults and what the store knows of the user."""

    def __init__(
        self,
        defaults: Defaults,
        inputs: Callable[[UUID], Mapping[str, Any]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`inputs` gives a user's email, slack identities and overrides."""
        self._defaults = defaults
        self._inputs = inputs
        self._clock = clock

    def __call__(self, held: Turn) -> Plan:
        if held.origin is None and held.delivery is None:
            return Plan("first", (), (), self._clock())  # polled: nothing of the user is needed
        user = self._inputs(held.user_id)
        overrides = [
            Override(o["channel"], o["enabled"], o["rank"], o["config"], str(o["id"])) for o in user["overrides"]
        ]
        asked = Asked(
            held.source, origin=held.origin, wanted=held.delivery, email=user["email"], slack=tuple(user["slack"])
        )
        return plan(self._defaults, overrides, asked, self._clock())

"""
agent-turn: one turn of one session, in short transactions with none open across a model call.

claim → steps, each journaled → commit. A turn that cannot go on is given back before the broker hears of it; only a
crash leaves its lease to expire. One that takes long, or whose process is told to leave, goes on in another invocation.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from parley import logs, telemetry
from parley.agents import loop
from parley.agents.config import AgentSet
from parley.domain import turn
from parley.domain.actions import Wanted
from parley.domain.budget import UNLIMITED, Budget
from parley.domain.delivery import Due
from parley.domain.escalation import Escalation, transcript
from parley.domain.events import Emit, RequestCreated, TurnStarted
from parley.domain.plan import Asked, Defaults, Plan, Rank, inputs, plan
from parley.domain.turn import Cancelled, LeaseLost, Spent, Turn
from parley.errors import Rejected, Unavailable
from parley.ports import Files, Publisher, Tools
from parley.recovery import Standby, publish_all
from parley.steps import GoOn, Journal, Steps, Waits

log = logging.getLogger("parley.turns")

BUDGET = "urn:parley:problem:budget-spent"
SPENT = "What you may spend today is spent. Please ask again tomorrow."
PAUSE = 2.0  # seconds until a turn that was given back is due again, doubled by each nudge; the broker's retry is first


class Store(Journal, Protocol):
    """Where turns are taken and ended."""

    def claim(self, request_id: UUID, *, owner: str, revision: str) -> Turn | None: ...
    def wait(self, held: Turn, wanted: Wanted, plan: Plan) -> list[Due]: ...
    def complete(
        self, held: Turn, result: dict[str, Any], plan: Plan, escalation: Escalation | None = None
    ) -> tuple[list[Due], Emit | None]: ...
    def end(self, held: Turn, state: str, error: dict[str, Any], plan: Plan) -> tuple[list[Due], Emit | None]: ...
    def release(self, held: Turn, *, pause: float, failed: bool) -> None: ...
    def due_delivery(self, request_id: UUID) -> Due | None: ...
    def ready(self) -> None: ...
    def close(self) -> None: ...


class Turns:
    """
    The handler of agent-turn.

    Seconds: `beat` between renewals of the lease, `long` until an invocation ends at its next step, `patience` for a
    person to decide. `policy`, `files` and `budget`: see `steps.Steps`. `escalation` is where people are told of a
    conversation that they should take over. `signs`: tell Slack that a turn runs. `leaving` says that the process is
    about to end.
    """

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
        tools: Tools | None = None,
        files: Files | None = None,
        policy: loop.Policy = lambda *_: None,
        standby: Standby | None = None,
        beat: float = 20.0,
        long: float = 120.0,
        patience: float = 3600.0,
        signs: bool = False,
        budget: Budget = UNLIMITED,
        escalation: Rank | None = None,
        leaving: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._planner = planner
        self._publisher = publisher
        self._owner = owner
        self._revision = revision
        self._standby = standby
        self._long = long
        self._signs = signs
        self._leaving = leaving
        self._escalation = escalation
        self._clock = clock
        self._steps = Steps(
            store, agents, engine, revision=revision, tools=tools, files=files, policy=policy, beat=beat,
            patience=patience, budget=budget, clock=clock,
        )  # fmt: skip

    def __call__(self, created: RequestCreated) -> Emit | None:
        emit = self._turn(created)
        if self._standby:
            self._standby.look()
        return emit

    def ready(self) -> None:
        """Raise Unavailable while the store cannot be used."""
        self._store.ready()

    def close(self) -> None:
        """Give back connections."""
        if self._standby:
            self._standby.close()
        self._store.close()

    def _turn(self, created: RequestCreated) -> Emit | None:
        with telemetry.span("claim") as claiming:
            held = self._store.claim(created.request_id, owner=self._owner, revision=self._revision)
            claiming.note({"parley.verdict": held.verdict if held else "unknown"})
        if held is None:
            raise Rejected("no such request")
        logs.bind(session_id=held.session_id, epoch=held.epoch, verdict=held.verdict)
        if held.verdict in ("busy", "behind", "waiting"):
            _counted(held.verdict)
            return None
        if held.verdict == "over":
            _counted("over")
            due = self._store.due_delivery(held.request_id)
            return due.emit("ended", held.traceparent) if due else None
        return self._held(held)

    def _held(self, held: Turn) -> Emit | None:
        until = self._clock() + self._long
        self._announce(held)
        try:
            due, following = self._finish(held, until)
        except GoOn:
            _counted("goes_on")
            self._store.release(held, pause=PAUSE, failed=False)
            contract = RequestCreated(request_id=held.request_id, session_id=held.session_id)
            return Emit(contract, cause=f"step {held.step} of epoch {held.epoch}", traceparent=held.traceparent)
        except LeaseLost:
            _counted("lost")
            log.warning("lease lost")
            return None
        except Unavailable:
            _counted("unavailable")
            self._store.release(held, pause=PAUSE, failed=False)
            raise
        except Exception:
            _counted("bug")
            self._store.release(held, pause=PAUSE, failed=True)
            raise
        ready = [one.emit(f"turn {held.epoch}", held.traceparent) for one in due]
        nudges = [*ready, *([following] if following else [])]
        publish_all(self._publisher, nudges[1:])
        return nudges[0] if nudges else None

    def _announce(self, held: Turn) -> None:
        """Let a sign of life be shown where it was asked; whether it is, is no matter of the turn."""
        if not self._signs or held.verdict != "take" or (held.origin or {}).get("channel") != "slack":
            return
        started = TurnStarted(request_id=held.request_id, session_id=held.session_id, channel="slack")
        try:
            self._publisher.publish(Emit(started, cause=f"epoch {held.epoch}", traceparent=held.traceparent))
        except (Unavailable, Rejected):
            log.info("no sign of life")

    def _finish(self, held: Turn, until: float) -> tuple[list[Due], Emit | None]:
        """End the turn, or let it wait for a person. Gives the due deliveries and the nudge for the next request."""
        if held.verdict != "take":
            state, kind, title = turn.ENDINGS[held.verdict]
            _counted(held.verdict)
            return self._store.end(held, state, {"type": kind, "title": title}, self._last_plan(held))
        try:
            reply = self._steps.answer(held, lambda: self._leaving() or self._clock() > until)
            held.forgets = reply.forgets
            result = {"text": reply.text, "citations": list(reply.citations), "agent": reply.agent}
            ended = self._store.complete(held, result, self._planner(held), self._escalated(held))
            _counted("completed")
            return ended
        except Spent as spent:
            _counted("budget_spent")
            error = {"type": BUDGET, "title": SPENT, "resets_at": spent.resets.isoformat()}
            return self._store.end(held, "failed", error, self._last_plan(held))
        except Waits as waits:
            return self._wait(held, waits.wanted)
        except Cancelled:
            held.verdict = "cancelled"
            return self._finish(held, until)

    def _escalated(self, held: Turn) -> Escalation | None:
        if held.escalation is None:
            return None
        told = transcript(held.content, held.history, reason=held.escalation, summary=held.summary)
        return Escalation(held.escalation, told, self._escalation)

    def _wait(self, held: Turn, wanted: Wanted) -> tuple[list[Due], Emit | None]:
        try:
            due = self._store.wait(held, wanted, self._planner(held))
            _counted("waits")
            return due, None
        except Cancelled:
            held.verdict = "cancelled"
            return self._finish(held, 0.0)

    def _last_plan(self, held: Turn) -> Plan:
        """
        Plan how a turn without an answer is told of; who has cancelled it knows.

        It must end: a bug in the planner leaves it to be polled.
        """
        if held.verdict == "cancelled":
            return Plan("first", (), (), datetime.now(UTC))
        try:
            return self._planner(held)
        except Unavailable:
            raise
        except Exception:
            log.exception("bug while planning")
            return Plan("first", (), (), datetime.now(UTC))


def _counted(outcome: str) -> None:
    telemetry.count("parley.turns", {"parley.outcome": outcome})


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
        overrides, told = inputs(user)
        asked = Asked(held.source, origin=held.origin, wanted=held.delivery, acted_at=held.acted_at, **told)
        return plan(self._defaults, overrides, asked, self._clock())

"""
The calls of tools of a turn that is held.

A tool is called once: its intent is written first, and what a crash has swallowed is never repeated blindly. Calls that
only read are made at the same time when a model wants them at once, and again by whoever slept too long meanwhile;
changes come one after the other.
"""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from parley import telemetry
from parley.agents import loop
from parley.domain import turn
from parley.domain.turn import Step, Turn
from parley.errors import Unavailable
from parley.heart import Heart
from parley.ports import OnBehalf, ToolFailed, Tools
from parley.progress import Progress

UNKNOWN = "It is not known whether this took effect. Do not call it again; tell the user so."
AT_ONCE = 4  # calls that only read, of one step of the model


class Intents(Protocol):
    """What calls need of the store."""

    def journal(
        self, held: Turn, *, kind: str, fingerprint: str, output: dict[str, Any], usage: dict[str, Any] | None = None
    ) -> None: ...
    def intend(self, held: Turn, *, fingerprint: str, ahead: int = 0) -> UUID: ...


class Calls:
    """Calls tools; `beat` in seconds: whoever slept longer may have lost the turn to somebody else."""

    def __init__(
        self, store: Intents, tools: Tools | None, heart: Heart, beat: float, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._tools = tools
        self._heart = heart
        self._beat = beat
        self._clock = clock

    def made(
        self, held: Turn, conversation: loop.Conversation, policy: loop.Policy, progress: Progress
    ) -> loop.Conversation:
        """Make the next call that the model wants, with those that may be made at the same time; take in what came."""
        calls = loop.together(conversation, policy, self._tools.reads if self._tools else lambda _: False)
        for call, text in zip(calls, self._run(held, calls, conversation, progress), strict=True):
            trusted = self._tools is not None and self._tools.trusts(call.name)
            conversation = loop.ran(conversation, text, taints=not trusted)
        return conversation

    def _run(
        self, held: Turn, calls: Sequence[loop.Call], conversation: loop.Conversation, progress: Progress
    ) -> list[str]:
        """Call tools, each once: all at the same time, journaled in their order."""
        place = len(conversation.results)
        marks = [effect(held, call, place + number) for number, call in enumerate(calls)]
        known = [held.journaled(mark) for mark in marks]
        done = [str(step.output["text"]) for step in known if step and not step.started]
        for call, text in zip(calls, done, strict=False):
            self._escalates(held, call, text)
        open_ones = list(zip(calls, marks, known, strict=True))[len(done) :]
        if not open_ones:
            return done
        for ahead, (call, _, _) in enumerate(open_ones):
            progress.tool(call.name, "started", held.step + ahead)
        progress.flush()
        runs = self._intended(held, open_ones)
        with self._heart.beating(held):
            outcomes = at_once([partial(self._called, run, held.user_id, conversation.in_charge) for run in runs])
        for run, (text, state) in zip(runs, outcomes, strict=True):
            progress.tool(run.call.name, state, held.step)
            self._store.journal(held, kind="tool", fingerprint=run.mark, output={"text": text})
            self._escalates(held, run.call, text)
        return [*done, *(text for text, _ in outcomes)]

    def _intended(self, held: Turn, wanted: Sequence[tuple[loop.Call, str, Step | None]]) -> list["_Run"]:
        """Write down what is about to be called; what a crash has swallowed stands there already."""
        started, runs = self._clock(), []
        for ahead, (call, mark, step) in enumerate(wanted):
            if step and step.effect_key:
                again = self._tools.again(call.name) if self._tools else "never"
                runs.append(_Run(call, mark, step.effect_key, again))
            else:
                runs.append(_Run(call, mark, self._store.intend(held, fingerprint=mark, ahead=ahead), "repeat"))
        if self._was_asleep(started):  # somebody else may have called it by now
            raise Unavailable("too late to call a tool")
        return runs

    def _was_asleep(self, since: float) -> bool:
        return self._clock() - since > self._beat

    def _called(self, run: "_Run", user_id: UUID, agent: str) -> tuple[str, str]:
        """Give what came of a call, and its state: done, failed, unknown."""
        if run.again == "never":
            return UNKNOWN, "unknown"
        try:
            with telemetry.calling("execute_tool", run.call.name, {"gen_ai.tool.name": run.call.name}) as told:
                told.note({"gen_ai.tool.call.id": run.key, "gen_ai.agent.name": agent})
                return self._result(run.call, run.key, run.again, OnBehalf(user_id, agent)), "done"
        except ToolFailed as error:
            return f"It failed: {error}", "failed"

    def _result(self, call: loop.Call, key: UUID, again: str, who: OnBehalf) -> str:
        if self._tools is None:
            raise ToolFailed(f"there is no tool {call.name}")
        found = self._tools.look_up(call.name, key) if again == "look_up" else None
        return self._tools.run(call.name, call.arguments, key, who) if found is None else found

    def _escalates(self, held: Turn, call: loop.Call, text: str) -> None:
        """Remember that a person is wanted: they are told in the transaction that ends the turn, and so once."""
        if call.name == loop.ESCALATE and not text.startswith("It failed"):
            held.escalation = str(call.arguments.get("reason", ""))


def effect(held: Turn, call: loop.Call, place: int, kind: str = "tool") -> str:
    """Give the fingerprint of what people decided or the world has felt: that holds for later agents, too."""
    return turn.fingerprint(kind, call.name, call.arguments, held.content, place)


@dataclass(frozen=True)
class _Run:
    """A call that is intended, under its key."""

    call: loop.Call
    mark: str
    key: UUID
    again: str


def at_once[T](calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make all calls, `AT_ONCE` at the same time; gives what they gave, in their order. Raises when all are over."""
    if len(calls) == 1:
        return [calls[0]()]
    from concurrent.futures import ThreadPoolExecutor  # its import is paid by turns that need it

    with ThreadPoolExecutor(AT_ONCE, "tool") as pool:
        begun = [pool.submit(copy_context().run, call) for call in calls]
    return [one.result() for one in begun]

"""
What a turn tells while it runs: its steps, the words of its answer as they come, its tools and sources.

Written in batches: the first words at once, then some times a second, so that a stream of hundreds of tokens costs a
handful of statements; what is there at once is written with the end of the turn. What is told is clean already
(`agents.safety`); the stored result decides.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from parley.agents.safety import Stream
from parley.domain.turn import Turn

EVERY = 0.15  # seconds between two writes of a stream
QUICK = 0.03  # seconds: what is said sooner than that after its step has begun may wait for the end of the turn

Tell = Callable[..., Any]  # the store's: (turn, (type, data), …)


class Progress:
    """The progress log of one turn that is held. What is told raises what the store raises: LeaseLost, Cancelled."""

    def __init__(
        self, tell: Tell, held: Turn, *, every: float = EVERY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._held = held
        self._every = every
        self._clock = clock
        self._waiting: list[tuple[str, dict[str, Any]]] = []
        self._written = float("-inf")
        self._begun = float("-inf")
        self._said = ""  # what of the present step waits to be written
        self._spoke = False  # whether the present step has said anything

    def begin(self, kind: str, name: str) -> None:
        """A step begins."""
        self._spoke = False
        self._begun = self._clock()
        self._note("step", {"step": self._held.step, "kind": kind, "name": name, "state": "started"})

    def end(self, kind: str, name: str, step: int) -> None:
        """A step is done."""
        self._note("step", {"step": step, "kind": kind, "name": name, "state": "done"})

    def tool(self, name: str, state: str, step: int) -> None:
        """A tool is called, or was."""
        self._note("tool_call", {"step": step, "tool": name, "state": state})

    def speaker(self, hosts: Sequence[str]) -> Stream:
        """Give what takes the words of the present step."""
        return Stream(hosts, self._say)

    def unsay(self, step: int) -> None:
        """What this step has said was no answer."""
        if self._spoke:
            self._note("reset", {"step": step})
            self._spoke = False

    def cite(self, citations: Sequence[dict[str, str]]) -> None:
        """Name the sources of the answer."""
        for number, one in enumerate(citations, start=1):
            url = {"url": one["url"]} if one.get("url") else {}
            self._note("citation", {"marker": number, "title": one["title"], "section": one["heading"], **url})

    def flush(self) -> None:
        """Write what waits."""
        self._settle()
        if self._waiting:
            told, self._waiting = self._waiting, []
            self._written = self._clock()
            self._tell(self._held, *told)

    def rest(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Give what waits, for whoever writes it in a transaction of its own."""
        self._settle()
        told, self._waiting = tuple(self._waiting), []
        return told

    def _say(self, text: str) -> None:
        if not self._spoke:
            self._spoke = True
            if self._held.epoch > 1:  # another process may have begun to say it
                self._note("reset", {"step": self._held.step})
        self._said += text
        now = self._clock()
        if now - self._written >= self._every and now - self._begun >= QUICK:
            self.flush()

    def _note(self, kind: str, data: dict[str, Any]) -> None:
        self._settle()
        self._waiting.append((kind, data))

    def _settle(self) -> None:
        if self._said:
            self._waiting.append(("text", {"step": self._held.step, "delta": self._said}))
            self._said = ""

"""What goes wrong, and when: chosen by a seed, or written down point by point."""

import random
from collections.abc import Sequence
from typing import Protocol

# What may happen at a point, by the end of its name and by its beginning.
STORE_BEFORE = ("crash", "fail", "pause")
STORE_AFTER = ("crash", "unknown", "pause")
PUBLISH = ("crash", "fail", "lose", "double")
REPLY = ("lose", "double")
ENGINE = ("crash", "fail", "pause")
TOOL_BEFORE = ("crash", "fail")
TOOL_AFTER = ("crash", "unknown", "pause")
SEND_BEFORE = ("crash", "refused", "limited", "down", "unsure")
SEND_AFTER = ("crash", "lost answer", "pause")
FIND = ("crash", "fail")


def faults(point: str) -> tuple[str, ...]:
    """Give all that can go wrong at a point."""
    start, before = point.split(".", maxsplit=1)[0].split(" ", maxsplit=1)[0], point.endswith("before")
    table: dict[str, tuple[str, ...]] = {
        "publish": PUBLISH,
        "reply": REPLY,
        "engine": ENGINE if before else ("crash",),
        "tools": TOOL_BEFORE if before else TOOL_AFTER,
        "send": SEND_BEFORE if before else SEND_AFTER,
        "find": FIND if before else ("crash",),
        "spawn": ("double",),
    }
    return table.get(start, STORE_BEFORE if before else STORE_AFTER)


class Fate(Protocol):
    """Decides."""

    def at(self, point: str) -> str | None:
        """Say what happens at this point: a fault, or nothing."""

    def pick(self, begun: int, choices: int) -> int:
        """Say which of the choices goes on; of these, the first `begun` are what has begun already."""


class Written:
    """
    Faults strike at the points with these numbers (from 0).

    What has begun goes on before anything new begins; with `eager`, everything new begins before that.
    """

    def __init__(self, *plan: tuple[int, int], eager: bool = False) -> None:
        """`plan`: (number of the point, number of the fault among those possible there)."""
        self._plan = dict(plan)
        self._eager = eager
        self.points: list[str] = []
        self.struck: list[str] = []

    def at(self, point: str) -> str | None:
        number = len(self.points)
        self.points.append(point)
        if number not in self._plan:
            return None
        possible = faults(point)
        fault = possible[self._plan[number] % len(possible)]
        self.struck.append(f"{point}: {fault}")
        return fault

    def pick(self, begun: int, choices: int) -> int:
        return choices - 1 if self._eager else 0


class Seeded:
    """Everything by chance, the same for the same seed; at most `most` faults, of which fate likes some best."""

    def __init__(self, seed: int, *, rate: float = 0.08, most: int = 6, liked: Sequence[str] = ()) -> None:
        self._random = random.Random(seed)
        self._late = self._random.choice((0.0, 0.7, 0.93))  # how long an event waits while something else goes on
        self._rate = rate
        self._liked = liked
        self._left = most
        self.points: list[str] = []
        self.struck: list[str] = []

    def at(self, point: str) -> str | None:
        self.points.append(point)
        possible = [fault for fault in faults(point) if fault in self._liked] or faults(point)
        rate = 0.25 if possible[0] in self._liked else self._rate
        if self._left == 0 or self._random.random() > rate:
            return None
        self._left -= 1
        fault = self._random.choice(possible)
        self.struck.append(f"{point}: {fault}")
        return fault

    def pick(self, begun: int, choices: int) -> int:
        if begun and self._random.random() < self._late:
            return self._random.randrange(begun)
        return self._random.randrange(choices)

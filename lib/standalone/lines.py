"""The line of letters before one subscriber: who may go next. No thread, no lock: whoever calls has one."""

import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from parley.envelope import Event

PARTITIONS = 10  # default.topic.partitions of the Kafka broker


@dataclass(eq=False, slots=True)
class Parcel:
    """An accepted event, and how many triggers still owe it. `kept` stays in the spool, whatever becomes of it."""

    event: Event
    spooled: bool
    owed: int
    kept: bool = False


@dataclass(eq=False, slots=True)
class Letter:
    """
    One parcel on its way to the subscriber of one trigger, later perhaps to the dead-letter sink.

    `attempts` only grows, so that a late answer is known by its number; `failures` counts those of this destination.
    """

    parcel: Parcel
    event: Event
    headers: dict[str, str]
    body: bytes
    partition: int = -1
    attempts: int = 0
    failures: int = 0
    dead: bool = False


@dataclass
class Line:
    """
    Letters waiting, in flight or in a pause.

    `ordered`: one letter of a partition at a time, and its followers wait through its pauses. Otherwise each goes by
    itself. At most `concurrency` are in flight; a pause takes no place.
    """

    ordered: bool
    concurrency: int
    in_flight: int = 0
    paused: int = 0
    _ready: deque[Letter] = field(default_factory=deque)
    _behind: dict[int, deque[Letter]] = field(default_factory=dict)
    _turns: Iterator[int] = field(default_factory=count)

    def put(self, letter: Letter) -> None:
        """Add a letter at the end."""
        if not self.ordered:
            self._ready.append(letter)
            return
        letter.partition = self._partition(letter.event)
        if letter.partition in self._behind:
            self._behind[letter.partition].append(letter)
        else:
            self._behind[letter.partition] = deque()
            self._ready.append(letter)

    def take(self) -> Letter | None:
        """The next letter to send now, or None."""
        if not self._ready or self.in_flight >= self.concurrency:
            return None
        self.in_flight += 1
        return self._ready.popleft()

    def rest(self) -> None:
        """A letter in flight begins a pause; its partition stays its own."""
        self.in_flight -= 1
        self.paused += 1

    def resume(self, letter: Letter) -> None:
        """The pause is over."""
        self.paused -= 1
        self._ready.append(letter)

    def done(self, letter: Letter) -> None:
        """A letter in flight is settled; the next of its partition may go."""
        self.in_flight -= 1
        if not self.ordered:
            return
        behind = self._behind[letter.partition]
        if behind:
            self._ready.append(behind.popleft())
        else:
            del self._behind[letter.partition]

    def waiting(self) -> int:
        """How many letters wait, those behind a partition's head included."""
        return len(self._ready) + sum(map(len, self._behind.values()))

    def moving(self) -> bool:
        """Whether something is in flight or could be, without the end of a pause."""
        return bool(self.in_flight or self._ready)

    def _partition(self, event: Event) -> int:
        key = event.extensions.get("partitionkey")
        return (zlib.crc32(key.encode()) if key else next(self._turns)) % PARTITIONS

"""
Waiting for answers: many waiters, one thread, one query for all of them.

A waiter holds the thread that serves it, which costs some memory while it sleeps and no time at all; what it must not
take is the last thread that a health check needs. So only so many wait at once; all others are told to come again.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from parley.errors import Unavailable

Versions = dict[UUID, tuple[int, str]]
Look = Callable[[Iterable[UUID]], Versions]
Read = Callable[[Sequence[tuple[UUID, int]]], Sequence[dict[str, Any]]]

# Seconds between looks, by the time since something happened: many an answer is there in milliseconds.
_PACE = ((0.04, 0.005), (0.2, 0.01), (1.0, 0.02), (5.0, 0.1), (float("inf"), 0.25))
_TOGETHER = 0.004  # less than any pause: who is due within this time is looked at together


@dataclass(eq=False)
class _Waiter:
    """One caller. `due`: when it is looked at next; `since`: when it came, or something happened."""

    request_id: UUID
    since: float
    gone: Callable[[], bool]
    due: float = 0.0
    woken: threading.Event = field(default_factory=threading.Event)

    def pace(self, now: float) -> float:
        age = now - self.since
        return next(pause for limit, pause in _PACE if age < limit)


@dataclass(eq=False)
class _Change(_Waiter):
    """Waits for a change of the row, which its caller has just seen."""

    is_over: Callable[[int, str], bool] = lambda *_: False
    over: bool = False


@dataclass(eq=False)
class Reader(_Waiter):
    """Reads the progress log, from behind `seq` on."""

    seq: int = 0
    news: deque[dict[str, Any]] = field(default_factory=deque)

    def next(self, seconds: float) -> dict[str, Any] | None:
        """Give the next event, or None when there is none in time or the process leaves."""
        if not self.news:
            self.woken.wait(max(seconds, 0))
            self.woken.clear()
        return self.news.popleft() if self.news else None

    def rest(self) -> Iterator[dict[str, Any]]:
        """Give what else has come."""
        while self.news:
            yield self.news.popleft()


class Waiting:
    """Holds callers until their request has changed as they wish, or tells them each event of its log."""

    def __init__(self, look: Look, read: Read, *, most: int, leaving: Callable[[], bool] = lambda: False) -> None:
        """`leaving` says that the process is about to end: nobody is held any longer."""
        self._look = look
        self._read = read
        self._most = most
        self.leaving = leaving
        self._waiters: set[_Waiter] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def wait(
        self,
        request_id: UUID,
        is_over: Callable[[int, str], bool],
        seconds: float,
        gone: Callable[[], bool] = lambda: False,
    ) -> bool:
        """
        Wait until `is_over(version, state)` holds. False when it did not in time, or too many wait already.

        `gone` says that the caller has hung up: nobody is held for whom nobody waits.
        """
        now = time.monotonic()
        waiter = _Change(request_id, now, gone, now + _PACE[0][1], is_over=is_over)
        if not self._enter(waiter):
            return False
        try:
            waiter.woken.wait(seconds)
            return waiter.over
        finally:
            self._leave(waiter)

    @contextmanager
    def reading(self, request_id: UUID, seq: int, gone: Callable[[], bool] = lambda: False) -> Iterator[Reader | None]:
        """Read the log of a request from behind `seq` on; None when too many wait already."""
        reader = Reader(request_id, time.monotonic(), gone, seq=seq)
        has_entered = self._enter(reader)
        try:
            yield reader if has_entered else None
        finally:
            self._leave(reader)

    def _enter(self, waiter: _Waiter) -> bool:
        with self._changed:
            if len(self._waiters) >= self._most:
                return False
            self._waiters.add(waiter)
            if self._thread is None:
                self._thread = threading.Thread(target=self._poll, daemon=True, name="waiting")
                self._thread.start()
            self._changed.notify()
        return True

    def _leave(self, waiter: _Waiter) -> None:
        with self._changed:
            self._waiters.discard(waiter)

    def _poll(self) -> None:
        try:
            self._look_again_and_again()
        except BaseException:
            with self._changed:
                self._thread = None  # the next waiter starts another
            raise

    def _look_again_and_again(self) -> None:
        while due := self._next():
            self._serve(due)
            now = time.monotonic()
            for waiter in due:
                waiter.due = now + waiter.pace(now)
            is_leaving = self.leaving()
            for waiter in due:
                if is_leaving or waiter.gone():
                    waiter.woken.set()

    def _next(self) -> list[_Waiter]:
        """Wait until somebody is due; gives everybody who is, and nobody when nobody has come for a while."""
        with self._changed:
            while True:
                if not self._waiters and not self._changed.wait_for(lambda: self._waiters, 5):
                    self._thread = None
                    return []
                now = time.monotonic()
                if due := [waiter for waiter in self._waiters if waiter.due <= now + _TOGETHER]:
                    return due
                self._changed.wait(min(waiter.due for waiter in self._waiters) - now)

    def _serve(self, due: list[_Waiter]) -> None:
        changes = [waiter for waiter in due if isinstance(waiter, _Change)]
        readers = [waiter for waiter in due if isinstance(waiter, Reader)]
        try:
            if changes:
                self._wake(changes)
            if readers:
                self._tell(readers)
        except Unavailable:
            return  # they wait on: the database may be back before their time is up

    def _wake(self, waiters: list[_Change]) -> None:
        found = self._look({waiter.request_id for waiter in waiters})
        for waiter in waiters:
            if (seen := found.get(waiter.request_id)) and waiter.is_over(*seen):
                waiter.over = True
                waiter.woken.set()

    def _tell(self, readers: list[Reader]) -> None:
        now = time.monotonic()
        for row in self._read([(reader.request_id, reader.seq) for reader in readers]):
            reader = readers[row["reader"]]
            reader.seq, reader.since = row["seq"], now
            reader.news.append(row)
            reader.woken.set()

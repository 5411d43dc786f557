"""
Waiting for answers: many waiters, one thread, one query for all of them.

A waiter must not take the thread that a health check needs: only so many wait at once, everybody else is told to come
again.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from parley.errors import Unavailable

Versions = dict[UUID, tuple[int, str]]

# Seconds between looks, by the age of the youngest waiter: an answer from the knowledge base is there in milliseconds.
_PACE = ((0.2, 0.005), (1.0, 0.02), (5.0, 0.1), (float("inf"), 0.25))


@dataclass(eq=False)
class _Waiter:
    request_id: UUID
    is_over: Callable[[int, str], bool]
    since: float
    done: threading.Event = field(default_factory=threading.Event)
    over: bool = False


class Waiting:
    """Holds callers until their request has changed as they wish."""

    def __init__(
        self, look: Callable[[Iterable[UUID]], Versions], *, most: int, leaving: Callable[[], bool] = lambda: False
    ) -> None:
        """`leaving` says that the process is about to end: nobody is held any longer."""
        self._look = look
        self._most = most
        self._leaving = leaving
        self._waiters: set[_Waiter] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def wait(self, request_id: UUID, is_over: Callable[[int, str], bool], seconds: float) -> bool:
        """Wait until `is_over(version, state)` holds. False when it did not in time, or too many wait already."""
        waiter = _Waiter(request_id, is_over, time.monotonic())
        with self._changed:
            if len(self._waiters) >= self._most:
                return False
            self._waiters.add(waiter)
            if self._thread is None:
                self._thread = threading.Thread(target=self._poll, daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            waiter.done.wait(seconds)
            return waiter.over
        finally:
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
        while True:
            with self._changed:
                if not self._waiters and not self._changed.wait_for(lambda: self._waiters, 5):
                    self._thread = None
                    return
                waiters = list(self._waiters)
            self._wake(waiters)
            if self._leaving():
                for waiter in waiters:
                    waiter.done.set()
            self._pause(set(waiters))

    def _pause(self, seen: set[_Waiter]) -> None:
        """Wait as long as the youngest waiter allows, or until there is a younger one."""
        age = time.monotonic() - max(waiter.since for waiter in seen)
        pause = next(pause for limit, pause in _PACE if age < limit)
        with self._changed:
            self._changed.wait_for(lambda: not self._waiters <= seen, pause)

    def _wake(self, waiters: list[_Waiter]) -> None:
        try:
            found = self._look({waiter.request_id for waiter in waiters})
        except Unavailable:
            return  # they wait on: the database may be back before their time is up
        for waiter in waiters:
            if (seen := found.get(waiter.request_id)) and waiter.is_over(*seen):
                waiter.over = True
                waiter.done.set()

"""Threads of the local broker: workers, started when needed, and one timer; signals that wait. Nothing here polls."""

import heapq
import logging
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

log = logging.getLogger("standalone.broker")

Task = Callable[[], object]
_IDLE_SECONDS = 30.0
_LONGEST_WAIT = 3600.0

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """
    Let signals wait: a process that was just started, and that nobody knows yet, would stay behind.

    It starts with the signals blocked, and has to take them again itself; PostgreSQL does.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Workers:
    """
    Runs each task at once, in a thread that is free or in a new one; a thread without work for 30 s ends.

    They are daemons: a task that never ends does not keep the process alive.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._tasks: deque[Task] = deque()
        self._free = 0
        self._stopped = False

    def submit(self, task: Task) -> None:
        """Run a task soon; after `stop` it is dropped."""
        with self._changed:
            if self._stopped:
                return
            self._tasks.append(task)
            if self._free >= len(self._tasks):
                self._changed.notify()
                return
            self._free += 1
        threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """Let every free thread end; the others end with their task."""
        with self._changed:
            self._stopped = True
            self._tasks.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while task := self._next():
            try:
                task()
            except Exception:
                log.exception("bug in the broker")
            with self._changed:
                self._free += 1

    def _next(self) -> Task | None:
        with self._changed:
            self._changed.wait_for(lambda: self._tasks or self._stopped, _IDLE_SECONDS)
            self._free -= 1
            return self._tasks.popleft() if self._tasks else None


class Timer:
    """One thread that calls back at given times of `clock`. A callback must be short."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Task]] = []
        self._numbers = count()
        self._stopped = False

    def start(self) -> None:
        """Begin to call back."""
        threading.Thread(target=self._run, name="broker-timer", daemon=True).start()

    def at(self, due: float, call: Task) -> None:
        """Call back once `clock` has reached `due`."""
        with self._changed:
            heapq.heappush(self._heap, (due, next(self._numbers), call))
            if self._heap[0][0] == due:
                self._changed.notify()

    def stop(self) -> None:
        """Call back no more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while call := self._next():
            try:
                call()
            except Exception:
                log.exception("bug in the broker")

    def _next(self) -> Task | None:
        with self._changed:
            while not self._stopped:
                rest = self._heap[0][0] - self._clock() if self._heap else _LONGEST_WAIT
                if rest <= 0:
                    return heapq.heappop(self._heap)[2]
                self._changed.wait(min(rest, _LONGEST_WAIT))
            return None

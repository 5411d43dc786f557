"""A heartbeat: keeps the lease of a turn alive while it waits for a model or a tool, and sees that it was cancelled."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from parley.domain.turn import Cancelled, LeaseLost, Turn
from parley.errors import Unavailable

log = logging.getLogger("parley.heart")


@dataclass(eq=False)
class _Beat:
    held: Turn
    next: float
    lost: bool = False
    cancelled: bool = False
    over: bool = field(default=False)


class Heart:
    """
    One thread for all turns of a process; none while nothing is waited for longer than `every` seconds.

    `renew` prolongs a lease and says whether a cancel was asked for; it raises LeaseLost and Unavailable.
    """

    def __init__(self, renew: Callable[[Turn], bool], every: float) -> None:
        self._renew = renew
        self._every = every
        self._beats: list[_Beat] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def beating(self, held: Turn) -> Iterator[None]:
        """Renew the lease of `held` while the body runs. Raises LeaseLost, and Cancelled, after it."""
        beat = _Beat(held, time.monotonic() + self._every)
        with self._changed:
            self._beats.append(beat)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="heart")
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._beats.remove(beat)
                beat.over = True
        if beat.lost:
            raise LeaseLost
        if beat.cancelled:
            raise Cancelled

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._beats)
                soonest = min(self._beats, key=lambda beat: beat.next)
                left = soonest.next - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                soonest.next += self._every
            self._renewed(soonest)

    def _renewed(self, beat: _Beat) -> None:
        try:
            beat.cancelled = self._renew(beat.held)
        except LeaseLost:
            beat.lost = not beat.over  # a turn that has just ended has no lease to lose
        except Unavailable:
            log.warning("the lease could not be renewed", exc_info=True)
        except Exception:
            log.exception("bug in the heartbeat")

"""PingSources: an event at each tick of a schedule, straight to its sink."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from parley.envelope import Event, event_id, to_binary
from standalone.subscribers import Subscriber
from standalone.triggers import Ping, Wiring

log = logging.getLogger("standalone.ticks")

TYPE = "dev.knative.sources.ping"


def next_tick(now: float, minutes: int) -> float:
    """The next time (seconds since 1970, UTC) of the schedule `*/minutes * * * *` after `now`."""
    minute = int(now // 60) + 1
    while minute % 60 % minutes:
        minute += 1
    return minute * 60.0


def tick(ping: Ping, namespace: str, moment: float) -> Event:
    """The event of a PingSource for one moment; the same moment gives the same id."""
    source = f"/apis/v1/namespaces/{namespace}/pingsources/{ping.name}"
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
    return Event(id=event_id(source, moment), source=source, type=TYPE, time=at, body=ping.data.encode())


class Ticks:
    """
    A thread for each PingSource of the wiring, between entering and leaving a `with`.

    `every` is a period in seconds instead of the schedule. The first tick comes at once, so that what is overdue since
    the last run does not wait for the first full minute.
    """

    def __init__(
        self,
        wiring: Wiring,
        subscribers: Mapping[str, Subscriber],
        *,
        every: float | None = None,
        timeout: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._wiring = wiring
        self._subscribers = subscribers
        self._every = every
        self._timeout = timeout
        self._clock = clock
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        for ping in self._wiring.pings:
            threading.Thread(target=self._run, args=(ping,), name=f"tick-{ping.name}", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stopped.set()

    def _run(self, ping: Ping) -> None:
        wait = 0.0
        while not self._stopped.wait(wait):
            self._send(ping)
            now = self._clock()
            wait = self._every if self._every is not None else next_tick(now, ping.minutes) - now

    def _send(self, ping: Ping) -> None:
        headers, body = to_binary(tick(ping, self._wiring.namespace, self._clock()))
        fields: dict[str, object] = {"source": ping.name, "sink": ping.sink}
        try:
            status, _, _ = self._subscribers[ping.sink].post(headers, body, self._timeout)
        except OSError as error:
            log.warning("a tick did not arrive", exc_info=error, extra={"fields": fields})
            return
        if not 200 <= status < 300:
            log.warning("a tick was not taken", extra={"fields": {**fields, "status": status}})

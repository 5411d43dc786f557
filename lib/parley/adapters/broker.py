"""Publish events: POST to the broker that K_SINK names, in binary mode."""

import http.client
import threading
import time
import urllib.parse
from contextlib import suppress
from typing import Any

from parley import envelope, telemetry
from parley.errors import Rejected, Unavailable

_KEPT = 4  # connections
# What a connection looks like that the broker has closed while it was idle: no byte of an answer.
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Publisher:
    """
    Posts one event at a time; a 202 is the broker's promise to keep it.

    `sink` is an http or https URL, `source` the name of the function. One attempt of at most `timeout` seconds: whoever
    calls decides what a failure means. A connection is kept for the next event, for `idle` seconds: what lies between
    may forget an older one without a word. When it has been closed meanwhile, the event goes over a new one; should the
    broker have got it twice, its id is the same.
    """

    def __init__(self, sink: str, source: str, *, timeout: float = 5.0, idle: float = 10.0) -> None:
        parts = urllib.parse.urlsplit(sink)
        self._host, self._https = parts.netloc, parts.scheme == "https"
        self._path = parts.path or "/"
        self._source = source
        self._timeout = timeout
        self._idle = idle
        self._lock = threading.Lock()
        self._kept: list[tuple[http.client.HTTPConnection, float]] = []

    def publish(self, emit: Any) -> None:
        """Publish a `domain.events.Emit`. Raises as `send` does."""
        with telemetry.publishing(emit.contract.TYPE, emit.traceparent):
            self.send(envelope.outgoing(emit, self._source))

    def send(self, event: envelope.Event) -> None:
        """Publish an event. Raises Unavailable when the broker did not take it, Rejected when it calls it no event."""
        headers, body = envelope.to_binary(event)
        try:
            status = self._posted(headers, body)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable("the broker cannot be reached") from error
        if status in (400, 413):
            raise Rejected(f"the broker refused the event with {status}")
        if not 200 <= status < 300:
            raise Unavailable(f"the broker answered {status}")

    def _posted(self, headers: dict[str, str], body: bytes) -> int:
        if kept := self._take():
            with suppress(*_STALE):  # closed while it was idle: once more, over a new one
                return self._exchange(kept, headers, body)
        kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
        return self._exchange(kind(self._host, timeout=self._timeout), headers, body)

    def _exchange(self, connection: http.client.HTTPConnection, headers: dict[str, str], body: bytes) -> int:
        try:
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            response.read()
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return response.status

    def _take(self) -> http.client.HTTPConnection | None:
        """Give the connection that was used last, unless it is too old; the others are older."""
        with self._lock:
            connection, used = self._kept.pop() if self._kept else (None, 0.0)
        if connection and time.monotonic() - used > self._idle:
            connection.close()
            return None
        return connection

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if connection.sock and len(self._kept) < _KEPT:
                self._kept.append((connection, time.monotonic()))
                return
        connection.close()

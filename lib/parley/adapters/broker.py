"""Publish events: POST to the broker that K_SINK names, in binary mode."""

import http.client
import urllib.parse
from typing import Any

from parley import envelope, telemetry
from parley.errors import Rejected, Unavailable


class Publisher:
    """
    Posts one event at a time; a 202 is the broker's promise to keep it.

    `sink` is an http or https URL, `source` the name of the function. One attempt of at most `timeout` seconds: whoever
    calls decides what a failure means.
    """

    def __init__(self, sink: str, source: str, *, timeout: float = 5.0) -> None:
        parts = urllib.parse.urlsplit(sink)
        self._host, self._https = parts.netloc, parts.scheme == "https"
        self._path = parts.path or "/"
        self._source = source
        self._timeout = timeout

    def publish(self, emit: Any) -> None:
        """Publish a `domain.events.Emit`. Raises as `send` does."""
        with telemetry.publishing(emit.contract.TYPE, emit.traceparent):
            self.send(envelope.outgoing(emit, self._source))

    def send(self, event: envelope.Event) -> None:
        """Publish an event. Raises Unavailable when the broker did not take it, Rejected when it calls it no event."""
        headers, body = envelope.to_binary(event)
        kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
        connection = kind(self._host, timeout=self._timeout)
        try:
            connection.request("POST", self._path, body, headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable("the broker cannot be reached") from error
        finally:
            connection.close()
        if status in (400, 413):
            raise Rejected(f"the broker refused the event with {status}")
        if not 200 <= status < 300:
            raise Unavailable(f"the broker answered {status}")

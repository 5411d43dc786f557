"""
A function: event in, at most one event out.

The only place that turns an exception into a status, and so into what the broker does (facts of both brokers):

    Malformed     400   dead-letters at once
    Rejected      422   dead-letters at once
    Unavailable   503   retries with backoff
    anything else 500   a bug: retries with backoff, then dead-letters

No exception text leaves in a response body. The text of our own errors goes out as the header `kne-reason`, which the
Kafka broker keeps on the dead letter.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from parley import config, envelope, logs, telemetry
from parley.errors import Malformed, Rejected, Unavailable

log = logging.getLogger("parley")

Response = Any  # what parliament and Flask take: a CloudEvent, or (body, status, headers)

EMPTY: Response = ("", 202)

leaving = threading.Event()  # the process was told to end: what takes long goes on elsewhere


class Function:
    """
    One function of Parley, built on its first use from the environment.

    `takes` is the contract (a pydantic model with TYPE) or a tuple of several, or None for a function that takes any
    event whole.
    `build(config)` makes the handler, which takes the contract and gives the event that follows, or nothing; it may
    open nothing yet. A handler may have `ready()`, which raises Unavailable while it cannot work, `routes(app)`, which
    adds paths to the Flask app, and `close()`.
    """

    def __init__(
        self,
        name: str,
        *,
        takes: Any,
        config: type[Any],
        build: Callable[[Any], Any],
        on_bug: int = 500,
    ) -> None:
        self.name = name
        self.takes = takes
        self.config = config
        self.on_bug = on_bug
        self._build = build
        self._env: Mapping[str, str] | None = None
        self._handler: Any = None
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self.reply: Callable[[envelope.Event], Response] = envelope.to_cloudevent  # as whoever serves it wants it
        self._not_ready: Unavailable | None = Unavailable("nobody has looked yet")

    def configure(self, env: Mapping[str, str]) -> None:
        """Use `env` instead of the process's environment: the host of all functions gives each its own."""
        self._env = env

    @property
    def handler(self) -> Any:
        """The handler, built on first use. Raises Misconfigured."""
        with self._lock:
            if self._handler is None:
                self._handler = self._build(config.load(self.config, os.environ if self._env is None else self._env))
        return self._handler

    def ready(self) -> None:
        """
        Return when the function can work. Raises Unavailable while it cannot.

        One look at a time, and who comes meanwhile is told what the last one found: a database that hangs must not take
        every thread.
        """
        if self._looking.acquire(blocking=False):
            try:
                self._not_ready = self._look()
            finally:
                self._looking.release()
        if last := self._not_ready:
            raise Unavailable(str(last)) from last.__cause__

    def _look(self) -> Unavailable | None:
        try:
            if check := getattr(self.handler, "ready", None):
                check()
        except Unavailable as error:
            return error
        return None

    def operation(self, request: Any) -> str:
        """Name what a request wants, by one of few words: the type of an event that is taken here, or a route."""
        if event_type := request.headers.get("ce-type"):
            known = {one.TYPE for one in self._contracts()} or telemetry.EVENTS
            return event_type if event_type in known else "other"
        return f"{request.method} {request.url_rule.rule}" if request.url_rule else "none"

    def routes(self, app: Any) -> None:
        """Add the function's paths other than `/` to the Flask app."""
        if add := getattr(self.handler, "routes", None):
            add(app)

    def close(self) -> None:
        """Give back connections; the function is not called again."""
        if self._handler is not None and (close := getattr(self._handler, "close", None)):
            close()

    def __call__(self, context: Any) -> Response:
        """Handle one request of parliament's."""
        request = context.request
        started = time.perf_counter()
        with logs.bound(function=self.name):
            response = self._guarded(request)
            status = response[1] if isinstance(response, tuple) else 200
            took = round((time.perf_counter() - started) * 1000, 1)
            log.info("handled", extra={"fields": {"status": status, "duration_ms": took}})
        return response

    def _guarded(self, request: Any) -> Response:
        try:
            return self._handle(request)
        except Rejected as error:
            log.warning("rejected", exc_info=True)
            return failure(error.status, str(error))
        except Unavailable as error:
            log.warning("unavailable", exc_info=True)
            return failure(error.status, str(error))
        except Exception:
            log.exception("bug")
            return failure(self.on_bug, "internal error")

    def _handle(self, request: Any) -> Response:
        if request.method != "POST":
            raise Malformed("events are posted")
        event = envelope.parse(request.headers, request.get_data())
        trace = telemetry.together(event.extensions)
        logs.bind(event_id=event.id, event_type=event.type, trace_id=telemetry.trace_id(trace))
        emit = self.handler(event if self.takes is None else self._contract(event))
        if emit is None:
            return EMPTY
        with telemetry.publishing(emit.contract.TYPE, emit.traceparent or trace):
            return self.reply(envelope.outgoing(emit, self.name, event))

    def _contracts(self) -> tuple[Any, ...]:
        if self.takes is None:
            return ()
        return self.takes if isinstance(self.takes, tuple) else (self.takes,)

    def _contract(self, event: envelope.Event) -> Any:
        takes = next((one for one in self._contracts() if event.type == one.TYPE), None)
        if takes is None:
            raise Rejected(f"takes {' and '.join(one.TYPE for one in self._contracts())}")
        if guard := getattr(self.handler, "guard", None):
            guard(event)
        contract = contract_of(takes, event)
        logs.bind(request_id=getattr(contract, "request_id", None), session_id=getattr(contract, "session_id", None))
        return contract


class HttpFunction(Function):
    """A function with a public door: its handler takes the HTTP request itself, at `/` and at `paths`."""

    paths: tuple[str, ...] = ()

    def routes(self, app: Any) -> None:
        for path in self.paths:
            app.add_url_rule(path, path, self._from_flask, methods=["GET", "POST"])
        super().routes(app)

    def _from_flask(self) -> Response:
        import flask

        return self(_Context(flask.request))

    def _handle(self, request: Any) -> Response:
        return self.handler(request)


class _Context:
    """What this module needs of parliament's context."""

    def __init__(self, request: Any) -> None:
        self.request = request


def event_function(
    name: str, *, takes: Any, config: type[Any], build: Callable[[Any], Any], on_bug: int = 500
) -> Function:
    """
    Declare a function of events; nothing is read or opened before its first event or readiness check.

    `on_bug` is the status for an exception that nobody foresaw: 422 where a retry would block an ordered partition.
    """
    return Function(name, takes=takes, config=config, build=build, on_bug=on_bug)


def http_function(
    name: str, *, config: type[Any], build: Callable[[Any], Any], paths: tuple[str, ...] = ()
) -> HttpFunction:
    """Declare a function of HTTP requests, with the same care for exceptions, logs and readiness."""
    function = HttpFunction(name, takes=None, config=config, build=build)
    function.paths = paths
    return function


def contract_of(takes: Any, event: envelope.Event) -> Any:
    """Validate the event's data. Raises Rejected that names the fields, never their values."""
    from pydantic import ValidationError

    try:
        return takes.model_validate(event.data)
    except Malformed as error:
        raise Rejected(str(error)) from None
    except ValidationError as error:
        fields = sorted({".".join(map(str, e["loc"])) or "data" for e in error.errors(include_input=False)})
        raise Rejected(f"invalid data: {', '.join(fields)[:200]}") from None


def failure(status: int, reason: str) -> Response:
    """Answer with an empty body; the reason is ours and goes to the broker's dead letter as `kne-reason`."""
    return "", status, {"kne-reason": reason.encode("ascii", "replace").decode().replace("\n", " ")[:200]}

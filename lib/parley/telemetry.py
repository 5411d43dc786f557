"""
What a process tells of its work: spans and measurements, by OpenTelemetry when that is turned on, else nothing.

Off, a span is a constant and a measurement one comparison; nothing is imported for it. `adapters/otel.py` knows the
SDK, this module knows when and by which names it is used. Names and attributes are those of the semantic conventions
where they have one (https://opentelemetry.io/docs/specs/semconv/), `parley.…` where not. As in logs: ids and words of
ours, never what people said, never a secret, no text of an exception.

A trace context is one text here and in the rows that keep it: W3C's traceparent and, after a space, its tracestate.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from parley.errors import Misconfigured

Kind = Literal["internal", "server", "client", "consumer", "producer"]
Attributes = Mapping[str, Any]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144)
HISTOGRAMS = {  # name → unit, buckets, what it is
    "parley.function.duration": ("s", SECONDS, "Requests and events that a function has handled."),
    "parley.delivery.duration": ("s", SECONDS, "Attempts to deliver, by channel and what came of it."),
    "gen_ai.client.operation.duration": ("s", SECONDS, "Calls of models and tools."),
    "gen_ai.client.token.usage": ("{token}", TOKENS, "Tokens that models took and gave."),
}
EVENTS = frozenset(  # told apart where any event is taken; whatever else comes is one kind
    {
        "dev.knative.sources.ping", "parley.recovery.requested", "parley.message.received", "parley.request.created",
        "parley.turn.started", "parley.response.ready",
    }
)  # fmt: skip
COUNTERS = {
    "parley.turns": "Turns, by how they ended.",
    "parley.recovery.nudges": "Overdue rows that were nudged or ended.",
    "parley.recovery.dead_letters": "Events that were given up.",
}


class Span(Protocol):
    """Something that takes time."""

    def note(self, attributes: Attributes) -> None:
        """Add to what is known of it; None is left out."""

    def fail(self, kind: str) -> None:
        """Say that it failed, and how, in a word of ours."""


class Backend(Protocol):
    """What OpenTelemetry does for us."""

    def span(
        self, name: str, kind: Kind, parent: str | None, link: str | None, attributes: Attributes,
        but: tuple[type[BaseException], ...],
    ) -> AbstractContextManager[Span]: ...  # fmt: skip
    def current(self) -> str | None: ...
    def note(self, attributes: Attributes) -> None: ...
    def count(self, name: str, amount: float, labels: Attributes) -> None: ...
    def measure(self, name: str, value: float, labels: Attributes) -> None: ...
    def stop(self) -> None: ...


class _Nothing:
    """The span of a process that tells nothing."""

    def note(self, attributes: Attributes) -> None: ...
    def fail(self, kind: str) -> None: ...


NOTHING: AbstractContextManager[Span] = nullcontext(_Nothing())
_backend: Backend | None = None


def signals(env: Mapping[str, str]) -> frozenset[str]:
    """
    Give what is wanted, by OpenTelemetry's own variables: of `traces`, `metrics` and `prometheus`.

    Traces and metrics are sent when there is an endpoint to send them to; a port for Prometheus is opened when
    OTEL_METRICS_EXPORTER names it. Raises Misconfigured.
    """
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return frozenset()
    found = set()
    for signal in ("TRACES", "METRICS"):
        words = {word.strip().lower() for word in (env.get(f"OTEL_{signal}_EXPORTER") or "otlp").split(",")}
        if strange := sorted(words - {"otlp", "none", *(["prometheus"] if signal == "METRICS" else [])}):
            raise Misconfigured(f"OTEL_{signal}_EXPORTER: {strange[0]} is not known here")
        is_endpoint = env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or env.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
        found |= {signal.lower()} if "otlp" in words and is_endpoint else set()
        found |= words & {"prometheus"}
    return frozenset(found)


def use(backend: Backend | None) -> None:
    """Tell it to this backend from now on; None: to nobody."""
    global _backend  # noqa: PLW0603 - there is one process to tell of
    _backend = backend


def stop() -> None:
    """Send what was not sent yet, and tell nothing more."""
    backend = _backend
    use(None)
    if backend:
        backend.stop()


def is_on() -> bool:
    """Whether anybody is told."""
    return _backend is not None


def span(
    name: str,
    kind: Kind = "internal",
    attributes: Attributes | None = None,
    *,
    parent: str | None = None,
    link: str | None = None,
    but: tuple[type[BaseException], ...] = (),
) -> AbstractContextManager[Span]:
    """
    Tell of what the body does, within what is told of now, or within `parent`, a trace context.

    `link`: what it follows from and is no part of. An exception marks it as failed, but for those of `but`.
    """
    return _backend.span(name, kind, parent, link, attributes or {}, but) if _backend else NOTHING


def note(attributes: Attributes) -> None:
    """Add to what is known of the span that is told of now."""
    if _backend:
        _backend.note(attributes)


@contextmanager
def calling(operation: str, name: str, attributes: Attributes, kind: Kind = "internal") -> Iterator[Span]:
    """
    Tell of a call of a model or a tool: a span, and how long it took by `attributes`, which have few values.

    https://opentelemetry.io/docs/specs/semconv/gen-ai/: what is said to a model, and what it says, is left out.
    """
    labels = {"gen_ai.operation.name": operation, **attributes}
    started = time.perf_counter()
    try:
        with span(f"{operation} {name}", kind, labels) as told:
            yield told
    except Exception as error:
        labels["error.type"] = type(error).__name__
        raise
    finally:
        measure("gen_ai.client.operation.duration", time.perf_counter() - started, labels)


class handling:  # noqa: N801 - reads as a word where it is used
    """
    Tell of one request or event that a function handles; `status` is what it was answered.

    Not made for `with`: the web framework says when it begins and ends.
    """

    def __init__(self, function: str, operation: str, method: str, given: Mapping[str, str]) -> None:
        lower = {name.lower(): value for name, value in given.items()}
        is_event = "ce-type" in lower
        self._labels = {"parley.function": function, "parley.operation": operation}
        attributes: dict[str, Any] = {"parley.function": function}
        if is_event:
            attributes |= {f"cloudevents.event_{part}": lower.get(f"ce-{part}") for part in ("id", "source", "type")}
        else:
            attributes |= {"http.request.method": method, "http.route": operation.partition(" ")[2]}
        name = f"process {operation}" if is_event else operation
        self._span = span(name, "consumer" if is_event else "server", attributes, parent=received(lower))
        self.status = 500

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._told = self._span.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._told.note({"http.response.status_code": self.status})
        if self.status >= 500:
            self._told.fail(str(self.status))
        self._span.__exit__(None, None, None)
        labels = {**self._labels, "http.response.status_code": self.status}
        measure("parley.function.duration", time.perf_counter() - self._started, labels)


def count(name: str, labels: Attributes, amount: float = 1) -> None:
    """Count something, by labels of few values."""
    if _backend:
        _backend.count(name, amount, labels)


def measure(name: str, value: float, labels: Attributes) -> None:
    """Measure something, by labels of few values."""
    if _backend:
        _backend.measure(name, value, labels)


def publishing(event_type: str, trace: str | None) -> AbstractContextManager[Span]:
    """
    Tell that an event is published: as a part of what goes on now, or of the trace that the event belongs to.

    Then it is linked to what goes on: a sweep that nudges, a turn that lets the next one begin.
    """
    if not _backend:
        return NOTHING
    now = _backend.current()
    elsewhere = trace is not None and now is not None and trace_id(now) != trace_id(trace)
    return span(
        f"publish {event_type}",
        "producer",
        {"cloudevents.event_type": event_type},
        parent=trace if elsewhere or not now else None,
        link=now if elsewhere else None,
    )


# --- trace contexts --------------------------------------------------------------------------------------------------


def current() -> str | None:
    """Give the trace context of the span that is told of now."""
    return _backend.current() if _backend else None


def onward(trace: str | None) -> str | None:
    """Give the context that goes out with an event of `trace`: the span of now, if it is a part of that trace."""
    now = current()
    return now if now and (trace is None or trace_id(trace) == trace_id(now)) else trace


def headers() -> dict[str, str]:
    """Give the headers by which a server that we call goes on with our trace."""
    return apart(current())


def made() -> str:
    """Begin a trace without telling anybody: its id is in logs and rows all the same."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


def together(attributes: Mapping[str, str]) -> str | None:
    """Give the trace context of headers or of an event's extensions."""
    traceparent = attributes.get("traceparent")
    return " ".join(filter(None, (traceparent, attributes.get("tracestate")))) if traceparent else None


def apart(trace: str | None) -> dict[str, str]:
    """Give a trace context as headers or extensions."""
    traceparent, _, tracestate = (trace or "").partition(" ")
    return {name: text for name, text in (("traceparent", traceparent), ("tracestate", tracestate)) if text}


def received(given: Mapping[str, str]) -> str | None:
    """
    Give the trace context of a request: the event's (https://github.com/cloudevents/spec, distributed tracing).

    Where the header belongs to the same trace, it is the nearer one: a broker's own spans may lie between.
    """
    event = together({name: given.get(f"ce-{name}", "") for name in ("traceparent", "tracestate")})
    state = given.get("tracestate") or given.get("ce-tracestate", "")  # brokers pass on the one and not the other
    hop = together({"traceparent": given.get("traceparent", ""), "tracestate": state})
    return hop if hop and (event is None or trace_id(hop) == trace_id(event)) else event


def trace_id(trace: str | None) -> str | None:
    """Give the trace id of a W3C traceparent (https://www.w3.org/TR/trace-context/), or None."""
    parts = (trace or "").split("-")
    return parts[1] if len(parts) >= 4 and len(parts[1]) == 32 else None

"""
A stand-in for an OpenTelemetry collector: takes OTLP over HTTP and keeps what came, to be looked at.

    with Collector() as collector:
        … OTEL_EXPORTER_OTLP_ENDPOINT=collector.url …
        spans = collector.until(lambda spans: …)

True to https://opentelemetry.io/docs/specs/otlp/#otlphttp in protobuf, plain or compressed by gzip.
Left out: JSON, logs, partial success, and everything that a real one does with what it has taken.
"""

import gzip
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from devkit.serving import LocalServer, Reply, Request, StandIn

KINDS = ("", "internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True)
class Span:
    """One span; times in nanoseconds since 1970, ids in hexadecimal, `links` to (trace, span)."""

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    begun: int
    ended: int
    service: str
    attributes: dict[str, Any]
    links: tuple[tuple[str, str], ...]
    failed: bool
    state: str


@dataclass(frozen=True)
class Point:
    """One value of a measurement: a sum, or how often and how much of a histogram."""

    name: str
    service: str
    labels: dict[str, Any]
    value: float
    count: int


class Collector(StandIn):
    """Takes what is sent to `url`."""

    def __init__(self, port: int = 0) -> None:
        self.points: list[Point] = []
        self._spans: dict[str, list[Span]] = defaultdict(list)
        self._came = threading.Condition()
        self._server = LocalServer(self._answer, port)

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is set to."""
        return self._server.url

    def traces(self) -> dict[str, list[Span]]:
        """Everything that came, by trace."""
        with self._came:
            return {trace: list(spans) for trace, spans in self._spans.items()}

    def until(self, has: Callable[[Sequence[Span]], bool], seconds: float = 30.0) -> list[Span]:
        """Wait until there is a trace whose spans are as wanted; gives them."""
        end = time.monotonic() + seconds
        with self._came:
            while True:
                if found := next((spans for spans in self._spans.values() if has(spans)), None):
                    return list(found)
                left = end - time.monotonic()
                names = {trace: [span.name for span in spans] for trace, spans in self._spans.items()}
                assert left > 0, f"no such trace: {names}"
                self._came.wait(left)

    def _answer(self, request: Request) -> Reply:
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        with self._came:
            match request.path:
                case "/v1/traces":
                    for span in _spans(ExportTraceServiceRequest.FromString(body)):
                        self._spans[span.trace].append(span)
                case "/v1/metrics":
                    self.points += _points(ExportMetricsServiceRequest.FromString(body))
                case _:
                    return Reply(404)
            self._came.notify_all()
        return Reply(200, b"", {"Content-Type": "application/x-protobuf"})


def _spans(sent: ExportTraceServiceRequest) -> Iterable[Span]:
    for group in sent.resource_spans:
        service = _attributes(group.resource.attributes).get("service.name", "")
        for one in (span for scope in group.scope_spans for span in scope.spans):
            links = tuple((link.trace_id.hex(), link.span_id.hex()) for link in one.links)
            yield Span(
                one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex(), one.name, KINDS[one.kind],
                one.start_time_unix_nano, one.end_time_unix_nano, service, _attributes(one.attributes), links,
                one.status.code == one.status.STATUS_CODE_ERROR, one.trace_state,
            )  # fmt: skip


def _points(sent: ExportMetricsServiceRequest) -> Iterable[Point]:
    for group in sent.resource_metrics:
        service = _attributes(group.resource.attributes).get("service.name", "")
        for one in (metric for scope in group.scope_metrics for metric in scope.metrics):
            for point in one.histogram.data_points:
                yield Point(one.name, service, _attributes(point.attributes), point.sum, point.count)
            for point in one.sum.data_points:
                yield Point(one.name, service, _attributes(point.attributes), point.as_int or point.as_double, 1)


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}

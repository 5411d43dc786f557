"""
OpenTelemetry: spans and measurements by OTLP over HTTP, measurements on a port for Prometheus, too.

Importing this module costs a tenth of a second: only a process that is told to export does it. Everything else is set
by the SDK's own variables (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
"""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from parley import telemetry
from parley.errors import Misconfigured
from parley.telemetry import COUNTERS, HISTOGRAMS, Attributes, Kind

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

LAST_WORDS = 5.0  # seconds: a collector that is down keeps no pod

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_W3C = TraceContextTextMapPropagator()


class _Span:
    """Implements `telemetry.Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(_known(attributes))

    def fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(StatusCode.ERROR)


class OpenTelemetry:
    """Implements `telemetry.Backend`. `exporter` of spans; without one, and without `meters`, nothing is told."""

    def __init__(self, resource: Resource, exporter: SpanExporter | None, meters: "MeterProvider | None") -> None:
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        if exporter:
            self._tracers.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._tracers.get_tracer("parley")
        self._is_tracing = exporter is not None
        self._meters = meters
        self._counters: dict[str, Any] = {}
        self._histograms: dict[str, Any] = {}
        if meters:
            meter = meters.get_meter("parley")
            for name, about in COUNTERS.items():
                self._counters[name] = meter.create_counter(name, description=about)
            for name, (unit, buckets, about) in HISTOGRAMS.items():
                self._histograms[name] = meter.create_histogram(
                    name, unit, about, explicit_bucket_boundaries_advisory=list(buckets)
                )

    def span(
        self, name: str, kind: Kind, parent: str | None, link: str | None, attributes: Attributes,
        but: tuple[type[BaseException], ...],
    ) -> AbstractContextManager[telemetry.Span]:  # fmt: skip
        """Tell of what the body does."""
        if not self._is_tracing:
            return telemetry.NOTHING
        return self._span(name, kind, parent, link, attributes, but)

    def current(self) -> str | None:
        """Give the trace context of the span that is told of now."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return telemetry.together(carrier)

    def note(self, attributes: Attributes) -> None:
        """Add to what is known of the span that is told of now."""
        trace.get_current_span().set_attributes(_known(attributes))

    def count(self, name: str, amount: float, labels: Attributes) -> None:
        """Count."""
        if self._counters:
            self._counters[name].add(amount, _known(labels))

    def measure(self, name: str, value: float, labels: Attributes) -> None:
        """Measure."""
        if self._histograms:
            self._histograms[name].record(value, _known(labels))

    def stop(self) -> None:
        """Send what was not sent yet: a pod that scales to zero takes nothing along. No longer than LAST_WORDS."""
        sending = threading.Thread(target=self._send_rest, name="last words", daemon=True)
        sending.start()
        sending.join(LAST_WORDS)

    def _send_rest(self) -> None:
        self._tracers.shutdown()
        if self._meters:
            self._meters.shutdown()

    @contextmanager
    def _span(
        self, name: str, kind: Kind, parent: str | None, link: str | None, attributes: Attributes,
        but: tuple[type[BaseException], ...],
    ) -> Iterator[telemetry.Span]:  # fmt: skip
        within = _W3C.extract(telemetry.apart(parent)) if parent else None
        cause = trace.get_current_span(_W3C.extract(telemetry.apart(link))).get_span_context() if link else None
        links = [Link(cause)] if cause and cause.is_valid else []
        told = self._tracer.start_span(name, within, _KINDS[kind], _known(attributes), links)
        with trace.use_span(told, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield _Span(told)
            except but:
                raise
            except BaseException as error:
                _Span(told).fail(type(error).__name__)
                raise


def started(service: str, wanted: frozenset[str], env: Mapping[str, str]) -> OpenTelemetry:
    """Make what tells of this process what is `wanted` (see `telemetry.signals`). Raises Misconfigured."""
    os.environ.update({name: value for name, value in env.items() if name.startswith("OTEL_")})  # where the SDK looks
    resource = Resource.create(
        {
            "service.namespace": "parley",
            "service.name": env.get("OTEL_SERVICE_NAME") or service,
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        }
    )
    exporter = None
    if "traces" in wanted:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()
    return OpenTelemetry(resource, exporter, _meters(resource, wanted))


def _meters(resource: Resource, wanted: frozenset[str]) -> "MeterProvider | None":
    if not wanted & {"metrics", "prometheus"}:
        return None
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader

    readers: list[MetricReader] = []
    if "metrics" in wanted:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    if "prometheus" in wanted:
        readers.append(_prometheus())
    return MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)


def _prometheus() -> Any:
    """Open the port that Prometheus reads. A port of its own: what is public is another one."""
    import prometheus_client
    from opentelemetry.exporter.prometheus import PrometheusMetricReader

    host = os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST") or "127.0.0.1"
    port = os.environ.get("OTEL_EXPORTER_PROMETHEUS_PORT") or "9464"
    try:
        prometheus_client.start_http_server(int(port), host)
    except (ValueError, OSError, OverflowError) as error:
        raise Misconfigured(f"OTEL_EXPORTER_PROMETHEUS_PORT: cannot listen at {host}:{port}: {error}") from None
    return PrometheusMetricReader(scope_info_enabled=False)


def _known(attributes: Attributes) -> dict[str, Any]:
    plain = (bool, int, float, str)
    return {name: v if isinstance(v, plain) else str(v) for name, v in attributes.items() if v is not None}

"""What a process tells of its work, kept in memory instead of sent, by OpenTelemetry's own SDK."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from parley import telemetry
from parley.adapters.otel import OpenTelemetry


class Told:
    """OpenTelemetry's own SDK, kept in memory."""

    def __init__(self):
        self._exporter, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        meters = MeterProvider([self._reader], shutdown_on_exit=False)
        telemetry.use(OpenTelemetry(Resource({}), self._exporter, meters))

    def spans(self):
        """End it, and give the spans by name."""
        telemetry.stop()
        return {span.name: span for span in self._exporter.get_finished_spans()}

    def all(self, name):
        """End it, and give the spans of this name in the order of their beginnings."""
        self.spans()
        found = [span for span in self._exporter.get_finished_spans() if span.name == name]
        return sorted(found, key=lambda span: span.start_time)

    def points(self, name):
        """Give what was measured by this name."""
        [resource] = self._reader.get_metrics_data().resource_metrics
        metrics = {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}
        return metrics[name].data.data_points

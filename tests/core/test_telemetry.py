"""What a process tells of its work: nothing until it is asked to, then one trace through everything."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from parley import envelope, logs, runtime, serve, telemetry
from parley.domain.events import Emit, RequestCreated
from parley.errors import Misconfigured, Unavailable

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
ELSEWHERE = f"00-{'c' * 32}-{'d' * 16}-01"
ID = "01890000-0000-7000-8000-000000000000"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def trace_of(span):
    return f"{span.context.trace_id:032x}"


def function(handler):
    return runtime.event_function("agent-turn", takes=RequestCreated, config=SimpleNamespace, build=lambda _: handler)


def posted(handler, **headers):
    """Let a function handle one event, as the server does; gives the response."""
    made = function(handler)
    made._handler = handler
    event = envelope.Event("1", "/t", RequestCreated.TYPE, body=envelope.dumps({"request_id": ID, "session_id": ID}))
    binary, body = envelope.to_binary(event)
    return serve.application(made).test_client().post("/", data=body, headers={**binary, **headers})


@pytest.mark.parametrize(
    ("env", "wanted"),
    [
        ({}, set()),
        (ENDPOINT, {"traces", "metrics"}),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x/v1/traces"}, {"traces"}),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://x/v1/metrics"}, {"metrics"}),
        ({**ENDPOINT, "OTEL_METRICS_EXPORTER": "none"}, {"traces"}),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "otlp,prometheus"},
         {"metrics", "prometheus"}),
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, {"prometheus"}),
        ({**ENDPOINT, "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_SDK_DISABLED": "true"}, set()),
    ],
)  # fmt: skip
def test_it_is_turned_on_by_opentelemetrys_own_variables(env, wanted):
    assert telemetry.signals(env) == wanted


def test_an_exporter_that_is_not_known_ends_the_start():
    with pytest.raises(Misconfigured, match="OTEL_TRACES_EXPORTER: zipkin"):
        telemetry.signals({"OTEL_TRACES_EXPORTER": "zipkin"})


def test_a_function_that_tells_nothing_imports_nothing_for_it():
    """The start of a process that exports nothing pays for no part of the SDK."""
    code = (
        "import sys; from parley import serve; serve.tell('x', {});"
        "sys.exit(any(name.split('.')[0] in ('opentelemetry', 'prometheus_client') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_untold_spans_are_all_the_same_nothing():
    assert telemetry.span("a") is telemetry.span("b", "client", {"x": 1}, parent=TRACE)
    assert (telemetry.current(), telemetry.onward(TRACE), telemetry.headers()) == (None, TRACE, {})


def test_an_event_is_a_span_in_the_trace_that_it_carries_and_its_reply_goes_on_with_it(told):
    reply = posted(lambda created: Emit(created, "test"), **{"ce-traceparent": TRACE, "ce-tracestate": "vendor=1"})

    spans = told.spans()
    handled, published = spans["process parley.request.created"], spans["publish parley.request.created"]
    assert (trace_of(handled), f"{handled.parent.span_id:016x}") == ("a" * 32, "b" * 16)
    assert handled.kind.name == "CONSUMER"
    assert handled.attributes["parley.function"] == "agent-turn"
    assert handled.attributes["parley.request_id"] == ID, "what is bound to the logs is bound to the span"
    assert published.parent.span_id == handled.context.span_id
    assert reply.headers["ce-traceparent"] == f"00-{'a' * 32}-{published.context.span_id:016x}-01"
    assert reply.headers["ce-tracestate"] == "vendor=1"


def test_a_reply_of_another_trace_belongs_there_and_is_linked(told):
    """The nudge for the next request of a session goes on with that request's trace."""
    reply = posted(lambda created: Emit(created, "next", traceparent=ELSEWHERE), **{"ce-traceparent": TRACE})

    spans = told.spans()
    published = spans["publish parley.request.created"]
    assert (trace_of(published), f"{published.parent.span_id:016x}") == ("c" * 32, "d" * 16)
    assert [f"{link.context.trace_id:032x}" for link in published.links] == ["a" * 32]
    assert reply.headers["ce-traceparent"][3:35] == "c" * 32


def test_requests_are_measured_by_function_operation_and_status(told):
    """Rate, errors and duration; an event type that nobody knows is one kind, however many there are."""

    def broken(_):
        raise Unavailable("down")

    posted(broken)
    posted(lambda _: None)
    posted(lambda _: None, **{"ce-type": "made.up"})

    counted = {
        (point.attributes["parley.operation"], point.attributes["http.response.status_code"]): point.count
        for point in told.points("parley.function.duration")
    }
    assert counted == {
        ("parley.request.created", 503): 1, ("parley.request.created", 202): 1, ("other", 422): 1,
    }  # fmt: skip


def test_failures_are_told_by_their_class_alone(told):
    """Texts of exceptions may hold what somebody said."""
    with pytest.raises(ValueError), telemetry.span("breaks"):
        raise ValueError("my number is 0151 1234")
    with pytest.raises(KeyError), telemetry.span("ends", but=(KeyError,)):
        raise KeyError("no failure")

    spans = told.spans()
    assert spans["breaks"].attributes["error.type"] == "ValueError"
    assert "0151" not in spans["breaks"].to_json()
    assert "error.type" not in spans["ends"].attributes


def test_log_lines_have_the_trace_and_the_span(told, capsys):
    logs.start("INFO")
    with telemetry.span("work", parent=TRACE):
        logs.logging.getLogger("parley").warning("something")

    line = capsys.readouterr().err
    span = told.spans()["work"]
    assert f'"trace_id": "{"a" * 32}"' in line
    assert f'"span_id": "{span.context.span_id:016x}"' in line


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({"ce-traceparent": TRACE}, TRACE),
        ({"traceparent": TRACE, "tracestate": "a=1,b=2"}, f"{TRACE} a=1,b=2"),
        ({"ce-traceparent": TRACE, "traceparent": f"00-{'a' * 32}-{'e' * 16}-01"}, f"00-{'a' * 32}-{'e' * 16}-01"),
        ({"ce-traceparent": TRACE, "traceparent": ELSEWHERE}, TRACE),
    ],
)
def test_the_nearer_hop_of_the_events_own_trace_counts(headers, found):
    """A broker's spans may lie between two functions; a header of another trace is somebody else's."""
    assert telemetry.received(headers) == found


def test_a_collector_that_is_down_keeps_no_process():
    """What was not sent when the pod must leave is lost, not waited for."""
    code = (
        "import os; from parley import serve, telemetry; from parley.adapters import otel; otel.LAST_WORDS = 0.2;"
        "serve.tell('x', os.environ)\n"
        "with telemetry.span('lost'): pass\n"
        "telemetry.stop(); os._exit(7)"
    )
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "PYTHONPATH": "lib", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=env, check=False, capture_output=True, timeout=30)
    assert done.returncode == 7

"""The wiring: what the files of `triggers/` may say, and what is refused before anything starts."""

from pathlib import Path

import pytest
import yaml

from parley.errors import Misconfigured
from standalone.manifests import every_minutes, seconds
from standalone.rules import AllOf, AnyOf, Delivery, Exact, Not, Prefix, Suffix
from standalone.triggers import Ping, Trigger, load_wiring

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = {"greet", "recover", "ingest"}
CORE, SERVING = "eventing.knative.dev/v1", "serving.knative.dev/v1"


def service(name):
    return {"ref": {"apiVersion": SERVING, "kind": "Service", "name": name}}


def broker(**spec):
    metadata = {"name": "b", "namespace": "n", "annotations": {"eventing.knative.dev/broker.class": "Kafka"}}
    return {"apiVersion": CORE, "kind": "Broker", "metadata": metadata, "spec": spec}


def delivery(**more):
    return {
        "retry": 3,
        "backoffPolicy": "linear",
        "backoffDelay": "PT0.5S",
        "timeout": "PT1M",
        "deadLetterSink": service("recover"),
        **more,
    }


def trigger(name="greet", **spec):
    filters = {} if "filter" in spec else {"filters": [{"exact": {"type": "t"}}]}
    whole = {"broker": "b", **filters, "subscriber": service("greet"), "delivery": delivery(), **spec}
    return {"apiVersion": CORE, "kind": "Trigger", "metadata": {"name": name, "namespace": "n"}, "spec": whole}


def without(found, *path):
    """A copy of an object without one of its fields."""
    copy = yaml.safe_load(yaml.safe_dump(found))
    inner = copy
    for part in path[:-1]:
        inner = inner[part]
    del inner[path[-1]]
    return copy


def with_(found, value, *path):
    """A copy of an object with one of its fields set."""
    copy = yaml.safe_load(yaml.safe_dump(found))
    inner = copy
    for part in path[:-1]:
        inner = inner.setdefault(part, {}) if isinstance(inner, dict) else inner[part]
    inner[path[-1]] = value
    return copy


def ping(**spec):
    whole = {"schedule": "* * * * *", "contentType": "application/json", "data": "{}", "sink": service("recover")}
    metadata = {"name": "tick", "namespace": "n"}
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "PingSource",
        "metadata": metadata,
        "spec": {**whole, **spec},
    }


def binding(**spec):
    whole = {
        "subject": {"apiVersion": SERVING, "kind": "Service", "name": "ingest"},
        "sink": {"ref": {"apiVersion": CORE, "kind": "Broker", "name": "b"}},
    }
    metadata = {"name": "ingest", "namespace": "n"}
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "SinkBinding",
        "metadata": metadata,
        "spec": {**whole, **spec},
    }


@pytest.fixture
def load(tmp_path):
    """Write objects into one file and load it."""

    def write_and_load(*objects):
        (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(objects, sort_keys=False))
        return load_wiring(tmp_path, FUNCTIONS)

    return write_and_load


def test_trigger_is_read_whole(load):
    """
    Filters, subscriber, order and delivery of a Trigger are what its file says, durations in seconds.
    """
    ordered = with_(trigger(), {"kafka.eventing.knative.dev/delivery.order": "ordered"}, "metadata", "annotations")

    wiring = load(broker(), ordered)

    expected = Delivery("recover", retry=3, policy="linear", delay=0.5, timeout=60)
    assert (wiring.namespace, wiring.broker) == ("n", "b")
    assert wiring.triggers == (Trigger("greet", (Exact((("type", "t"),)),), "greet", expected, ordered=True),)


def test_every_dialect_is_read(load):
    """
    exact, prefix, suffix, all, any and not, nested, become filters of the same meaning.
    """
    nested = {"all": [{"any": [{"prefix": {"type": "a"}}, {"suffix": {"type": "b"}}]}, {"not": {"exact": {"x": "1"}}}]}

    wiring = load(broker(), trigger(filters=[nested]))

    either = AnyOf((Prefix((("type", "a"),)), Suffix((("type", "b"),))))
    assert wiring.triggers[0].filters == (AllOf((either, Not(Exact((("x", "1"),))))),)


def test_older_form_of_filter_is_read(load):
    """
    `filter.attributes` means exact values.
    """
    wiring = load(broker(), trigger(filter={"attributes": {"type": "t", "channel": "sms"}}))

    assert wiring.triggers[0].filters == (Exact((("type", "t"), ("channel", "sms"))),)


def test_defaults_are_those_of_the_kafka_broker(load):
    """
    Only the dead-letter sink given: no retry, exponential from 200 ms, ten minutes for an attempt, unordered.
    """
    wiring = load(broker(), trigger(delivery={"deadLetterSink": service("recover")}))

    assert wiring.triggers[0].delivery == Delivery("recover", 0, "exponential", 0.2, 600)
    assert wiring.triggers[0].ordered is False


def test_delivery_of_the_broker_is_for_triggers_without_one(load):
    """
    A Trigger's delivery replaces the Broker's as a whole; a Trigger without one gets the Broker's.
    """
    of_broker = broker(delivery=delivery(retry=9))
    own = trigger("own", delivery={"deadLetterSink": service("recover")})

    wiring = load(of_broker, without(trigger("plain"), "spec", "delivery"), own)

    assert [(one.name, one.delivery.retry) for one in wiring.triggers] == [("plain", 9), ("own", 0)]


def test_sources_are_read(load):
    """
    A PingSource keeps its schedule and data, a SinkBinding its subject.
    """
    wiring = load(broker(), ping(schedule="*/5 * * * *", data='{"a":1}'), binding())

    assert wiring.pings == (Ping("tick", 5, '{"a":1}', "recover"),)
    assert wiring.bound == {"ingest"}


REFUSED = {
    "misspelt field of spec": (with_(trigger(), "x", "spec", "suscriber"), "spec.suscriber: unknown"),
    "misspelt field of delivery": (with_(trigger(), 3, "spec", "delivery", "retries"), "spec.delivery.retries: unk"),
    "misspelt metadata": (with_(trigger(), "x", "metadata", "nmae"), "metadata.nmae: unknown"),
    "field beside spec": (with_(trigger(), {}, "status"), "status: unknown"),
    "unknown annotation": (with_(trigger(), {"a/b": "c"}, "metadata", "annotations"), "annotations.a/b: unknown"),
    "unknown order": (
        with_(trigger(), {"kafka.eventing.knative.dev/delivery.order": "fifo"}, "metadata", "annotations"),
        "delivery.order",
    ),
    "no dead-letter sink": (without(trigger(), "spec", "delivery", "deadLetterSink"), "spec.delivery.deadLetterSink"),
    "no delivery at all": (without(trigger(), "spec", "delivery"), "spec.delivery.deadLetterSink: missing"),
    "dead-letter sink that does not exist": (
        trigger(delivery=delivery(deadLetterSink=service("nobody"))),
        "spec.delivery.deadLetterSink.ref.name: there is no function nobody",
    ),
    "dead-letter sink by uri": (
        trigger(delivery=delivery(deadLetterSink={"uri": "http://x"})),
        "spec.delivery.deadLetterSink.uri: unknown",
    ),
    "subscriber that does not exist": (trigger(subscriber=service("nobody")), "spec.subscriber.ref.name"),
    "subscriber that is no Service": (
        with_(trigger(), "Deployment", "spec", "subscriber", "ref", "kind"),
        "spec.subscriber.ref.kind",
    ),
    "subscriber by uri": (with_(trigger(), "/x", "spec", "subscriber", "uri"), "spec.subscriber.uri: unknown"),
    "subscriber of another namespace": (
        with_(trigger(), "other", "spec", "subscriber", "ref", "namespace"),
        "spec.subscriber.ref.namespace",
    ),
    "trigger of another broker": (trigger(broker="other"), "spec.broker: the Broker is b"),
    "trigger of another namespace": (with_(trigger(), "other", "metadata", "namespace"), "metadata.namespace"),
    "trigger of another version": (with_(trigger(), "eventing.knative.dev/v2", "apiVersion"), "apiVersion"),
    "cesql": (trigger(filters=[{"cesql": "type = 't'"}]), "spec.filters.0: Value error, the dialect cesql"),
    "unknown dialect": (trigger(filters=[{"regex": {"type": "t"}}]), "spec.filters.0.regex: unknown"),
    "two dialects in one filter": (
        trigger(filters=[{"exact": {"type": "t"}, "prefix": {"type": "t"}}]),
        "spec.filters.0: Value error, must have exactly one",
    ),
    "filter without a dialect": (trigger(filters=[{}]), "exactly one"),
    "no filter in the list": (trigger(filters=[]), "spec.filters"),
    "nothing in all": (trigger(filters=[{"all": []}]), "spec.filters.0.all"),
    "cesql deep inside": (trigger(filters=[{"not": {"any": [{"cesql": "x"}]}}]), "cesql"),
    "empty value": (trigger(filters=[{"exact": {"type": ""}}]), "spec.filters.0.exact.type"),
    "value that is no text": (trigger(filters=[{"exact": {"type": 1}}]), "spec.filters.0.exact.type"),
    "no attribute": (trigger(filters=[{"exact": {}}]), "spec.filters.0.exact"),
    **{
        f"attribute name {name!r}": (trigger(filters=[{"exact": {name: "x"}}]), "spec.filters.0.exact")
        for name in ("Type", "my-ext", "my_ext", "1st", "", "ümlaut", "a.b")
    },
    "filter and filters": (
        with_(trigger(), {"attributes": {"type": "t"}}, "spec", "filter"),
        "filters would override filter",
    ),
    "empty value in the older form": (trigger(filter={"attributes": {"type": ""}}), "spec.filter.attributes.type"),
    "unknown field of filter": (trigger(filter={"attribute": {"type": "t"}}), "spec.filter.attribute: unknown"),
    **{
        f"duration {text!r}": (trigger(delivery=delivery(backoffDelay=text)), "spec.delivery.backoffDelay")
        for text in ("2s", "PT", "P", "P1DT", "PT2", "-PT2S", "PT2.S", "P1M", "PT2S ", "pt2s", 2)
    },
    "timeout of nothing": (trigger(delivery=delivery(timeout="PT0S")), "spec.delivery.timeout"),
    "retry below nothing": (trigger(delivery=delivery(retry=-1)), "spec.delivery.retry"),
    "retry as text": (trigger(delivery=delivery(retry="3")), "spec.delivery.retry"),
    "unknown policy": (trigger(delivery=delivery(backoffPolicy="fibonacci")), "spec.delivery.backoffPolicy"),
    "delivery.format": (trigger(delivery=delivery(format="json")), "spec.delivery.format: unknown"),
    "retryAfterMax": (trigger(delivery=delivery(retryAfterMax="PT9S")), "spec.delivery.retryAfterMax: unknown"),
    "schedule that is not each n minutes": (ping(schedule="0 3 * * *"), "spec.schedule"),
    "ping with a time zone of its own": (ping(timezone="Europe/Berlin"), "spec.timezone"),
    "ping to a Broker": (
        ping(sink={"ref": {"apiVersion": CORE, "kind": "Broker", "name": "b"}}),
        "spec.sink.ref.kind",
    ),
    "ping to nobody": (ping(sink=service("nobody")), "spec.sink.ref.name"),
    "ping with data that is no JSON": (ping(data="{"), "spec.data"),
    "ping with overrides": (ping(ceOverrides={"extensions": {"a": "b"}}), "spec.ceOverrides: unknown"),
    "binding of nobody": (with_(binding(), "nobody", "spec", "subject", "name"), "spec.subject.name"),
    "binding to another broker": (with_(binding(), "other", "spec", "sink", "ref", "name"), "spec.sink.ref.name"),
    "unknown kind": ({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}, "kind: 'Secret'"),
    "no object": (["a"], "kind"),
}


@pytest.mark.parametrize(("found", "reason"), [pytest.param(*row, id=name) for name, row in REFUSED.items()])
def test_what_a_cluster_would_do_otherwise_is_refused(load, found, reason):
    """
    The error names the file, the object and the field in one line.
    """
    with pytest.raises(Misconfigured) as error:
        load(broker(), found)

    text = str(error.value)
    assert reason in text
    assert text.startswith("all.yaml: ")
    assert "\n" not in text
    if isinstance(found, dict):
        assert f"{found['kind']} {found['metadata']['name']}: " in text or found["kind"] == "Secret"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (without(broker(), "metadata", "annotations"), "metadata.annotations"),
        (
            with_(broker(), "MTChannelBasedBroker", "metadata", "annotations", "eventing.knative.dev/broker.class"),
            "broker.class",
        ),
        (broker(config={"apiVersion": "v1", "kind": "Secret", "name": "x", "namespace": "y"}), "spec.config.kind"),
        (broker(delivry={}), "spec.delivry: unknown"),
    ],
)
def test_broker_of_another_kind_is_refused(load, found, reason):
    """
    A broker class that behaves otherwise than Kafka's, or a misspelt field, ends the start.
    """
    with pytest.raises(Misconfigured, match=reason):
        load(found, trigger())


def test_one_broker_is_wanted(load):
    """
    None and two are both refused.
    """
    with pytest.raises(Misconfigured, match="expected one Broker, found 0"):
        load(trigger())
    with pytest.raises(Misconfigured, match="expected one Broker, found 2"):
        load(broker(), with_(broker(), "c", "metadata", "name"))


def test_name_that_is_there_twice_is_refused_across_files(tmp_path):
    """
    A cluster would let the last one win; both places are named.
    """
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all([broker(), trigger()]))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump_all([trigger()]))

    with pytest.raises(Misconfigured, match=r"b\.yaml: Trigger greet: metadata\.name: also in a\.yaml"):
        load_wiring(tmp_path, FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kind: Broker\nkind: Trigger\n", "the key 'kind' is there twice"),
        ("kind: [\n", "expected"),
        ("a: !!python/object:os.system x\n", "could not determine a constructor"),
    ],
)
def test_yaml_that_is_not_clear_is_refused(tmp_path, text, reason):
    """
    A doubled key, broken YAML or a tag of a language is an error of the file.
    """
    (tmp_path / "a.yaml").write_text(text)

    with pytest.raises(Misconfigured, match=rf"^a\.yaml: .*{reason}"):
        load_wiring(tmp_path, FUNCTIONS)


@pytest.mark.parametrize("name", ["more.yml", "more.json"])
def test_file_that_only_a_cluster_would_read_is_refused(tmp_path, name):
    """
    kubectl applies .yml and .json as well: here such a file would be missing without a word.
    """
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(broker()))
    (tmp_path / name).write_text("")

    with pytest.raises(Misconfigured, match=name):
        load_wiring(tmp_path, FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("PT2S", 2), ("PT0.5S", 0.5), ("PT4M", 240), ("PT1H30M", 5400), ("P1DT1S", 86401), ("P2D", 172800), ("PT0S", 0)],
)
def test_duration(text, expected):
    """
    Durations of ISO 8601 are read as seconds.
    """
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("* * * * *", 1), ("*/1 * * * *", 1), ("*/5 * * * *", 5), ("*/59 * * * *", 59)]
)
def test_schedule(text, expected):
    """
    The two kinds of schedule that are known give their minutes.
    """
    assert every_minutes(text) == expected


@pytest.mark.parametrize("text", ["*/0 * * * *", "*/60 * * * *", "5 * * * *", "@hourly", "* * * *", "*/5 * * * * *"])
def test_other_schedule(text):
    """
    Any other schedule is refused.
    """
    with pytest.raises(ValueError, match="only"):
        every_minutes(text)


def test_shipped_wiring_loads():
    """
    The local broker can do all that the project's own triggers say.
    """
    functions = {file.name for file in (ROOT / "functions").iterdir() if file.is_dir()}

    wiring = load_wiring(ROOT / "triggers", functions)

    assert wiring.triggers
    assert {one.delivery.dead_letter_sink for one in wiring.triggers} == {"recover"}

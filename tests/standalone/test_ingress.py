"""The broker's door: what it answers to whom."""

import io
import json

import pytest
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from parley.errors import Unavailable
from standalone.ingress import ingress_app
from standalone.rules import MAX_BYTES
from standalone.spool import MemorySpool

PATIENCE = 20
DOOR = "/n/b"
BINARY = {"ce-id": "1", "ce-source": "/test", "ce-type": "t", "ce-specversion": "1.0"}
DOCUMENT = {"specversion": "1.0", "id": "1", "source": "/test", "type": "t"}


class Full(MemorySpool):
    """A spool that cannot write."""

    def add(self, _):
        raise Unavailable("down")


@pytest.fixture
def door(bench, trigger):
    """A client of the door of a broker with one trigger."""
    broker = bench.start(trigger())
    client = Client(ingress_app(broker))
    client.broker = broker
    return client


def structured(**more):
    return {"data": json.dumps({**DOCUMENT, **more}), "content_type": "application/cloudevents+json; charset=UTF-8"}


def test_binary_event_is_accepted(door, bench):
    """
    202 without a body; the event arrives with its attributes and its bytes.
    """
    headers = {**BINARY, "Ce-Subject": "a%20b", "ce-partitionkey": "k"}

    answer = door.post(DOOR, headers=headers, data=b'{"a": 1}', content_type="application/json")

    assert (answer.status_code, answer.data) == (202, b"")
    assert door.broker.wait_idle(PATIENCE)
    [event] = bench.scripts["greet"].seen
    assert (event.id, event.subject, event.extensions, event.body) == ("1", "a b", {"partitionkey": "k"}, b'{"a": 1}')


def test_structured_event_is_accepted_and_delivered_in_binary_mode(door, bench):
    """
    Both modes are one kind of event behind the door.
    """
    answer = door.post(DOOR, **structured(subject="s", data={"a": 1}))

    assert answer.status_code == 202
    assert door.broker.wait_idle(PATIENCE)
    [headers] = bench.scripts["greet"].headers
    assert (headers["ce-subject"], headers["content-type"]) == ("s", "application/json")
    assert bench.scripts["greet"].seen[0].data == {"a": 1}


def test_specversion_is_not_changed(door, bench):
    """
    An event leaves in the version in which it came.
    """
    door.post(DOOR, headers=BINARY)

    assert door.broker.wait_idle(PATIENCE)
    assert bench.scripts["greet"].headers[0]["ce-specversion"] == "1.0"


MALFORMED = {
    "no event at all": {"data": b"{}", "content_type": "application/json"},
    "empty": {},
    "unknown version": {"headers": {**BINARY, "ce-specversion": "2.0"}},
    "old version": {"headers": {**BINARY, "ce-specversion": "0.3"}},
    "binary without id": {"headers": {k: v for k, v in BINARY.items() if k != "ce-id"}},
    "binary without type": {"headers": {k: v for k, v in BINARY.items() if k != "ce-type"}},
    "structured without source": structured(source=None),
    "structured, no JSON": {"data": b"{", "content_type": "application/cloudevents+json"},
    "structured, number out of range": {
        "data": json.dumps({**DOCUMENT, "data": 1}).replace('"data": 1', '"data": 1e999'),
        "content_type": "application/cloudevents+json",
    },
    "structured, half a character in the data": structured(data={"a": "\ud800"}),
    "structured, half a character in an attribute": structured(subject="\ud800"),
    "batch": {"data": b"[]", "content_type": "application/cloudevents-batch+json"},
    "time that is none": {"headers": {**BINARY, "ce-time": "yesterday"}},
}


@pytest.mark.parametrize("request_", [pytest.param(value, id=name) for name, value in MALFORMED.items()])
def test_malformed_event_is_refused(door, bench, request_):
    """
    400 for what is no event, and nobody gets it.
    """
    answer = door.post(DOOR, **request_)

    assert (answer.status_code, answer.data) == (400, b"")
    assert door.broker.stats()["accepted"] == 0


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "", "[", "a b"]
)
def test_a_name_that_was_made_to_lead_here_leads_nowhere(door, host):
    """DNS rebinding: a page calls this machine by the page's own name."""
    answer = door.post(DOOR, headers={**BINARY, "Host": host})

    assert answer.status_code == 421
    assert door.broker.stats()["accepted"] == 0


@pytest.mark.parametrize("host", ["localhost:8081", "127.0.0.1", "127.0.0.2:1", "[::1]:8081"])
def test_a_name_of_this_machine_is_good(door, host):
    assert door.post(DOOR, headers={**BINARY, "Host": host}).status_code == 202


@pytest.mark.parametrize("path", ["/n/other", "/other/b", "/n", "/n/b/c", "/x"])
def test_unknown_broker(door, path):
    """
    404 for any other path.
    """
    assert door.post(path, headers=BINARY).status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(door, method):
    """
    405, which says what is allowed.
    """
    answer = door.open(DOOR, method=method, headers=BINARY)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


def test_event_that_is_too_large(door):
    """
    1 MiB is accepted, one byte more is 413.
    """
    largest = door.post(DOOR, headers=BINARY, data=b"1" * MAX_BYTES)
    larger = door.post(DOOR, headers=BINARY, data=b"1" * (MAX_BYTES + 1))

    assert (largest.status_code, larger.status_code) == (202, 413)


def test_event_that_is_too_large_and_does_not_say_so(door):
    """
    Without a Content-Length, as in chunks, the limit is the same.
    """
    body = io.BytesIO(b"1" * (MAX_BYTES + 1))
    environ = EnvironBuilder(DOOR, method="POST", headers=BINARY, input_stream=body).get_environ()
    del environ["CONTENT_LENGTH"]

    _, status, _ = run_wsgi_app(ingress_app(door.broker), {**environ, "wsgi.input_terminated": True})

    assert status.startswith("413 ")


def test_event_that_could_not_be_stored(bench, trigger):
    """
    503: the sender keeps the event and comes again.
    """
    broker = bench.start(trigger(), spool=Full(), spooled_types=frozenset({"t"}))

    answer = Client(ingress_app(broker)).post(DOOR, headers=BINARY)

    assert (answer.status_code, answer.data) == (503, b"")


def test_root_is_the_same_door(door):
    """
    An event posted to `/`, where a function takes its events, is the broker's.
    """
    assert door.post("/", headers=BINARY).status_code == 202


def test_event_without_a_trigger_is_accepted_and_shown(door):
    """
    202, and the count by type at `/-/broker`.
    """
    answer = door.post(DOOR, headers={**BINARY, "ce-type": "nobody.wants.this"})

    assert answer.status_code == 202
    shown = door.get("/-/broker")
    assert shown.content_type == "application/json"
    assert shown.json["unmatched"] == {"nobody.wants.this": 1}
    assert shown.json["queues"]["greet"] == {"waiting": 0, "in_flight": 0, "paused": 0}


def test_state_is_only_read(door):
    """
    405 for a POST to the counts.
    """
    assert door.post("/-/broker", headers=BINARY).status_code == 405

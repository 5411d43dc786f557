"""CloudEvents over HTTP: what is accepted, what is refused, what goes out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley import envelope
from parley.domain.events import Emit, MessageReceived, RequestCreated, ResponseReady
from parley.errors import Malformed

REQUIRED = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "t"}
ID = "0192f0c1-2345-7000-8000-000000000001"


def test_binary_event_is_read_with_its_extensions():
    """Headers become attributes, percent-coding is undone, the body stays bytes."""
    headers = {
        **REQUIRED,
        "Ce-Subject": "Euro%20%E2%82%AC",
        "ce-partitionkey": "s1",
        "Content-Type": "application/json",
    }

    event = envelope.parse(headers, b'{"a": 1}')

    assert (event.id, event.source, event.type, event.subject) == ("1", "/a", "t", "Euro €")
    assert event.extensions == {"partitionkey": "s1"}
    assert event.data == {"a": 1}


def test_structured_event_is_the_same_as_the_binary_one():
    """Both modes give one event."""
    document = {"specversion": "1.0", "id": "1", "source": "/a", "type": "t", "partitionkey": "s1", "data": {"a": 1}}

    structured = envelope.parse({"content-type": "application/cloudevents+json"}, json.dumps(document).encode())

    assert structured.data == {"a": 1}
    assert structured.extensions == {"partitionkey": "s1"}
    assert envelope.from_structured(envelope.to_structured(structured)) == structured


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({**REQUIRED, "ce-specversion": "0.3"}, b""),
        ({**REQUIRED, "ce-specversion": "9"}, b""),
        *(({k: v for k, v in REQUIRED.items() if k != gone}, b"") for gone in REQUIRED),
        ({**REQUIRED, "ce-id": ""}, b""),
        ({**REQUIRED, "ce-source": ""}, b""),
        ({**REQUIRED, "ce-time": "yesterday"}, b""),
        ({**REQUIRED, "ce-time": "2026-11-23T10:00:00"}, b""),
        ({**REQUIRED, "ce-time": "2026-13-23T10:00:00Z"}, b""),
        ({**REQUIRED, "ce-foo_bar": "x"}, b""),
        ({**REQUIRED, "ce-" + "x" * 21: "x"}, b""),
        ({**REQUIRED, "ce-subject": "%FF%FE"}, b""),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]"),
        ({"content-type": "application/cloudevents+json"}, b"[]"),
        ({"content-type": "application/cloudevents+json"}, b"{"),
        ({"content-type": "application/cloudevents+xml"}, b"<a/>"),
        ({"content-type": "application/cloudevents+json"}, b'{"specversion":"1.0","id":"1","source":"a","type":["t"]}'),
        ({"content-type": "application/cloudevents+json"}, b'{"specversion":"1.0","id":"1","source":"a"}'),
        (
            {"content-type": "application/cloudevents+json"},
            b'{"specversion":"1.0","id":"1","source":"a","type":"t","data_base64":"!"}',
        ),
    ],
)
def test_what_is_no_event_is_malformed(headers, body):
    """Strict: nothing is invented for what is missing, nothing wrong is let through."""
    with pytest.raises(Malformed):
        envelope.parse(headers, body)


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a": NaN}', b""])
def test_broken_json_is_found_when_it_is_read(body):
    """A broker passes bytes on unread; who reads them learns that they are no JSON."""
    event = envelope.parse({**REQUIRED, "content-type": "application/json"}, body)

    with pytest.raises(Malformed):
        event.data  # noqa: B018


@given(
    st.builds(
        envelope.Event,
        id=st.text(min_size=1),
        source=st.text(min_size=1),
        type=st.text(min_size=1),
        subject=st.one_of(st.none(), st.text(min_size=1)),
        extensions=st.dictionaries(st.from_regex(r"\Ax[a-z0-9]{1,9}\Z"), st.text(min_size=1)),
        body=st.dictionaries(st.text(), st.integers()).map(envelope.dumps),
    )
)
def test_every_event_survives_the_wire(event):
    """Whatever the attributes hold, header bytes are plain ASCII and what arrives is what was sent."""
    headers, body = envelope.to_binary(event)

    assert all(v.isascii() and v.isprintable() for v in headers.values())
    assert envelope.parse(headers, body) == event


def test_signature_covers_id_and_data_and_any_valid_key_is_enough():
    """A changed id or data, another key, or none at all is no valid signature; two keys allow rotation."""
    event = envelope.signed(envelope.Event("1", "/a", "t", body=envelope.dumps({"a": 1})), "old")
    moved = envelope.Event("2", "/a", "t", extensions=event.extensions, body=event.body)
    changed = envelope.Event("1", "/a", "t", extensions=event.extensions, body=envelope.dumps({"a": 2}))

    assert envelope.is_signed(event, ["new", "old"])
    assert not envelope.is_signed(event, ["new"])
    assert not envelope.is_signed(event, [])
    assert not envelope.is_signed(moved, ["old"])
    assert not envelope.is_signed(changed, ["old"])
    assert not envelope.is_signed(envelope.Event("1", "/a", "t", body=event.body), ["old"])


def test_signature_survives_a_broker_that_rewrites_the_json():
    """Structured and binary brokers write JSON in their own way; the signature is over its canonical form."""
    event = envelope.signed(envelope.Event("1", "/a", "t", body=b'{"b":1,"a":"\\u00e9"}'), "k")

    rewritten = envelope.from_structured(json.loads(json.dumps(envelope.to_structured(event))))

    assert envelope.is_signed(rewritten, ["k"])


def test_same_cause_gives_the_same_event_id():
    """Ids derive from their cause; parts cannot run into each other."""
    contract = RequestCreated(request_id=ID, session_id=ID)

    first, again = (envelope.outgoing(Emit(contract, "accepted"), "normalize") for _ in range(2))
    other = envelope.outgoing(Emit(contract, "nudge 1"), "normalize")

    assert first == again
    assert first.id != other.id
    assert envelope.event_id("a", "bc") != envelope.event_id("ab", "c")


def test_outgoing_event_carries_routing_facts_and_its_trace():
    """`channel` and `partitionkey` route and order; the trace of the request wins over that of the event before."""
    cause = envelope.Event("1", "/a", "t", extensions={"traceparent": "00-old", "correlationid": "c", "signature": "s"})
    contract = ResponseReady(request_id=ID, delivery_id=ID, session_id=ID, channel="slack")

    event = envelope.outgoing(Emit(contract, "turn 1", traceparent="00-new"), "agent-turn", cause)

    assert event.source == "/parley/agent-turn"
    assert event.subject == ID
    assert event.extensions == {
        "partitionkey": ID, "channel": "slack", "traceparent": "00-new", "correlationid": "c",
    }  # fmt: skip


def test_contracts_ignore_fields_that_a_newer_version_added():
    """Adding an optional field is compatible."""
    contract = RequestCreated.model_validate({"request_id": ID, "session_id": ID, "later": 1})

    assert contract.subject() == ID
    assert set(MessageReceived.model_fields) >= {"key", "text", "thread"}

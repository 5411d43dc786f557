"""The rules of delivery, one row each: Knative's data plane specification as the Kafka broker keeps it."""

import base64

import pytest

from parley.envelope import Event
from standalone.rules import (
    AllOf,
    AnyOf,
    Exact,
    Filter,
    Not,
    Outcome,
    Prefix,
    Suffix,
    Verdict,
    dead_letter,
    matches,
    outcome,
    pause,
)

EVENT = Event(id="1", source="/test", type="a.b.c", subject="s1", extensions={"channel": "slack"}, body=b"{}")
BINARY = {"ce-id": "2", "ce-source": "/x", "ce-type": "t", "ce-specversion": "1.0", "content-type": "application/json"}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
DOCUMENT = b'{"specversion":"1.0","id":"2","source":"/x","type":"t","data":{"a":1}}'

ANSWERS = [
    ("200, empty body: accepted", 200, {}, b"", Verdict.ACCEPTED),
    ("202, empty body: accepted", 202, {"content-type": "text/html"}, b"", Verdict.ACCEPTED),
    ("204, empty body: accepted", 204, {}, b"", Verdict.ACCEPTED),
    ("200 + binary event: reply", 200, BINARY, b'{"a":1}', Verdict.REPLY),
    ("200 + binary event without data: reply", 200, BINARY, b"", Verdict.REPLY),
    ("200 + structured event: reply", 200, STRUCTURED, DOCUMENT, Verdict.REPLY),
    ("202 + event: still a reply", 202, BINARY, b'{"a":1}', Verdict.REPLY),
    ("200 + other body: failed without retry", 200, {"content-type": "text/html"}, b"OK", Verdict.FAILED),
    ("202 + other body: failed without retry", 202, {"content-type": "application/json"}, b"{}", Verdict.FAILED),
    ("200 + event without type: failed", 200, {"ce-specversion": "1.0", "ce-id": "1"}, b"", Verdict.FAILED),
    ("200 + batch: failed", 200, {"content-type": "application/cloudevents-batch+json"}, b"[]", Verdict.FAILED),
    ("200 + event of an unknown version: failed", 200, {**BINARY, "ce-specversion": "9.9"}, b"{}", Verdict.FAILED),
    *((f"{status}: final", status, {}, b"", Verdict.FAILED) for status in (301, 302, 307, 308)),
    *((f"{status}: final", status, {}, b"", Verdict.FAILED) for status in (400, 401, 403, 405, 410, 413, 415, 422)),
    *((f"{status}: retry", status, {}, b"", Verdict.RETRY) for status in (404, 408, 409, 429)),
    *((f"{status}: retry", status, {}, b"", Verdict.RETRY) for status in (500, 501, 502, 503, 504, 599)),
    ("503 with Retry-After: retry, the header is ignored", 503, {"retry-after": "120"}, b"", Verdict.RETRY),
]


@pytest.mark.parametrize(("status", "headers", "body", "verdict"), [pytest.param(*r[1:], id=r[0]) for r in ANSWERS])
def test_answer_of_a_subscriber(status, headers, body, verdict):
    """
    Each answer of a subscriber means what the table of the specification says.
    """
    assert outcome(status, headers, body).verdict is verdict


def test_reply_is_the_event_that_was_answered():
    """
    The attributes and the data of a reply are passed on as they came, names of headers in any case.
    """
    headers = {"Ce-Id": "2", "CE-Source": "/x", "ce-type": "t", "Ce-Specversion": "1.0", "Ce-Partitionkey": "a%20b"}

    reply = outcome(200, headers, b"[1]").reply

    assert reply == Event("2", "/x", "t", datacontenttype=None, extensions={"partitionkey": "a b"}, body=b"[1]")


PAUSES = [
    ("exponential is delay * 2^n from n = 1: PT2S waits 4, 8, 16, 32", "exponential", [4, 8, 16, 32]),
    ("linear is delay * n from n = 1: PT2S waits 2, 4, 6, 8", "linear", [2, 4, 6, 8]),
]


@pytest.mark.parametrize(("policy", "expected"), [pytest.param(*row[1:], id=row[0]) for row in PAUSES])
def test_pause_before_a_retry(policy, expected):
    """
    The pauses grow as the Kafka broker counts them.
    """
    assert [pause(policy, 2, n) for n in range(1, 5)] == expected


def test_pause_of_very_many_retries_is_a_number():
    """
    Even a policy with thousands of retries has a pause that can be waited for.
    """
    assert pause("exponential", 0.5, 5000) < float("inf")


def test_dead_letter_is_the_event_with_where_it_failed_and_why():
    """
    A dead letter is the original event with the destination, the code, and 1024 bytes of the answer in base64.
    """
    answer = b"\xff" * 1025

    letter = dead_letter(EVENT, "http://x", 422, answer, {"Kne-Reason": "not today", "X-Other": "no"})

    told = {
        "knativeerrordest": "http://x",
        "knativeerrorcode": "422",
        "knativeerrordata": base64.b64encode(answer[:1024]).decode(),
        "reason": "not today",
    }
    assert letter == Event(**{**EVENT.__dict__, "extensions": {"channel": "slack", **told}})


def test_dead_letter_without_an_answer_tells_the_destination_only():
    """
    Nobody answered, or a 2xx was no event: there is neither a code nor data.
    """
    letter = dead_letter(EVENT, "http://x")

    assert letter.extensions == {"channel": "slack", "knativeerrordest": "http://x"}


def test_dead_letter_of_an_empty_answer_has_no_data():
    """
    An answer without a body gives a code and no data.
    """
    letter = dead_letter(EVENT, "http://x", 503)

    assert letter.extensions == {"channel": "slack", "knativeerrordest": "http://x", "knativeerrorcode": "503"}


def test_dead_letter_of_a_dead_letter_tells_of_its_last_failure():
    """
    An event that was dead before is told of by its newest failure.
    """
    letter = dead_letter(dead_letter(EVENT, "http://x", 500), "http://y", 422)

    assert letter.extensions["knativeerrordest"] == "http://y"
    assert letter.extensions["knativeerrorcode"] == "422"


@pytest.mark.parametrize("header", ["kne-", "kne-two-words", "kne-id", "kne-data", "kne-" + "x" * 21, "kne-ümlaut"])
def test_header_that_no_extension_can_be_called_is_left_out(header):
    """
    A `kne-` header can neither make an invalid event nor change what the event is.
    """
    letter = dead_letter(EVENT, "http://x", 422, b"", {header: "v"})

    assert set(letter.extensions) == {"channel", "knativeerrordest", "knativeerrorcode"}


def exact(**values: str) -> Exact:
    return Exact(tuple(values.items()))


def prefix(**values: str) -> Prefix:
    return Prefix(tuple(values.items()))


def suffix(**values: str) -> Suffix:
    return Suffix(tuple(values.items()))


FILTERS: list[tuple[str, list[Filter], bool]] = [
    ("no filter: everything", [], True),
    ("exact: equal", [exact(type="a.b.c")], True),
    ("exact: not equal", [exact(type="a.b")], False),
    ("exact: case counts", [exact(type="A.b.c")], False),
    ("exact: all attributes of one filter", [exact(type="a.b.c", source="/other")], False),
    ("exact: an extension", [exact(channel="slack")], True),
    ("exact: a missing attribute fails", [exact(tenant="x")], False),
    ("exact: specversion is an attribute", [exact(specversion="1.0")], True),
    ("exact: data is none", [exact(data="{}")], False),
    ("several filters: and", [exact(type="a.b.c"), exact(channel="sms")], False),
    ("prefix: begins", [prefix(type="a.b.")], True),
    ("prefix: does not begin", [prefix(type="b.")], False),
    ("prefix: a missing attribute fails", [prefix(tenant="x")], False),
    ("suffix: ends", [suffix(type=".c", subject="1")], True),
    ("suffix: does not end", [suffix(type=".b")], False),
    ("all: every one", [AllOf((exact(type="a.b.c"), exact(channel="slack")))], True),
    ("all: not every one", [AllOf((exact(type="a.b.c"), exact(channel="sms")))], False),
    ("any: one of them", [AnyOf((exact(type="x"), exact(channel="slack")))], True),
    ("any: none of them", [AnyOf((exact(type="x"), exact(channel="sms")))], False),
    ("not: turned round", [Not(exact(type="x"))], True),
    ("not: turned round the other way", [Not(exact(type="a.b.c"))], False),
    ("not: holds for a missing attribute", [Not(exact(tenant="x"))], True),
    ("nested", [AllOf((AnyOf((prefix(type="x"), suffix(type="c"))), Not(exact(channel="sms"))))], True),
]


@pytest.mark.parametrize(("filters", "expected"), [pytest.param(*row[1:], id=row[0]) for row in FILTERS])
def test_filter(filters, expected):
    """
    A filter lets through what Knative's filter of the same dialect lets through.
    """
    assert matches(filters, EVENT.attributes()) is expected


def test_outcome_keeps_what_a_dead_letter_tells():
    """
    Code, body and headers of a failure come out as they went in; those of a 2xx that is no event do not.
    """
    assert outcome(503, {"kne-reason": "x"}, b"down") == Outcome(Verdict.RETRY, None, 503, b"down", {"kne-reason": "x"})
    assert outcome(200, {}, b"OK") == Outcome(Verdict.FAILED)

"""The client before what is not the API, and before texts and keys that nobody thinks of."""

import json

import pytest

from devkit.serving import Reply
from parley.client import Foreign, Parley, Unusable
from parley.client.streams import PAUSE, follow, lines

ID = "01890000-0000-7000-8000-000000000001"
STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}
JSON = {"Content-Type": "application/json"}
END = b"id: 2\nevent: completed\ndata: {}\n\n"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(302, b"", {"Location": "/login"}), Reply(200, b"<html>Sign in", {"Content-Type": "text/html"}),
        Reply(200, b'{"request_id": ', JSON), Reply(200),
    ],
    ids=["redirection", "page", "half", "nothing"],
)  # fmt: skip
def test_what_is_not_the_api_is_said_so(broken, hurried, reply):
    """A typed error, once, and not one of whatever reads JSON."""
    broken.script = [reply]

    with pytest.raises(Foreign, match="is not Parley's API"):
        hurried.requests.status(ID)

    assert len(broken.asked) == 1


@pytest.mark.parametrize(
    "reply",
    [Reply(200, b"<html>\n\n", {"Content-Type": "text/html"}), Reply(200, b'id: 1\ndata: {"st\n\n', STREAM)],
    ids=["page", "half"],
)
def test_what_is_no_stream_of_events_ends_it(broken, hurried, reply):
    """It is not asked for again and again."""
    broken.script = [reply]

    with pytest.raises(Foreign):
        list(hurried.requests.stream(ID))

    assert len(broken.asked) == 1


def test_text_may_hold_every_character(broken, hurried):
    """U+2028 and its like end lines of a text, not of a stream."""
    delta = "a\u2028b\u2029c\u0085d\x1ce\vf\fg"
    data = json.dumps({"step": 1, "delta": delta}, ensure_ascii=False)
    broken.script = [Reply(200, f"id: 1\nevent: text\ndata: {data}\n\n".encode() + END, STREAM)]
    raw = "id: 1\nevent: text\ndata: \u2028\u0085\n\n".encode()

    text, _ = list(hurried.requests.stream(ID))

    assert text.data["delta"] == delta
    for size in range(1, len(raw)):
        chunks = [raw[at : at + size] for at in range(0, len(raw), size)]
        assert list(lines(chunks)) == ["id: 1", "event: text", "data: \u2028\u0085", ""]


def test_stream_that_tells_nothing_is_not_asked_without_pause(broken, hurried):
    """A queued request has long streams without an event; something in between may end each at once."""
    broken.script = [Reply(200, b": alive\n\n", STREAM)] * 3 + [Reply(200, END, STREAM)]
    paused = []

    found = list(follow(hurried.requests._transport, "/events", sleep=paused.append))

    assert [event.type for event in found] == ["completed"]
    assert paused == [PAUSE] * 3


def test_pause_that_was_asked_for_is_not_cut_short(broken):
    """Whoever is patient waits as long as Retry-After says."""
    paused = []
    broken.script = [Reply(429, b"", {"Retry-After": "60"}), Reply(204)]
    with Parley(broken.url, "pk_x", patience=120, sleep=paused.append) as client:
        client.requests._transport.call("GET", "/x")

    assert paused == [60]


@pytest.mark.parametrize("key", ["pk_secr\u00e9t", "pk_sec\nret", "", " \n"])
def test_key_that_cannot_be_sent_is_said_and_not_shown(broken, key):
    """Nothing is sent, and no error quotes a header."""
    with pytest.raises(Unusable) as error:
        Parley(broken.url, key)

    assert "sec" not in repr(error.value)
    assert broken.asked == []


def test_key_out_of_a_file_may_end_its_line(broken):
    """What an editor adds is no part of it."""
    broken.script = [Reply(204)]
    with Parley(broken.url, "pk_x\n") as client:
        client.requests._transport.call("GET", "/x")

    assert broken.asked[0].headers["authorization"] == "Bearer pk_x"


def test_what_is_done_needs_no_words(broken, hurried):
    """A replay is answered by 202 and nothing else."""
    broken.script = [Reply(202)]

    hurried.admin.replay(ID)

    assert len(broken.asked) == 1

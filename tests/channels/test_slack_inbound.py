"""What Slack sends: signatures over bytes, and which messages are for us."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.channels import slack_inbound
from parley.channels.slack_inbound import Challenge, Ignored, NotSlack, Said
from parley.domain.events import MessageReceived

# The example of Slack's documentation.
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
STAMP = 1531420618
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a1"
    b"4d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
HEADERS = {"X-Slack-Request-Timestamp": str(STAMP), "X-Slack-Signature": SIGNATURE}


def payload(**event):
    """An event_callback around `event`, as Slack sends it."""
    base = {"type": "message", "channel": "C1", "user": "U1", "text": "hello", "ts": "1700000000.000100"}
    return {
        "type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": "Ev1", "event_time": 1700000000,
        "authorizations": [{"team_id": "T1", "user_id": "UBOT", "is_bot": True, "is_enterprise_install": False}],
        "event": {**base, **event},
    }  # fmt: skip


def read(**event):
    return slack_inbound.read(json.dumps(payload(**event)).encode())


def test_slacks_own_example_is_signed():
    """The documented secret, timestamp and body give the documented signature; a second secret allows rotation."""
    assert slack_inbound.is_signed([SECRET], HEADERS, BODY, STAMP)
    assert slack_inbound.is_signed(["other", SECRET], HEADERS, BODY, STAMP + 299)


@pytest.mark.parametrize(
    ("headers", "body", "now"),
    [
        ({}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Signature": "v0=" + "0" * 64}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Signature": "é"}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Request-Timestamp": "abc"}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Request-Timestamp": ""}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Request-Timestamp": "1531420618.5"}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Request-Timestamp": "٤٢"}, BODY, STAMP),
        ({**HEADERS, "X-Slack-Request-Timestamp": "9" * 400}, BODY, STAMP),
        (HEADERS, BODY + b" ", STAMP),
        (HEADERS, b"\xff\xfe", STAMP),
        (HEADERS, BODY, STAMP + 301),
        (HEADERS, BODY, STAMP - 301),
    ],
)
def test_what_is_malformed_is_simply_not_signed(headers, body, now):
    """Never an exception: every malformed header is a wrong signature, old and future timestamps too."""
    assert not slack_inbound.is_signed([SECRET], headers, body, now)


def test_nothing_is_signed_without_a_secret():
    """It fails closed."""
    assert not slack_inbound.is_signed([], HEADERS, BODY, STAMP)


def test_challenge_is_given_back():
    """url_verification asks whether the URL is ours."""
    found = slack_inbound.read(b'{"type": "url_verification", "challenge": "abc", "token": "x"}')

    assert found == Challenge("abc")


def test_mention_is_read_without_our_name():
    """The bot's own mention goes, line breaks, other mentions and escapes stay readable."""
    found = read(type="app_mention", text="<@UBOT> hi <@U2>\nline two &lt;b&gt; &amp;")

    assert isinstance(found, Said)
    assert found.data["text"] == "hi <@U2>\nline two <b> &"
    assert found.data["is_mention"]
    assert not found.data["is_reply"]


def test_mention_and_message_are_one():
    """Slack sends one mention as two events; both have one identity."""
    mention, message = read(type="app_mention", text="<@UBOT> hi"), read(text="<@UBOT> hi")

    assert mention.data == message.data


def test_answer_belongs_to_the_thread_or_starts_one():
    """A reply stays in its thread; a message outside of one becomes the thread's root."""
    reply = read(text="<@UBOT> more", thread_ts="1699999999.000001")
    root = read(text="<@UBOT> hi")

    assert (reply.data["thread"], reply.data["is_reply"]) == ("1699999999.000001", True)
    assert (root.data["thread"], root.data["is_reply"]) == ("1700000000.000100", False)


@pytest.mark.parametrize(
    ("event", "is_said"),
    [
        ({"channel_type": "im", "channel": "D1"}, True),
        ({"channel_type": "im", "channel": "D1", "thread_ts": "1.1"}, True),
        ({"text": "<@UBOT> hi"}, True),
        ({"thread_ts": "1.1"}, True),  # normalize knows whether we take part there
        ({"channel_type": "im", "subtype": "file_share", "files": [{"id": "F1"}]}, True),
        ({"channel_type": "im", "subtype": "thread_broadcast", "thread_ts": "1.1"}, True),
        ({}, False),
        ({"channel_type": "im", "bot_id": "B1", "subtype": "bot_message"}, False),
        ({"channel_type": "im", "bot_id": "B1", "bot_profile": {}}, False),
        ({"channel_type": "im", "app_id": "A1"}, False),
        ({"channel_type": "im", "user": "UBOT"}, False),
        ({"channel_type": "im", "user": "USLACKBOT"}, False),
        ({"channel_type": "im", "user": None}, False),
        ({"channel_type": "im", "subtype": "message_changed", "hidden": True, "message": {}}, False),
        ({"channel_type": "im", "subtype": "message_deleted", "hidden": True}, False),
        ({"channel_type": "im", "subtype": "channel_join"}, False),
        ({"text": "<@UBOT> hi", "user_team": "T2", "source_team": "T2"}, False),
        ({"type": "reaction_added"}, False),
        ({"channel_type": "im", "ts": None}, False),
        ({"channel_type": "im", "channel": 7}, False),
    ],
)
def test_only_what_a_person_says_to_us_counts(event, is_said):
    """Direct messages, mentions and thread replies of people; no bots, edits, joins, outsiders, nor talk to others."""
    assert isinstance(read(**event), Said if is_said else Ignored)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b'"x"', b"[" * 100_000])
def test_what_slack_never_sends_is_named(body):
    """A body that is no JSON object is nothing of Slack's."""
    with pytest.raises(NotSlack):
        slack_inbound.read(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["type", "channel", "user", "text", "ts", "thread_ts", "subtype", "bot_id", "channel_type"]),
        json_values | st.sampled_from(["message", "app_mention", "im", "D1", "U1"]),
    ),
    json_values,
)
def test_any_event_is_said_ignored_or_refused(event, authorizations):
    """Whatever the shape, nothing but the three outcomes; and what was said fits the contract."""
    document = {"type": "event_callback", "team_id": "T1", "authorizations": authorizations, "event": event}

    found = slack_inbound.read(json.dumps(document).encode())

    if isinstance(found, Said):
        MessageReceived.model_validate(found.data)

"""The Events API: which messages are for us, and what becomes of edits, deletions and our app."""

import json

import pytest

from parley.channels import slack_inbound
from parley.channels.slack_inbound import Found, NotSlack


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


def test_challenge_is_given_back():
    """url_verification asks whether the URL is ours."""
    found = slack_inbound.read(b'{"type": "url_verification", "challenge": "abc", "token": "x"}')

    assert found == Found(answer={"challenge": "abc"})


def test_mention_is_read_without_our_name():
    """The bot's own mention goes, line breaks, other mentions and escapes stay readable."""
    found = read(type="app_mention", text="<@UBOT> hi <@U2>\nline two &lt;b&gt; &amp;")

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
    found = read(**event)

    assert (found.data is not None, found.ignored == "") == (is_said, is_said)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"\xff", b'"x"', b"[" * 100_000, b"a=1", b"payload=7", b"a=%ff"]
)
def test_what_slack_never_sends_is_named(body):
    """A body that is no JSON object is nothing of Slack's."""
    with pytest.raises(NotSlack):
        slack_inbound.read(body)


@pytest.mark.parametrize(
    ("now", "before", "is_edit"),
    [
        ({"text": "B", "edited": {"user": "U1", "ts": "1700000009.000000"}}, {"text": "A"}, True),
        ({"text": "A", "edited": {"user": "U1", "ts": "1700000009.000000"}}, {"text": "A"}, False),  # a link unfurled
        ({"text": "B"}, {"text": "A"}, False),  # Slack's own doing, such as a title
        ({"text": "B", "edited": {"ts": "1700000009.000000"}, "bot_id": "B1"}, {"text": "A"}, False),
        ({"text": "B", "edited": {"ts": "1700000009.000000"}, "user": "UBOT"}, {"text": "A"}, False),
        ({"text": "B", "edited": {"ts": ""}}, {"text": "A"}, False),
    ],
)
def test_only_what_its_author_changes_is_an_edit(now, before, is_edit):
    """An edit names the message that it changes; unfurled links, titles and bots change nothing for us."""
    base = {"type": "message", "user": "U1", "ts": "1700000000.000100"}
    found = read(
        subtype="message_changed", hidden=True, user=None, ts="1700000009.000001", text=None,
        message={**base, **now}, previous_message={**base, **before},
    )  # fmt: skip

    assert bool(found.data) == is_edit
    if is_edit:
        assert (found.data["kind"], found.data["text"]) == ("edit", "B")
        assert found.data["about"] == "slack:T1:C1:1700000000.000100"


def test_deletion_names_what_was_deleted():
    """Whoever deletes a message, it is its author's question that is taken back; our own messages are nobody's."""
    base = {"subtype": "message_deleted", "hidden": True, "deleted_ts": "1700000000.000100", "user": None}
    theirs = read(**base, previous_message={"user": "U1", "ts": "1700000000.000100"})
    ours = read(**base, previous_message={"user": "UBOT", "ts": "1700000000.000100"})

    assert (theirs.data["kind"], theirs.data["about"]) == ("delete", "slack:T1:C1:1700000000.000100")
    assert ours.data is None


def test_workspace_is_where_we_are_installed():
    """In a shared channel the event comes from the other company's workspace; the authorization tells ours."""
    document = payload(text="<@UBOT> hi", user_team="T9", source_team="T9")
    document["team_id"] = "T9"

    assert slack_inbound.read(json.dumps(document).encode()).ignored == "said by somebody outside of the workspace"


@pytest.mark.parametrize("whole", [True, False])
def test_person_of_the_whole_organisation_is_no_stranger(whole):
    """Where an organisation has installed us as a whole, a person's team may be the organisation."""
    document = payload(text="<@UBOT> hi", user_team="E1", source_team="E1")
    document["authorizations"] = [
        {"enterprise_id": "E1", "team_id": "T1", "user_id": "UBOT", "is_enterprise_install": whole}
    ]

    assert bool(slack_inbound.read(json.dumps(document).encode()).data) == whole


def test_files_come_with_the_message():
    """What was attached is named; its content is fetched when it is needed."""
    file = {"id": "F1", "name": "list.pdf", "mimetype": "application/pdf", "size": 1200, "url_private": "https://x"}
    found = read(channel_type="im", channel="D1", subtype="file_share", files=[file, {"id": None}, 7])

    assert found.data["files"] == [{"id": "F1", "name": "list.pdf", "media_type": "application/pdf", "size": 1200}]

"""The stand-in for Slack's Web API, asked by Slack's own client and by hand."""

import json
from collections.abc import Iterator

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from devkit.slack import ALICE, BOB, BOT, BOT_USER, GENERAL, TOKEN, SlackStandIn


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """One workspace with its clock standing still."""
    with SlackStandIn(clock=lambda: 1_700_000_000.25) as stand_in:
        yield stand_in


@pytest.fixture
def client(slack: SlackStandIn) -> WebClient:
    """Slack's own client, with its retries off."""
    return WebClient(slack.token, base_url=slack.api_url, retry_handlers=[])


def refusal(error: pytest.ExceptionInfo[SlackApiError]) -> str:
    """Slack's word for what was wrong."""
    return str(error.value.response["error"])


def test_says_who_the_app_is(client: WebClient):
    """auth.test gives the ids that the app's own messages bear."""
    who = client.auth_test()

    assert (who["user_id"], who["bot_id"]) == (BOT_USER, BOT)


def test_finds_people_by_id_and_by_address(client: WebClient):
    """users.info and users.lookupByEmail, whatever the case of the address, give the same person."""
    by_id = client.users_info(user=ALICE)["user"]
    by_email = client.users_lookupByEmail(email="ALICE@example.com")["user"]

    assert by_id == by_email
    assert by_id["profile"]["email"] == "alice@example.com"
    assert by_id["tz"] == "Europe/Berlin"


def test_gives_each_message_its_own_rising_timestamp(slack: SlackStandIn, client: WebClient):
    """Timestamps have six decimals, rise and never repeat, even when the clock stands still."""
    sent = [client.chat_postMessage(channel=GENERAL, text=str(number))["ts"] for number in range(3)]

    assert sent == ["1700000000.250000", "1700000000.250001", "1700000000.250002"]
    assert [message["text"] for message in slack.messages(GENERAL)] == ["0", "1", "2"]


def test_posts_a_message_with_blocks_into_a_thread(slack: SlackStandIn, client: WebClient):
    """The answer holds the message as Slack stores it: whose it is, where, and each block with an id."""
    question = slack.say(GENERAL, ALICE, "How?")

    answer = client.chat_postMessage(channel=GENERAL, text="So.", thread_ts=question, blocks=[{"type": "divider"}])

    message = answer["message"]
    assert (message["type"], message["user"], message["bot_id"]) == ("message", BOT_USER, BOT)
    assert (message["thread_ts"], message["parent_user_id"]) == (question, ALICE)
    assert message["blocks"][0]["block_id"]


def test_takes_forms_with_the_token_inside(slack: SlackStandIn):
    """A method may be called with a form, where lists and objects are JSON in text."""
    metadata = json.dumps({"event_type": "made", "event_payload": {"key": "1"}})
    form = {"token": TOKEN, "channel": GENERAL, "text": "hi", "metadata": metadata, "unfurl_links": "false"}

    answer = httpx.post(f"{slack.api_url}chat.postMessage", data=form).json()

    assert answer["ok"]
    assert slack.messages()[0]["metadata"]["event_payload"] == {"key": "1"}


@pytest.mark.parametrize(
    ("headers", "error"),
    [({}, "not_authed"), ({"Authorization": "Bearer xoxb-other"}, "invalid_auth")],
)
def test_refuses_without_the_right_token(slack: SlackStandIn, headers: dict[str, str], error: str):
    """A token in the query is none. Without one or with another nothing is answered, with status 200 all the same."""
    answer = httpx.post(f"{slack.api_url}auth.test?token={TOKEN}", headers=headers)

    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})


def test_reads_no_json_where_slack_reads_none(slack: SlackStandIn):
    """Methods that only read take their arguments from forms and queries; JSON is as good as nothing."""
    headers = {"Authorization": f"Bearer {TOKEN}"}

    answer = httpx.post(f"{slack.api_url}users.info", json={"user": ALICE}, headers=headers).json()

    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == ["[ERROR] missing required field: user"]


def test_knows_no_other_method(client: WebClient):
    """A method that the stand-in does not have is unknown."""
    with pytest.raises(SlackApiError) as error:
        client.api_call("chat.postMassage")

    assert refusal(error) == "unknown_method"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "no_text"),
        ({"text": " "}, "no_text"),
        ({"text": "a", "message": "b"}, "invalid_arguments"),
        ({"text": "a", "thread_ts": "yesterday"}, "invalid_arguments"),
        ({"text": "a", "unfurl_links": "maybe"}, "invalid_arguments"),
        ({"text": "a", "thread_ts": "1600000000.000000"}, "thread_not_found"),
        ({"text": "a", "channel": "C0NOWHERE"}, "channel_not_found"),
        ({"text": "a" * 40_001}, "msg_too_long"),
        ({"text": "a", "markdown_text": "b"}, "markdown_text_conflict"),
        ({"markdown_text": "b" * 12_001}, "msg_too_long"),
        ({"text": "a", "blocks": "{"}, "invalid_blocks_format"),
        ({"text": "a", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"text": "a", "blocks": [{"type": "poem"}]}, "invalid_blocks"),
        ({"text": "a", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": []}]}, "invalid_blocks"),
        ({"blocks": [{"type": "markdown", "text": "x" * 6001}] * 2}, "msg_too_long"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}] * 5}, "msg_blocks_too_long"),
        ({"text": "a", "metadata": {"event_type": "made"}}, "invalid_metadata_format"),
        ({"text": "a", "metadata": {"event_type": "made", "event_payload": "text"}}, "invalid_metadata_schema"),
    ],
)
def test_refuses_what_slack_refuses(slack: SlackStandIn, client: WebClient, arguments: dict[str, object], error: str):
    """A message beyond Slack's rules is refused by Slack's own word, and is not said."""
    with pytest.raises(SlackApiError) as refused:
        client.api_call("chat.postMessage", json={"channel": GENERAL, **arguments})

    assert refusal(refused) == error
    assert slack.messages() == []
    assert slack.calls("chat.postMessage")[0]["error"] == error


def test_takes_what_is_just_within_the_limits(client: WebClient):
    """Fifty blocks, a section of 3,000 characters and a text of 40,000 are taken."""
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3000}}

    answer = client.chat_postMessage(channel=GENERAL, text="a" * 40_000, blocks=[section, *[{"type": "divider"}] * 49])

    assert answer["ok"]


def test_says_where_a_block_is_wrong(client: WebClient):
    """An invalid block is pointed at, as Slack does."""
    with pytest.raises(SlackApiError) as error:
        client.chat_postMessage(channel=GENERAL, text="a", blocks=[{"type": "divider"}, {"type": "poem"}])

    assert error.value.response["errors"] == ["unsupported type: poem [json-pointer:/blocks/1/type]"]


def test_refuses_places_where_the_app_cannot_write(slack: SlackStandIn, client: WebClient):
    """A channel without the app, an archived one and a reply as a parent are refused."""
    outside = slack.workspace.add_channel("secrets", bot_in=False)
    archived = slack.workspace.add_channel("old", archived=True)
    question = slack.say(GENERAL, ALICE, "How?")
    reply = slack.say(GENERAL, BOB, "So.", thread_ts=question)

    errors = []
    for place in ({"channel": outside}, {"channel": archived}, {"channel": GENERAL, "thread_ts": reply}):
        with pytest.raises(SlackApiError) as error:
            client.api_call("chat.postMessage", json={"text": "hi", **place})
        errors.append(refusal(error))

    assert errors == ["not_in_channel", "is_archived", "cannot_reply_to_message"]


def test_reads_a_thread_with_metadata_only_when_asked(slack: SlackStandIn, client: WebClient):
    """conversations.replies gives the parent with its counts, then the replies; metadata is left out unless wanted."""
    question = slack.say(GENERAL, ALICE, "How?")
    metadata = {"event_type": "made", "event_payload": {"key": "1"}}
    client.chat_postMessage(channel=GENERAL, text="So.", thread_ts=question, metadata=metadata)

    plain = client.conversations_replies(channel=GENERAL, ts=question)["messages"]
    full = client.conversations_replies(channel=GENERAL, ts=question, include_all_metadata=True)["messages"]

    assert [message["text"] for message in full] == ["How?", "So."]
    assert (full[0]["reply_count"], full[0]["latest_reply"]) == (1, full[1]["ts"])
    assert full[1]["metadata"] == metadata
    assert "metadata" not in plain[1]


def test_reads_a_thread_page_by_page_from_a_moment_on(slack: SlackStandIn, client: WebClient):
    """`oldest` leaves out what is older or as old, but never the parent; cursors lead through every reply once."""
    question = slack.say(GENERAL, ALICE, "0")
    replies = [slack.say(GENERAL, BOB, str(number), thread_ts=question) for number in range(1, 6)]

    pages = client.conversations_replies(channel=GENERAL, ts=question, oldest=replies[0], limit=2)

    assert [[message["text"] for message in page["messages"]] for page in pages] == [["0", "2"], ["3", "4"], ["5"]]


def test_reads_a_conversation_newest_first_without_replies(slack: SlackStandIn, client: WebClient):
    """conversations.history pages backwards through what stands in the conversation itself."""
    first = slack.say(GENERAL, ALICE, "1")
    slack.say(GENERAL, BOB, "in the thread", thread_ts=first)
    slack.say(GENERAL, ALICE, "2")
    slack.say(GENERAL, ALICE, "3")

    pages = client.conversations_history(channel=GENERAL, limit=2)

    assert [[message["text"] for message in page["messages"]] for page in pages] == [["3", "2"], ["1"]]


def test_says_when_there_is_no_such_thread(client: WebClient):
    """A thread of no message is not found."""
    with pytest.raises(SlackApiError) as error:
        client.conversations_replies(channel=GENERAL, ts="1600000000.000000")

    assert refusal(error) == "thread_not_found"


def test_opens_the_same_direct_message_again(client: WebClient):
    """conversations.open is idempotent, and a person's id stands for that conversation in chat.postMessage."""
    opened = client.conversations_open(users=[ALICE])
    again = client.conversations_open(users=ALICE)

    posted = client.chat_postMessage(channel=ALICE, text="hi")

    assert opened["channel"]["id"] == again["channel"]["id"] == posted["channel"]
    assert again["already_open"]
    assert posted["channel"].startswith("D")


def test_changes_only_what_the_app_said(slack: SlackStandIn, client: WebClient):
    """chat.update replaces text and blocks of the app's message under the same ts; those of others stay."""
    theirs = slack.say(GENERAL, ALICE, "How?")
    ours = client.chat_postMessage(channel=GENERAL, text="Wait", blocks=[{"type": "divider"}])["ts"]

    updated = client.chat_update(channel=GENERAL, ts=ours, text="So.")
    with pytest.raises(SlackApiError) as error:
        client.chat_update(channel=GENERAL, ts=theirs, text="Hm.")

    assert (updated["ts"], slack.messages()[1]["text"]) == (ours, "So.")
    assert "blocks" not in slack.messages()[1]
    assert refusal(error) == "cant_update_message"


def test_reacts_once(slack: SlackStandIn, client: WebClient):
    """reactions.add shows on the message, and is refused the second time."""
    question = slack.say(GENERAL, ALICE, "How?")

    client.reactions_add(channel=GENERAL, name="eyes", timestamp=question)
    with pytest.raises(SlackApiError) as error:
        client.reactions_add(channel=GENERAL, name="eyes", timestamp=question)

    assert slack.messages()[0]["reactions"] == [{"name": "eyes", "users": [BOT_USER], "count": 1}]
    assert refusal(error) == "already_reacted"

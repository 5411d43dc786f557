"""What Slack sends to an app, and how it sends it again."""

from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.signature import Clock, SignatureVerifier

from devkit.receiver import WebhookReceiver
from devkit.serving import Reply
from devkit.slack import (
    ALICE,
    BOT,
    BOT_USER,
    GENERAL,
    TEAM,
    SlackStandIn,
    deliver,
    deliver_with_retries,
    sign,
)

PAYLOAD = {"type": "event_callback", "event": {"text": "Grüße"}}


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """One workspace."""
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def app() -> Iterator[WebhookReceiver]:
    """An app that records what Slack sends it."""
    with WebhookReceiver() as receiver:
        yield receiver


def test_tells_of_a_mention_twice(slack: SlackStandIn):
    """One message that names the app is two events: own ids, but the same ts and client_msg_id."""
    ts = slack.say(GENERAL, ALICE, f"<@{BOT_USER}> help")

    mention, message = slack.events_for(ts)

    assert [mention["event"]["type"], message["event"]["type"]] == ["app_mention", "message"]
    assert mention["event_id"] != message["event_id"]
    assert mention["event"]["ts"] == message["event"]["ts"] == ts
    assert mention["event"]["client_msg_id"] == message["event"]["client_msg_id"]
    assert message["event"]["channel_type"] == "channel"
    assert "channel_type" not in mention["event"]


def test_wraps_events_as_slack_does(slack: SlackStandIn):
    """The envelope names workspace, app and who is authorized, and is the same however often it is sent."""
    ts = slack.say(ALICE, ALICE, "help")

    (payload,) = slack.events_for(ts)

    assert payload["type"] == "event_callback"
    assert payload["team_id"] == TEAM
    assert payload["authorizations"][0]["user_id"] == BOT_USER
    assert payload["event_id"].startswith("Ev")
    assert isinstance(payload["event_time"], int)
    assert slack.events_for(ts) == [payload]


def test_tells_of_a_direct_message_once(slack: SlackStandIn):
    """In a direct message there is no app_mention, even when the app is named."""
    (payload,) = slack.events_for(slack.say(ALICE, ALICE, f"<@{BOT_USER}> help"))

    event = payload["event"]
    assert (event["type"], event["channel_type"], event["user"]) == ("message", "im", ALICE)
    assert event["channel"].startswith("D")
    assert event["event_ts"] == event["ts"]


def test_tells_which_thread_a_reply_is_in(slack: SlackStandIn):
    """A reply bears the ts of its parent and who wrote that."""
    parent = slack.say(GENERAL, ALICE, "help")

    (payload,) = slack.events_for(slack.say(GENERAL, ALICE, "please", thread_ts=parent))

    assert (payload["event"]["thread_ts"], payload["event"]["parent_user_id"]) == (parent, ALICE)


def test_tells_the_app_of_its_own_messages(slack: SlackStandIn):
    """What the app said comes back as a message event without a subtype, with its bot_id and no client_msg_id."""
    client = WebClient(slack.token, base_url=slack.api_url, retry_handlers=[])
    ts = client.chat_postMessage(channel=GENERAL, text=f"I am <@{BOT_USER}>")["ts"]

    (payload,) = slack.events_for(ts)

    assert (payload["event"]["bot_id"], payload["event"]["user"]) == (BOT, BOT_USER)
    assert "subtype" not in payload["event"]
    assert "client_msg_id" not in payload["event"]


def test_tells_nothing_of_places_without_the_app(slack: SlackStandIn):
    """The app hears only of conversations that it is in."""
    outside = slack.workspace.add_channel("secrets", bot_in=False)

    assert slack.events_for(slack.say(outside, ALICE, f"<@{BOT_USER}> psst")) == []


def test_signs_as_slack_documents():
    """The signature is that of the example in Slack's documentation."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )

    headers = sign("8f742231b10e8888abcd99yyyzzz85a5", body, 1531420618)

    assert headers == {
        "X-Slack-Request-Timestamp": "1531420618",
        "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }


class Then(Clock):
    """A clock that stands at one moment."""

    def now(self) -> float:
        return 1_700_000_000


def test_delivers_what_slacks_own_verifier_takes(app: WebhookReceiver):
    """A delivery is a POST of JSON by Slackbot, signed so that slack_sdk accepts it."""
    attempt = deliver(app.url, PAYLOAD, "secret", clock=Then().now)

    (request,) = app.requests()
    assert (attempt.status, attempt.reason) == (200, None)
    assert request.json() == PAYLOAD
    assert request.headers["user-agent"] == "Slackbot 1.0 (+https://api.slack.com/robots)"
    assert request.headers["content-type"] == "application/json"
    assert "x-slack-retry-num" not in request.headers
    assert SignatureVerifier("secret", Then()).is_valid_request(request.body, dict(request.headers))


def test_sends_again_on_slacks_schedule(app: WebhookReceiver):
    """What is not taken comes again at once, after a minute and after five; each says how often and why."""
    app.answer(Reply(503), Reply(breaks="reset"), Reply(401), Reply(500))
    waits: list[float] = []

    attempts = deliver_with_retries(app.url, PAYLOAD, "secret", scale=0.5, wait=waits.append)

    retries = [(r.headers.get("x-slack-retry-num"), r.headers.get("x-slack-retry-reason")) for r in app.requests()]
    assert retries == [(None, None), ("1", "http_error"), ("2", "connection_failed"), ("3", "http_error")]
    assert [attempt.status for attempt in attempts] == [503, None, 401, 500]
    assert waits == [30, 150]
    assert len({request.body for request in app.requests()}) == 1


def test_stops_when_it_is_taken_or_told_to(app: WebhookReceiver):
    """A 2xx ends the retries, and so does X-Slack-No-Retry with a failure."""
    app.answer(Reply(500), Reply(204), Reply(500, headers={"X-Slack-No-Retry": "1"}))

    taken = deliver_with_retries(app.url, PAYLOAD, "secret")
    given_up = deliver_with_retries(app.url, PAYLOAD, "secret")

    assert [attempt.status for attempt in taken] == [500, 204]
    assert [attempt.status for attempt in given_up] == [500]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({"breaks": "hang"}, "http_timeout"),
        ({"breaks": "reset"}, "connection_failed"),
        ({"status": 404}, "http_error"),
    ],
)
def test_names_what_went_wrong(app: WebhookReceiver, reply: dict[str, Any], reason: str):
    """Each failure has the word that Slack has for it."""
    app.answer(Reply(**reply))

    assert deliver(app.url, PAYLOAD, "secret", timeout=0.2).reason == reason


def test_follows_two_redirects(app: WebhookReceiver):
    """A third redirect is one too many."""
    away = Reply(307, headers={"Location": app.url})
    app.answer(away, away)

    followed = deliver(app.url, PAYLOAD, "secret")
    app.answer(away, away, away)
    lost = deliver(app.url, PAYLOAD, "secret")

    assert (followed.status, followed.reason) == (200, None)
    assert lost.reason == "too_many_redirects"

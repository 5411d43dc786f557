"""What can go wrong with the stand-in for Slack, as a client meets it."""

import http.client
import threading
from collections.abc import Iterator

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from devkit.slack import BOB, GENERAL, Fault, SlackStandIn


class Ticks:
    """A clock that goes on only when it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    """The clock that the pace of channels is measured by."""
    return Ticks()


@pytest.fixture
def slack(ticks: Ticks) -> Iterator[SlackStandIn]:
    """One workspace."""
    with SlackStandIn(monotonic=ticks) as stand_in:
        yield stand_in


@pytest.fixture
def client(slack: SlackStandIn) -> WebClient:
    """Slack's own client, with its retries off."""
    return WebClient(slack.token, base_url=slack.api_url, retry_handlers=[], timeout=5)


def post(slack: SlackStandIn, text: str = "hi", timeout: float = 5) -> httpx.Response:
    """Post a message without Slack's client, whose timeouts are whole seconds."""
    form = {"token": slack.token, "channel": GENERAL, "text": text}
    return httpx.post(f"{slack.api_url}chat.postMessage", data=form, timeout=timeout)


def ask(connection: http.client.HTTPConnection) -> None:
    """Make a call on a connection that stays open."""
    connection.request("POST", "/api/auth.test")
    connection.getresponse().read()


def test_limits_by_status_429(slack: SlackStandIn, client: WebClient):
    """A rate limit is HTTP 429 with Retry-After and Slack's body; nothing was said."""
    slack.fail(Fault("ratelimited", "chat.postMessage", seconds=30))

    with pytest.raises(SlackApiError) as error:
        client.chat_postMessage(channel=GENERAL, text="hi")

    response = error.value.response
    assert (response.status_code, response.headers["Retry-After"]) == (429, "30")
    assert response.data == {"ok": False, "error": "ratelimited"}
    assert slack.messages() == []


def test_meets_only_the_calls_it_is_meant_for(slack: SlackStandIn, client: WebClient):
    """A fault has its method, how many calls pass before it and how many it meets."""
    slack.fail(Fault("error", "chat.postMessage", error="fatal_error", skip=1, times=2))

    errors = []
    for number in range(4):
        client.auth_test()
        try:
            client.chat_postMessage(channel=GENERAL, text=str(number))
            errors.append("")
        except SlackApiError as error:
            errors.append(error.response["error"])

    assert errors == ["", "fatal_error", "fatal_error", ""]
    assert [message["text"] for message in slack.messages()] == ["0", "3"]


def test_fails_with_a_page_that_is_no_json(slack: SlackStandIn, client: WebClient):
    """HTTP 500 comes with HTML, as from a proxy."""
    slack.fail(Fault("status", status=500))

    with pytest.raises(SlackApiError) as error:
        client.chat_postMessage(channel=GENERAL, text="hi")

    assert error.value.response.status_code == 500
    assert slack.messages() == []


@pytest.mark.parametrize(("accepted", "said"), [(False, 0), (True, 1)])
def test_resets_before_or_after_the_message_is_taken(slack: SlackStandIn, accepted: bool, said: int):
    """A reset looks the same to the client whether the message was said or not."""
    slack.fail(Fault("reset", "chat.postMessage", accepted=accepted))

    with pytest.raises(httpx.ReadError):
        post(slack)

    assert len(slack.messages()) == said


@pytest.mark.parametrize(("accepted", "said"), [(False, 0), (True, 1)])
def test_hangs_before_or_after_the_message_is_taken(slack: SlackStandIn, accepted: bool, said: int):
    """A call that hangs is ended by the client's patience alone."""
    slack.fail(Fault("hang", "chat.postMessage", accepted=accepted))

    with pytest.raises(httpx.ReadTimeout):
        post(slack, timeout=0.2)

    assert len(slack.messages()) == said


def test_takes_a_message_and_says_that_it_failed(slack: SlackStandIn, client: WebClient):
    """An error with `accepted` is the one of which Slack says that some of it may have succeeded."""
    slack.fail(Fault("error", error="internal_error", accepted=True))

    with pytest.raises(SlackApiError):
        client.chat_postMessage(channel=GENERAL, text="hi")

    assert len(slack.messages()) == 1


def test_trickles_its_answer(slack: SlackStandIn):
    """A trickling answer arrives byte by byte, each in time, and is whole at the end."""
    slack.fail(Fault("trickle", seconds=0.001))

    pieces = []
    form = {"token": slack.token, "channel": GENERAL, "text": "hi"}
    with httpx.stream("POST", f"{slack.api_url}chat.postMessage", data=form) as answer:
        pieces.extend(answer.iter_raw())

    assert len(pieces) > 10
    assert b"".join(pieces).startswith(b'{"ok": true')


def test_delays_the_call_or_only_its_answer(slack: SlackStandIn):
    """A late call takes effect after the wait; one that was accepted had its effect before it."""
    slack.fail(Fault("delay", seconds=60, accepted=True))
    slack.fail(Fault("delay", seconds=60))

    for text in ("accepted", "late"):
        with pytest.raises(httpx.ReadTimeout):
            post(slack, text, timeout=0.2)

    assert [message["text"] for message in slack.messages()] == ["accepted"]


def test_holds_each_channel_to_its_pace(slack: SlackStandIn, client: WebClient, ticks: Ticks):
    """With a pace the second message to a channel within it is refused; other channels and later ones are taken."""
    slack.rate_limit_per_channel(1)
    client.chat_postMessage(channel=GENERAL, text="1")

    with pytest.raises(SlackApiError) as error:
        client.chat_postMessage(channel=GENERAL, text="too early")
    client.chat_postMessage(channel=BOB, text="2")
    ticks.now += 1
    client.chat_postMessage(channel=GENERAL, text="3")

    assert error.value.response.headers["Retry-After"] == "1"
    assert [message["text"] for message in slack.messages()] == ["1", "2", "3"]


def test_takes_one_of_many_at_once(slack: SlackStandIn):
    """Of messages that come to a channel at the same time the pace lets one pass."""
    slack.rate_limit_per_channel(1)
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(post(slack).status_code)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [429] * 7


def test_is_gone_when_it_stopped():
    """After the end an open connection is of no use either: a server that is down answers nobody."""
    slack = SlackStandIn()
    with slack:
        connection = http.client.HTTPConnection(slack.url.removeprefix("http://"))
        ask(connection)
        connection.auto_open = 0  # do not connect again

    with pytest.raises((OSError, http.client.HTTPException)):
        ask(connection)

"""Socket Mode: what Slack says over its WebSocket comes through slack-ingest as if Slack had posted it."""

import pytest
from channels.slack_inbound.cases import CASES

from devkit.serving import LocalServer, Reply
from devkit.slack import SlackStandIn
from devkit.slack_socket import SocketStandIn
from parley.channels import slack_inbound
from parley.errors import Misconfigured, Unavailable
from standalone.socket_mode import SocketMode, as_posted


def named(name):
    return next(case for case in CASES if case.name == name)


@pytest.fixture(scope="module")
def slack():
    """A Slack with a WebSocket."""
    with SlackStandIn() as web, SocketStandIn() as socket:
        web.socket_url = socket.url
        web.socket = socket
        yield web


@pytest.fixture(scope="module")
def slack_ingest():
    """slack-ingest, which answers what `says` holds and keeps what was signed."""

    def take(request):
        headers = {name.title(): value for name, value in request.headers.items()}
        stamp = int(headers["X-Slack-Request-Timestamp"])
        assert slack_inbound.is_signed(["secret"], headers, request.body, stamp)
        server.taken.append(slack_inbound.read(request.body))
        return server.says

    with LocalServer(take) as server:
        yield server


@pytest.fixture(scope="module")
def mode(slack, slack_ingest):
    """Our side, connected; once, since slack_sdk takes seconds to close."""
    with SocketMode(slack.app_token, slack_ingest.port, "secret", url=slack.api_url) as connected:
        yield connected


@pytest.fixture
def door(mode, slack_ingest):
    """slack-ingest, with nothing taken yet."""
    slack_ingest.taken, slack_ingest.says = [], Reply(200)
    return slack_ingest


@pytest.mark.parametrize(
    ("kind", "case"), [("events_api", "direct message"), ("slash_commands", "ask"), ("interactive", "approve")]
)
def test_each_kind_comes_signed_to_the_door_and_is_acknowledged(slack, door, kind, case):
    """The door reads what it would have read of Slack's own request."""
    slack.socket.wait_for(slack.socket.send(kind, named(case).payload))

    assert door.taken == [slack_inbound.read(named(case).body)]


def test_answer_goes_back_with_the_acknowledgement(slack, door):
    """The words for a command, the errors of a form."""
    door.says = Reply(200, b'{"text": "I am on it."}')

    answer = slack.socket.wait_for(slack.socket.send("slash_commands", named("ask").payload))

    assert answer == {"text": "I am on it."}


def test_what_was_not_kept_is_not_acknowledged(slack, door):
    """With the broker down, Slack sends it again."""
    door.says = Reply(503)

    envelope = slack.socket.send("events_api", named("direct message").payload)
    with pytest.raises(TimeoutError):
        slack.socket.wait_for(envelope, seconds=0.5)
    door.says = Reply(200)
    slack.socket.wait_for(slack.socket.send("events_api", named("direct message").payload, envelope))

    assert len(door.taken) == 2


def test_it_connects_again_when_slack_says_so(slack, door):
    """Slack refreshes its connections every few hours."""
    slack.socket.wait_for(slack.socket.send("events_api", named("mention").payload))
    slack.socket.refresh()
    slack.socket.wait_for(slack.socket.send("events_api", named("direct message").payload))

    assert slack.socket.connections == 2


def test_wrong_token_is_said_at_the_start(slack):
    """A bot's token, and one that Slack refuses."""
    with pytest.raises(Misconfigured, match="begins with xapp-"):
        SocketMode("xoxb-1", 1, "secret", url=slack.api_url)
    with pytest.raises(Unavailable, match="refuses the token"), SocketMode("xapp-9", 1, "secret", url=slack.api_url):
        pass


def test_events_are_posted_as_slack_posts_them():
    """JSON for events, a form for the others."""
    assert as_posted("events_api", {"a": 1}) == ("application/json", b'{"a": 1}')
    assert as_posted("slash_commands", {"text": "a b"})[1] == b"text=a+b"
    assert as_posted("interactive", {"type": "x"})[1] == b"payload=%7B%22type%22%3A+%22x%22%7D"

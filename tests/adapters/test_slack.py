"""Slack's Web API through slack_sdk, against the stand-in."""

import subprocess
import sys

import pytest

from devkit.slack import ALICE, GENERAL, Fault, SlackStandIn
from parley.adapters.slack import Slack
from parley.channels.outcome import Delivered, Failed, Parked, Retry, Unsure, Wait
from parley.errors import Unavailable


@pytest.fixture
def workspace():
    """A Slack."""
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def channel(workspace):
    """Our side of it."""
    return Slack(workspace.token, workspace.api_url)


@pytest.fixture
def asked(workspace, job):
    """A job that answers a question which was asked there."""
    ts = workspace.say(GENERAL, ALICE, "How?")
    return lambda text="Hello", **fields: job(
        text, address={"workspace": "T1", "conversation": GENERAL, "thread": ts}, **fields
    )


def test_what_is_slow_to_import_can_be_loaded_before(workspace):
    """A new process imports slack_sdk when it is told to, so that a send does not wait for it."""
    code = (
        "import sys; from parley.adapters.slack import Slack; channel = Slack('t', 'http://x/api/');"
        "assert 'slack_sdk' not in sys.modules; channel.load(); before = set(sys.modules);"
        "from slack_sdk import WebClient; from slack_sdk.errors import SlackApiError; assert set(sys.modules) == before"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_answer_is_posted_in_its_thread(workspace, channel, asked):
    """What Slack's own argument checks let through arrives as a reply, and its ts is the provider's id."""
    sent = channel.send(asked("**Hi** there\n\n- one"), 5)

    (message,) = workspace.messages(from_bot=True)
    assert sent.outcome == Delivered(message["ts"])
    assert message["thread_ts"] == workspace.messages()[0]["ts"]
    assert message["blocks"][0]["text"]["text"] == "*Hi* there\n\n• one"


@pytest.mark.parametrize("text", ["word " * 5000, "```\n" + "x" * 9000 + "\n```", "# a\n\n" * 500])
def test_long_answers_are_taken(channel, asked, text):
    """However long, Slack takes it."""
    sent = channel.send(asked(text), 5)

    assert isinstance(sent.outcome, Delivered)


def test_a_direct_message_reaches_a_person(workspace, channel, job):
    """A person's id is a place to write to, and the earlier message is found there too."""
    to_person = job(address={"workspace": "T1", "conversation": ALICE, "thread": None})

    sent = channel.send(to_person, 5)

    assert isinstance(sent.outcome, Delivered)
    assert channel.find(to_person, 5).outcome == sent.outcome


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        (Fault("ratelimited", seconds=40), Wait),
        (Fault("error", error="account_inactive"), Parked),
        (Fault("error", error="is_archived"), Failed),
        (Fault("error", error="service_unavailable"), Retry),
        (Fault("status", status=503), Unsure),
        (Fault("status", status=200), Unsure),
        (Fault("reset"), Unsure),
        (Fault("reset", accepted=True), Unsure),
        (Fault("hang"), Unsure),
    ],
    ids=lambda value: getattr(value, "kind", getattr(value, "__name__", "")),
)
def test_what_can_go_wrong(workspace, channel, asked, fault, meaning):
    """Each fault is what it is, after one call: nothing is repeated behind our back."""
    workspace.fail(fault)

    sent = channel.send(asked(), 1)

    assert isinstance(sent.outcome, meaning)
    assert len(workspace.calls("chat.postMessage")) == 1


def test_retry_after_is_kept(workspace, channel, asked):
    """Slack's own number of seconds counts."""
    workspace.fail(Fault("ratelimited", seconds=40))

    assert channel.send(asked(), 5).outcome.seconds == 40


def test_nobody_there_is_surely_not_sent(asked):
    """A refused connection is no doubt: it may be repeated."""
    sent = Slack("xoxb-1", "http://127.0.0.1:1/api/").send(asked(), 1)

    assert isinstance(sent.outcome, Retry)


def test_a_lost_answer_is_found_again(workspace, channel, asked):
    """A message whose answer was lost is found in the thread by its key, among others."""
    workspace.fail(Fault("reset", method="chat.postMessage", accepted=True))
    lost = channel.send(asked(), 5)
    channel.send(asked(delivery_id="another"), 5)

    found = channel.find(asked(), 5)

    assert isinstance(lost.outcome, Unsure)
    assert found.outcome == Delivered(workspace.messages(from_bot=True)[0]["ts"])


def test_what_never_arrived_is_not_found(channel, asked):
    """A thread without our key means that it may be sent."""
    assert channel.find(asked(), 5) is None


@pytest.mark.parametrize(("error", "final"), [("missing_scope", True), ("internal_error", False)])
def test_a_thread_that_cannot_be_read(workspace, channel, asked, error, final):
    """When no look can ever tell, the doubt is final; otherwise it is looked at again."""
    workspace.fail(Fault("error", error=error))

    outcome = channel.find(asked(), 5).outcome

    assert (type(outcome), outcome.final, outcome.code) == (Unsure, final, error)


def test_a_person_is_looked_up(workspace, channel):
    """Name, e-mail and time zone, as Slack tells them."""
    profile = channel.profile(ALICE)

    user = workspace.workspace.users[ALICE]
    assert (profile.email, profile.name, profile.timezone) == (
        user["profile"]["email"],
        user["profile"]["real_name"],
        user["tz"],
    )


def test_an_unknown_person_has_no_profile(channel):
    """Somebody whom Slack does not show is met without name and address."""
    assert channel.profile("U404").email is None


@pytest.mark.parametrize("fault", [Fault("reset"), Fault("error", error="invalid_auth"), Fault("status", status=500)])
def test_a_lookup_that_fails_comes_again(workspace, channel, fault):
    """While Slack cannot say who somebody is, the message waits."""
    workspace.fail(fault)

    with pytest.raises(Unavailable):
        channel.profile(ALICE)

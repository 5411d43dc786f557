"""Answers in Slack: through slack_sdk, against the stand-in, with what was posted kept in PostgreSQL."""

import dataclasses
import itertools
import subprocess
import sys
import uuid
from collections import Counter

import pytest

from devkit.slack import ALICE, GENERAL, Fault, SlackStandIn
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.slack_messages import Paces, SlackMessages
from parley.adapters.slack_api import SlackApi
from parley.adapters.slack_delivery import SlackChannel
from parley.channels.outcome import Delivered, Failed, Parked, Retry, Unsure, Wait
from parley.domain.actions import Action

LONG = "\n\n".join(f"Paragraph {n} says what there is to say. " * 8 for n in range(90))


@pytest.fixture
def workspace():
    """A Slack."""
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def slept():
    """Every pause that was made."""
    return []


@pytest.fixture
def channel(workspace, database, slept):
    """Our side of it."""
    api = SlackApi(workspace.token, workspace.api_url)
    return SlackChannel(api, SlackMessages(database), Paces(database, 1.0), sleep=slept.append)


@pytest.fixture
def asked(workspace, answered, database, rank):
    """A job that answers a question which was asked in the stand-in, of a request that is stored."""
    ts, numbers = workspace.say(GENERAL, ALICE, "How?"), itertools.count()

    def make(text="Hello", *, address=None, **fields):
        place = address or {"workspace": "T1", "conversation": GENERAL, "thread": ts}
        (due,) = answered(rank("slack", 1, place=str(next(numbers))), text=text)  # none waits for another
        job = Deliveries(database, owner="test").claim(due.delivery_id, "slack").job
        return dataclasses.replace(job, citations=(), address=place, **fields)

    return make


def test_what_is_slow_to_import_can_be_loaded_before():
    """A new process imports slack_sdk when it is told to, so that a send does not wait for it."""
    code = (
        "import sys; from parley.adapters.slack_delivery import SlackChannel; from parley.adapters.slack_api import "
        "SlackApi; channel = SlackChannel(SlackApi('t', 'http://x/api/'), None, None); assert 'slack_sdk' not in "
        "sys.modules and 'markdown_it' not in sys.modules; channel.load(); before = set(sys.modules);"
        "from slack_sdk import WebClient; from slack_sdk.errors import SlackApiError; assert set(sys.modules) == before"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_answer_is_posted_in_its_thread(workspace, channel, asked):
    """What Slack's own checks let through arrives as a reply, and its ts is the provider's id."""
    sent = channel.send(asked("**Hi** there\n\n- one"), 5)

    (message,) = workspace.messages(from_bot=True)
    assert sent.outcome == Delivered(message["ts"])
    assert message["thread_ts"] == workspace.messages()[0]["ts"]
    assert message["text"] == "*Hi* there\n\n• one"
    assert message["blocks"][0]["elements"][1]["style"] == "bullet"


def test_a_long_answer_comes_in_parts_at_slacks_pace(workspace, channel, asked, slept):
    """As many messages as it needs, in order, one each second."""
    sent = channel.send(asked(LONG), 30)

    messages = workspace.messages(from_bot=True)
    assert sent.outcome == Delivered(messages[0]["ts"])
    assert len(messages) > 2
    assert [m["metadata"]["event_payload"]["part"] for m in messages] == list(range(len(messages)))
    assert len(slept) == len(messages) - 1


def test_the_next_attempt_posts_only_what_is_missing(workspace, channel, asked):
    """A rate limit in the middle of an answer: the parts that arrived are not posted again."""
    job = asked(LONG)
    workspace.fail(Fault("ratelimited", method="chat.postMessage", skip=1, seconds=1))

    first = channel.send(job, 30)
    second = channel.send(job, 30)

    parts = Counter(m["metadata"]["event_payload"]["part"] for m in workspace.messages(from_bot=True))
    assert isinstance(first.outcome, Wait)
    assert isinstance(second.outcome, Delivered)
    assert set(parts.values()) == {1}


def test_a_part_whose_answer_was_lost_is_found_and_the_rest_is_posted(workspace, channel, asked):
    """The connection broke after Slack took the second of several: it is found by its key, the others follow."""
    job = asked(LONG)
    workspace.fail(Fault("reset", method="chat.postMessage", skip=1, accepted=True))

    lost = channel.send(job, 30)
    found = channel.find(job, 5)
    sent = channel.send(job, 30)

    parts = Counter(m["metadata"]["event_payload"]["part"] for m in workspace.messages(from_bot=True))
    assert isinstance(lost.outcome, Unsure)
    assert found is None
    assert isinstance(sent.outcome, Delivered)
    assert set(parts.values()) == {1}


def test_another_instance_goes_on_where_one_stopped(workspace, database, asked):
    """What arrived is kept in the database, not in the process."""
    job = asked(LONG)
    workspace.fail(Fault("error", method="chat.postMessage", skip=1, error="service_unavailable"))
    instances = [
        SlackChannel(SlackApi(workspace.token, workspace.api_url), SlackMessages(database), Paces(database, 0))
        for _ in range(2)
    ]

    outcomes = [instance.send(job, 30).outcome for instance in instances]

    assert [type(outcome) for outcome in outcomes] == [Retry, Delivered]
    assert len(workspace.messages(from_bot=True)) == len({m["text"] for m in workspace.messages(from_bot=True)})


@pytest.mark.parametrize(
    ("refused", "form"),
    [(1, ["section", "actions"]), (2, [])],
)
def test_a_form_that_slack_refuses_is_followed_by_a_simpler_one(workspace, channel, asked, refused, form):
    """Rich blocks, then plain sections, then text alone: an answer is never lost for its form."""
    workspace.fail(Fault("error", method="chat.postMessage", error="invalid_blocks", times=refused))

    sent = channel.send(asked("# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |"), 5)

    (message,) = workspace.messages(from_bot=True)
    assert isinstance(sent.outcome, Delivered)
    assert [block["type"] for block in message.get("blocks", [])] == form
    assert "a | b" in message["text"]


def test_what_is_refused_in_every_form_fails(workspace, channel, asked):
    """Three forms, three calls, no more."""
    workspace.fail(Fault("error", method="chat.postMessage", error="msg_blocks_too_long", times=9))

    assert isinstance(channel.send(asked(), 5).outcome, Failed)
    assert len(workspace.calls("chat.postMessage")) == 3


def test_a_direct_message_reaches_a_person(workspace, channel, asked):
    """A person's id is a place to write to, and the earlier message is found there too."""
    to_person = asked(address={"workspace": "T1", "conversation": ALICE, "thread": None})
    workspace.fail(Fault("reset", method="chat.postMessage", accepted=True))
    channel.send(to_person, 5)

    found = channel.find(to_person, 5)

    assert found.outcome == Delivered(workspace.messages(from_bot=True)[0]["ts"])


def test_a_person_is_found_by_their_address(workspace, channel, asked):
    """Who is known by e-mail alone is looked up once, then written to."""
    by_mail = {"workspace": "T1", "conversation": None, "email": "alice@example.com"}

    outcomes = [channel.send(asked(address=by_mail), 5).outcome for _ in range(2)]

    assert [type(outcome) for outcome in outcomes] == [Delivered, Delivered]
    assert len(workspace.calls("users.lookupByEmail")) == 1
    assert len({m["channel"] for m in workspace.messages(from_bot=True)}) == 1


def test_whom_slack_does_not_know_gets_nothing_there(workspace, channel, asked):
    """An unknown address is the next rank's; it is not asked again at once."""
    by_mail = {"workspace": "T1", "conversation": None, "email": "nobody@example.com"}

    outcomes = [channel.send(asked(address=by_mail), 5).outcome for _ in range(2)]

    assert [(type(outcome), outcome.code) for outcome in outcomes] == [(Failed, "users_not_found")] * 2
    assert len(workspace.calls("users.lookupByEmail")) == 1


def test_an_approval_has_its_buttons_in_every_form_with_blocks(workspace, channel, asked):
    """What is decided is exactly what was shown: the buttons carry the action and its digest."""
    action = Action(uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), "order", {}, "d" * 64, "write", "Order?", "open", None)
    workspace.fail(Fault("error", method="chat.postMessage", error="invalid_blocks"))

    channel.send(asked(action=action, kind="approval"), 5)

    (message,) = workspace.messages(from_bot=True)
    buttons = message["blocks"][-1]["elements"]
    assert [button["action_id"] for button in buttons] == ["parley_approve", "parley_deny"]
    assert {button["value"] for button in buttons} == {f"{action.id}:{'d' * 64}"}


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        (Fault("ratelimited", seconds=40), Wait),
        (Fault("error", error="account_inactive"), Parked),
        (Fault("error", error="is_archived"), Failed),
        (Fault("error", error="service_unavailable"), Retry),
        (Fault("error", error="an_error_of_tomorrow"), Retry),
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


def test_a_rate_limit_holds_the_channel_for_everybody(workspace, database, channel, asked):
    """Slack's own number of seconds counts, for every instance and every answer to that channel."""
    workspace.fail(Fault("ratelimited", seconds=40))

    first = channel.send(asked(), 5).outcome
    other = SlackChannel(SlackApi(workspace.token, workspace.api_url), SlackMessages(database), Paces(database, 1.0))
    second = other.send(asked(), 5).outcome

    assert first.seconds == 40
    assert 30 < second.seconds <= 40
    assert len(workspace.calls("chat.postMessage")) == 1


def test_nobody_there_is_surely_not_sent(database, asked):
    """A refused connection is no doubt: it may be repeated."""
    nobody = SlackApi("xoxb-1", "http://127.0.0.1:1/api/")

    sent = SlackChannel(nobody, SlackMessages(database), Paces(database, 0)).send(asked(), 1)

    assert isinstance(sent.outcome, Retry)


def test_what_never_arrived_is_not_found(channel, asked):
    """A thread without our key means that it may be sent."""
    assert channel.find(asked(), 5) is None


@pytest.mark.parametrize(("error", "final"), [("missing_scope", True), ("internal_error", False)])
def test_a_thread_that_cannot_be_read(workspace, channel, asked, error, final):
    """When no look can ever tell, the doubt is final; otherwise it is looked at again."""
    workspace.fail(Fault("error", error=error))

    outcome = channel.find(asked(), 5).outcome

    assert (type(outcome), outcome.final, outcome.code) == (Unsure, final, error)

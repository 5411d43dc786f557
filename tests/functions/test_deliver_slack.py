"""deliver-slack from its folder, on a real PostgreSQL, against the stand-in for Slack."""

import pytest

from devkit.slack import ALICE, GENERAL, Fault, SlackStandIn

CRASH = "update deliveries set lease_until = now() - interval '1 s', due_at = now() where state = 'sending'"


@pytest.fixture
def workspace():
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def slack(deliver, workspace):
    quick = {"SLACK_PACE_SECONDS": "0.1"}
    return deliver("slack", SLACK_BOT_TOKEN=workspace.token, SLACK_API_URL=workspace.api_url, **quick)


@pytest.fixture
def in_thread(workspace, rank):
    """A rank that answers a question asked in the stand-in."""
    ts = workspace.say(GENERAL, ALICE, "How?")
    return rank("slack", 1, workspace="T1", conversation=GENERAL, thread=ts)


def test_an_answer_arrives_once(answered, in_thread, slack, workspace, row):
    """Delivered with 202; the same event again finds it done and posts nothing."""
    (due,) = answered(in_thread)

    replies = [slack(due), slack(due)]

    assert replies == [(202, None), (202, None)]
    assert len(workspace.messages(from_bot=True)) == 1
    assert row("select state from deliveries")["state"] == "delivered"


def test_a_lost_answer_is_not_posted_again(answered, in_thread, slack, workspace, row):
    """Slack took it and the connection broke: 503, then the retry finds the message in the thread."""
    (due,) = answered(in_thread)
    workspace.fail(Fault("reset", method="chat.postMessage", accepted=True))

    statuses = [slack(due)[0], slack(due)[0]]

    (message,) = workspace.messages(from_bot=True)
    assert statuses == [503, 202]
    assert row("select provider_id from deliveries")["provider_id"] == message["ts"]


def test_a_crash_after_the_post_is_reconciled(answered, in_thread, slack, workspace, row, database):
    """A sender that died after it had posted: whoever takes over finds the message and posts none."""
    (due,) = answered(in_thread)
    from parley.adapters.postgres.deliveries import Deliveries
    from parley.adapters.postgres.slack_messages import Paces, SlackMessages
    from parley.adapters.slack_api import SlackApi
    from parley.adapters.slack_delivery import SlackChannel

    job = Deliveries(database, owner="gone").claim(due.delivery_id, "slack").job
    api = SlackApi(workspace.token, workspace.api_url)
    SlackChannel(api, SlackMessages(database), Paces(database, 0)).send(job, 5)
    row(CRASH)

    assert slack(due) == (202, None)
    assert len(workspace.messages(from_bot=True)) == 1


def test_a_crash_before_the_post_loses_nothing(answered, in_thread, slack, workspace, row, database):
    """A sender that died before it posted: whoever takes over finds nothing and posts."""
    (due,) = answered(in_thread)
    from parley.adapters.postgres.deliveries import Deliveries

    Deliveries(database, owner="gone").claim(due.delivery_id, "slack")
    row(CRASH)

    assert slack(due) == (202, None)
    assert len(workspace.messages(from_bot=True)) == 1


def test_a_short_rate_limit_is_the_brokers(answered, in_thread, slack, workspace):
    """A wait of less than a minute is a 503, and until it is over nothing is asked of Slack."""
    (due,) = answered(in_thread)
    workspace.fail(Fault("ratelimited", seconds=40))

    statuses = [slack(due)[0], slack(due)[0]]

    assert statuses == [503, 503]
    assert len(workspace.calls("chat.postMessage")) == 1


def test_a_long_rate_limit_is_due_later(answered, in_thread, slack, workspace, row):
    """A longer wait is written down: the event is done, the row is due when Slack said."""
    (due,) = answered(in_thread)
    workspace.fail(Fault("ratelimited", seconds=120))

    assert slack(due) == (202, None)
    assert 110 < row("select extract(epoch from due_at - now())::float8 as left from deliveries")["left"] <= 121


def test_a_lost_place_gives_the_next_rank(answered, in_thread, rank, slack, workspace):
    """An archived channel: the reply is the event of the e-mail, which is due now."""
    (due,) = answered(in_thread, rank("email", 2, to="ann@example.org"))
    workspace.fail(Fault("error", error="is_archived"))

    status, following = slack(due)

    assert (status, following.channel, following.request_id) == (200, "email", due.request_id)


def test_trouble_with_the_token_parks(answered, in_thread, slack, workspace, row):
    """A revoked token fails nothing: the answer is kept until it is cured."""
    (due,) = answered(in_thread)
    workspace.fail(Fault("error", error="token_revoked"))

    assert slack(due) == (202, None)
    assert row("select state, reason from deliveries") == {
        "state": "parked",
        "reason": "Slack refuses our token or plan",
    }


def test_the_next_answer_follows_the_first(answered, in_thread, slack, workspace):
    """Two answers for one thread, nudged in the wrong order, arrive in the right one."""
    (first,) = answered(in_thread, text="one")
    (second,) = answered(in_thread, text="two")

    early = slack(second)
    status, following = slack(first)
    slack(following)

    assert early == (202, None)
    assert (status, following.delivery_id) == (200, second.delivery_id)
    assert [message["text"] for message in workspace.messages(from_bot=True)] == ["one", "two"]


def test_another_channels_delivery_is_rejected(answered, rank, slack):
    """An event for another channel is a mistake of the wiring: 422."""
    (due,) = answered(rank("email", 1, to="ann@example.org"))

    assert slack(due) == (422, None)

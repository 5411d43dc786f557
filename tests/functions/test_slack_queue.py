"""Many answers queued to one channel of Slack: in order, none lost, none twice, at the pace that Slack allows."""

import os
import queue
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from devkit.slack import ALICE, GENERAL, SlackStandIn
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.slack_messages import Paces, SlackMessages
from parley.adapters.slack_api import SlackApi
from parley.adapters.slack_delivery import SlackChannel
from parley.delivery import Courier
from parley.errors import Unavailable

MESSAGES = int(os.environ.get("SLACK_QUEUE", "80"))  # 500 by `make slack-queue`
SLACKS, OURS = 0.02, 0.03  # seconds between two messages: a second, scaled
WORKERS = 4


@pytest.fixture
def workspace():
    """A Slack that takes so many messages and no more."""
    with SlackStandIn() as stand_in:
        stand_in.rate_limit_per_channel(SLACKS)
        yield stand_in


@pytest.fixture
def work(database_url, workspace):
    """Let several instances take events until nothing is left; each event that is refused comes again."""
    databases = []

    def instance():
        database = Database(database_url, name="worker")
        databases.append(database)
        channel = SlackChannel(
            SlackApi(workspace.token, workspace.api_url), SlackMessages(database), Paces(database, OURS)
        )
        return Courier("slack", Deliveries(database, owner="worker"), channel, can_ask=True)

    def run(events):
        waiting = queue.SimpleQueue()
        for event in events:
            waiting.put(event)
        with ThreadPoolExecutor(WORKERS) as pool:
            for done in [pool.submit(_served, instance(), waiting) for _ in range(WORKERS)]:
                done.result()

    yield run
    for database in databases:
        database.close()


def _served(courier, waiting):
    """Take events until none comes any more, as a broker gives them: what is refused comes again."""
    while True:
        try:
            event = waiting.get(timeout=1.5)
        except queue.Empty:
            return
        try:
            reply = courier(event)
        except Unavailable:
            waiting.put(event)
        else:
            if reply:
                waiting.put(reply.contract)


def test_many_answers_arrive_in_order_and_none_is_lost(answered, rank, workspace, work):
    """However their events are mixed, and whoever takes them."""
    thread = workspace.say(GENERAL, ALICE, "How?")
    place = rank("slack", 1, workspace="T1", conversation=GENERAL, thread=thread)
    due = [answered(place, text=f"answer {number}")[0] for number in range(MESSAGES)]
    events = [one.emit("test", None).contract for one in due]
    random.Random(7).shuffle(events)

    work(events)

    said = [message["text"] for message in workspace.messages(from_bot=True)]
    assert said == [f"answer {number}" for number in range(MESSAGES)]

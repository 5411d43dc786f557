"""slack-ingest dies, or what is behind it: Slack's own retries bring each message through, and it is asked once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import FUNCTIONS, FunctionProcess, until

from devkit.serving import LocalServer, Reply
from devkit.slack import ALICE, SlackStandIn, deliver_with_retries
from devkit.slack import deliver as deliver_once
from parley import envelope
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.adapters.slack import Slack
from parley.adapters.slack_api import SlackApi
from parley.domain.events import MessageReceived
from parley.errors import Unavailable
from parley.intake import Intake

SECRETS = {"EVENT_KEY": "key", "SLACK_BOT_TOKEN": "xoxb-1", "PUBLISH_TIMEOUT": "0.5"}


@pytest.fixture
def slack():
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def broker():
    """A broker that takes what it is given, after it did what `does` says; `kept` is what it has promised."""

    def answer(request):
        reply = server.does(request) or Reply(202)
        if reply.status == 202:
            server.kept.append(envelope.parse(request.headers, request.body))
        return reply

    with LocalServer(answer) as server:
        server.kept, server.does = [], lambda _: None
        yield server


@pytest.fixture
def intake(slack, database):
    """normalize, to be given what the broker has kept."""
    return Intake(
        Users(database),
        Requests(database),
        Slack(lambda *_: SlackApi(slack.token, slack.api_url)),
        ["key"],
        deeds=lambda *_: None,
    )


def door(slack, broker, folder, number=1):
    """Start slack-ingest."""
    settings = {**SECRETS, "SLACK_SIGNING_SECRET": slack.signing_secret, "K_SINK": broker.url}
    return FunctionProcess(FUNCTIONS / "slack-ingest", folder / f"log{number}", **settings)


def deliver(slack, url):
    """Alice writes directly; Slack sends it, again and again until it is taken."""
    [payload] = slack.events_for(slack.say(ALICE, ALICE, "How old must it be?"))
    return deliver_with_retries(f"{url}/slack/events", payload, slack.signing_secret, wait=lambda _: None)


def asked_once(intake, events, database_url):
    """Hand everything over that the broker has kept, twice: one request, the same for each."""
    import psycopg

    for event in [*events, *events]:
        intake.guard(event)
        intake(MessageReceived.model_validate(event.data))
    with psycopg.connect(database_url) as connection:
        return connection.execute("select content from requests").fetchall() == [("How old must it be?",)]


def test_process_that_dies_between_verification_and_publication(slack, broker, intake, tmp_path, database_url):
    """It is killed while it publishes: nothing was kept, nothing acknowledged; the retry meets the next process."""
    publishing, dead = threading.Event(), threading.Event()

    def hang(_):
        publishing.set()
        dead.wait(20)
        return Reply(503)

    broker.does = hang
    [payload] = slack.events_for(slack.say(ALICE, ALICE, "How old must it be?"))

    with door(slack, broker, tmp_path) as first, ThreadPoolExecutor(1) as pool:
        lost = pool.submit(deliver_once, f"{first.url}/slack/events", payload, slack.signing_secret)
        assert publishing.wait(20)
        first.process.kill()
        lost = lost.result()
        dead.set()
    broker.does = lambda _: None
    with door(slack, broker, tmp_path, 2) as second:
        taken = deliver_once(f"{second.url}/slack/events", payload, slack.signing_secret, 1, lost.reason)

    assert (lost.status, taken.status) == (None, 200)
    assert asked_once(intake, broker.kept, database_url)


@pytest.mark.parametrize("refusals", [1, 3])
def test_broker_that_is_down(slack, broker, intake, tmp_path, database_url, refusals):
    """Slack is asked to come again, until the broker has promised to keep the message."""
    left = [Reply(503)] * refusals
    broker.does = lambda _: left.pop() if left else None

    with door(slack, broker, tmp_path) as process:
        attempts = deliver(slack, process.url)

    assert [attempt.status for attempt in attempts] == [503] * refusals + [200]
    assert len({event.id for event in broker.kept}) == 1
    assert asked_once(intake, broker.kept, database_url)


def test_broker_that_is_slow_keeps_the_message_twice_and_it_is_asked_once(
    slack, broker, intake, tmp_path, database_url
):
    """Slack hears 503 within its three seconds, although the broker took it in the end; the retry is the same event."""
    first = threading.Event()

    def slow(_):
        if not first.is_set():
            first.set()
            broker.stopping.wait(1.0)

    broker.does = slow

    with door(slack, broker, tmp_path) as process:
        attempts = deliver(slack, process.url)
        until(lambda: len(broker.kept) == 2)

    assert [attempt.status for attempt in attempts] == [503, 200]
    assert len({event.id for event in broker.kept}) == 1
    assert asked_once(intake, broker.kept, database_url)


def test_normalize_that_is_down_delays_and_loses_nothing(slack, broker, tmp_path, database, database_url):
    """Slack has its 200 when the broker has the message; while the database is away, normalize asks for a retry."""

    class Away(Users):
        """The database, away for a while."""

        is_away = True

        def known(self, kind, value):
            if self.is_away:
                raise Unavailable("the database cannot be reached")
            return super().known(kind, value)

    users = Away(database)
    intake = Intake(
        users,
        Requests(database),
        Slack(lambda *_: SlackApi(slack.token, slack.api_url)),
        ["key"],
        deeds=lambda *_: None,
    )
    with door(slack, broker, tmp_path) as process:
        attempts = deliver(slack, process.url)
    [event] = broker.kept

    with pytest.raises(Unavailable):
        intake(MessageReceived.model_validate(event.data))
    users.is_away = False

    assert [attempt.status for attempt in attempts] == [200]
    assert asked_once(intake, broker.kept, database_url)

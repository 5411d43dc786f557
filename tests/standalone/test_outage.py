"""
A rehearsal: the database is away for two hours, and what was accepted meanwhile is answered afterwards, in its order.

The manifests' own pauses, shortened: the hours are a quarter of a minute.
"""

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from werkzeug.serving import make_server

from devkit.slack import ALICE, BOT_USER, GENERAL, SlackStandIn, deliver
from standalone import settings
from standalone.__main__ import prepare
from standalone.broker import Broker
from standalone.host import InProcess, free_ports
from standalone.ingress import ingress_app
from standalone.postgres import EmbeddedPostgres
from standalone.spool import MemorySpool
from standalone.subscribers import WsgiSubscriber
from standalone.ticks import Ticks
from standalone.triggers import load_wiring

ROOT = Path(__file__).parents[2]
SCALE = 0.002
HOURS = 2 * 3600 * SCALE
MESSAGES = 4


@pytest.fixture
def stack():
    """What is started, and stopped in the opposite order."""
    with ExitStack() as stack:
        yield stack


def served(stack, app):
    """Serve an app; gives its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    return f"http://127.0.0.1:{server.server_port}"


@pytest.mark.timeout(300)
def test_what_is_accepted_during_an_outage_of_two_hours_is_answered_in_order(stack, tmp_path):
    """Slack hears 200, because the broker has the message; the Trigger is patient until there are rows again."""
    database = stack.enter_context(EmbeddedPostgres(tmp_path / "postgres"))
    url = database.start()
    slack = stack.enter_context(SlackStandIn())
    [port] = free_ports(1)
    env = settings.environment(ROOT, tmp_path, {
        "DATABASE_ROLES": "true",
        "DATABASE_URL": url, "K_SINK": f"http://127.0.0.1:{port}/parley/parley", "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": slack.token, "SLACK_SIGNING_SECRET": slack.signing_secret,
    })  # fmt: skip
    prepare(url, ROOT, env)
    running = InProcess.start(ROOT, env)
    stack.callback(running.stop)
    functions = {name: WsgiSubscriber(app) for name, app in running.apps.items()}
    wiring = load_wiring(ROOT / "triggers", functions=set(functions))
    broker = Broker(wiring, functions, MemorySpool(), scale=SCALE)
    broker.start()
    stack.callback(broker.stop, 1.0)
    server = make_server("127.0.0.1", port, ingress_app(broker), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stack.callback(server.shutdown)
    ingest = served(stack, running.apps["slack-ingest"])

    database.kill()
    away = time.monotonic()
    first = say(slack, ingest, "How do I reset my password? (1)")
    for number in range(2, MESSAGES + 1):
        say(slack, ingest, f"How do I reset my password? ({number})", first)
    time.sleep(max(0.0, away + HOURS - time.monotonic()))  # the outage itself
    database.restart()
    stack.enter_context(Ticks(wiring, functions, every=1.0))

    slack.wait_for_messages(MESSAGES, timeout=200)
    answered = [content[-3:] for content in completed(url)]
    assert answered == [f"({number})" for number in range(1, MESSAGES + 1)]


def say(slack, url, text, thread=None):
    """Say something to the app; it was accepted when this returns. Gives its ts."""
    ts = slack.say(GENERAL, ALICE, f"<@{BOT_USER}> {text}", thread_ts=thread)
    for payload in slack.events_for(ts):
        assert deliver(url, payload, slack.signing_secret).status == 200
    return ts


def completed(url):
    """Give what was answered, in the order in which it was."""
    with psycopg.connect(url) as connection:
        query = "select content from requests where state = 'completed' order by finished_at"
        return [content for (content,) in connection.execute(query).fetchall()]

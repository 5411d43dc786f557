"""All that a function needs around it: a database, stand-ins for who it talks to, a broker that takes everything."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import starting
from devkit.aws import Amazon
from devkit.mailbox import Mailbox
from devkit.receiver import WebhookReceiver
from devkit.serving import LocalServer, Reply
from devkit.slack import GENERAL, SlackStandIn
from parley.adapters.postgres.database import Database
from standalone.__main__ import prepare
from standalone.postgres import EmbeddedPostgres


@contextmanager
def world(folder: Path) -> Iterator[tuple[Callable[[str], dict[str, str]], starting.Events]]:
    """Give the environment of every function, and what makes the first event of each."""
    sink = LocalServer(lambda _: Reply(202))
    with (
        EmbeddedPostgres(folder / "postgres", durable=False) as postgres, SlackStandIn() as slack, Mailbox() as mail,
        WebhookReceiver() as hook, Amazon() as amazon,
    ):  # fmt: skip
        sink.start()
        url = postgres.start()
        prepare(url, starting.ROOT, {})
        database = Database(url, name="bench")
        places = {
            "slack": {"workspace": "T1", "conversation": GENERAL}, "email": {"to": "ann@example.org"}, "test": {},
            "sms": {"to": "+15005550006"}, "webhook": {"url": hook.url, "integration": "bench"},
            "teams": {"url": hook.url, "integration": "bench"},
        }  # fmt: skip
        keys = amazon.credentials
        env = {
            "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "DATABASE_URL": url, "K_SINK": sink.url,
            "EVENT_KEY": "bench", "WEBHOOK_SIGNING_KEY": "bench", "TOOL_SIGNING_KEY": "A" * 43,
            "TOOL_PUBLIC_KEY": "A" * 43, "SLACK_SIGNING_SECRET": slack.signing_secret, "SLACK_BOT_TOKEN": slack.token,
            "SLACK_API_URL": slack.api_url, "SMTP_URL": mail.url, "MAIL_FROM": "parley@example.org",
            "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
            "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8", "ADDRESS": "127.0.0.1", "LOG_LEVEL": "ERROR",
        }  # fmt: skip
        try:
            # A name that is nearly that of a setting is refused, so each gets its own only.
            own = {"deliver-sms": {"SNS_ENDPOINT_URL": amazon.endpoint_url}}
            yield lambda name: {**env, **own.get(name, {})}, starting.Events(database, slack, places)
        finally:
            database.close()
            sink.stop()

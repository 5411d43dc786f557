"""A whole installation with a Slack beside it, in both local modes."""

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
import pytest

from devkit.collector import Collector
from devkit.installation import QUICK, Installation
from devkit.slack import ALICE, BOT_USER, GENERAL, SlackStandIn, deliver

QUESTION = "How old must my laptop be before I can get a new one?"


@dataclass
class World:
    """The installation, its Slack, and short words for what tests do with them."""

    parley: Installation
    slack: SlackStandIn
    collector: Any = None  # a devkit.collector.Collector, where somebody looks at spans
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=40))

    def ask(self, content: str = QUESTION, *, prefer: str | None = None, **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.parley.facts['key']}"}
        if prefer:
            headers["Prefer"] = prefer
        return self.http.post(self.parley.url + "/api/v1/requests", json={"content": content, **body}, headers=headers)

    def get(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.parley.facts['key']}"}
        return self.http.get(self.parley.url + path, headers=headers)

    def put(self, path: str, body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.parley.facts['key']}"}
        return self.http.put(self.parley.url + path, json=body, headers=headers)

    def say(self, text: str = QUESTION, *, thread: str | None = None, user: str = ALICE) -> str:
        """Somebody mentions the app in #general; Slack's events for it are delivered once. Gives the ts."""
        ts = self.slack.say(GENERAL, user, f"<@{BOT_USER}> {text}", thread_ts=thread)
        for payload in self.slack.events_for(ts):
            assert self.deliver(payload) == 200
        return ts

    def deliver(self, payload: Any) -> int | None:
        return deliver(self.parley.slack_url, payload, self.slack.signing_secret).status

    def inject(self, kind: str, data: Any, **attributes: str) -> httpx.Response:
        """Post an event to the broker, as kn event does."""
        headers = {
            "ce-specversion": "1.0", "ce-id": uuid.uuid4().hex, "ce-source": "test", "ce-type": kind,
            "content-type": "application/json", **attributes,
        }  # fmt: skip
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        url = f"http://127.0.0.1:{self.parley.facts['broker_port']}/parley/parley"
        return self.http.post(url, content=body, headers=headers)

    def answers(self, thread: str) -> list[dict[str, Any]]:
        """What the app has posted into a thread, in order."""
        return [m for m in self.slack.messages() if m.get("thread_ts") == thread and m.get("bot_id")]

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.parley.database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def until(self, condition: Any, seconds: float = 30.0) -> Any:
        """Wait until a condition holds; gives what it gave."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, f"not in {seconds} s: {self.parley.log_tail()}"
            time.sleep(0.02)
        return found

    def settled(self) -> bool:
        """Whether nothing is open any more."""
        return self.rows(
            "select (select count(*) from requests where due_at is not null)"
            " + (select count(*) from deliveries where due_at is not null) + (select count(*) from spool)"
        ) == [(0,)]


def installation(home: Any, slack: SlackStandIn, *, processes: bool = False, **env: str) -> Installation:
    """An installation that knows this Slack, with short pauses."""
    settings = {
        **QUICK, "SLACK_API_URL": slack.api_url, "SLACK_BOT_TOKEN": slack.token,
        "SLACK_SIGNING_SECRET": slack.signing_secret, **env,
    }  # fmt: skip
    return Installation(home, settings, processes=processes)


@pytest.fixture(scope="module", params=["one process", "process per function"])
def world(request, tmp_path_factory):
    """Everything running, shared by the tests of a module."""
    with SlackStandIn() as slack, Collector() as collector:
        told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", "LOG_LEVEL": "INFO",
        }  # fmt: skip
        processes = request.param != "one process"
        with installation(tmp_path_factory.mktemp("parley"), slack, processes=processes, **told) as parley:
            yield World(parley, slack, collector)

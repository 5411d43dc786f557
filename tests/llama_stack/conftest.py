"""A real Llama Stack server, whose model says what it is told; and whole installations that are pointed at it."""

import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from devkit.installation import QUICK, Installation
from devkit.llama import LlamaStack as RealServer
from devkit.model import ScriptedModel
from devkit.slack import BOT_USER, GENERAL, SlackStandIn, deliver


@pytest.fixture(scope="session")
def scripted():
    with ScriptedModel() as model:
        yield model


@pytest.fixture(scope="session")
def real_server(scripted, tmp_path_factory):
    with RealServer(scripted.url, tmp_path_factory.mktemp("llama-stack")) as server:
        yield server


@pytest.fixture
def model(scripted):
    """The model, with nothing left of earlier tests."""
    scripted.reset()
    return scripted


@dataclass
class Desk:
    """An installation with its Slack, and short words for a conversation over either door."""

    parley: Installation
    slack: SlackStandIn
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.parley.facts['key']}", **headers}
        return self.http.request(method, f"{self.parley.url}/api/v1{path}", json=body, headers=headers)

    def ask(self, content: str, session_id: str | None = None, **headers: str) -> dict[str, Any]:
        """Ask over the API, and wait for the answer or for what must be decided."""
        body = {"content": content, **({"session_id": session_id} if session_id else {})}
        answer = self.call("POST", "/requests", body, **headers)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    def say(self, text: str, user: str, thread: str | None = None, times: int = 1) -> str:
        """Somebody mentions the app; Slack's events for it are delivered. Gives the ts."""
        ts = self.slack.say(GENERAL, user, f"<@{BOT_USER}> {text}", thread_ts=thread)
        for payload in self.slack.events_for(ts) * times:
            self.until(lambda payload=payload: self._delivered(payload))
        return ts

    def _delivered(self, payload: Any) -> bool:
        return deliver(self.parley.slack_url, payload, self.slack.signing_secret).status == 200

    def posted(self, thread: str) -> list[str]:
        """What the app has posted into a thread, in order, as it reads now."""
        found = [m for m in self.slack.messages() if m.get("thread_ts") == thread and m.get("bot_id")]
        return [str(m.get("text", "")) + str(m.get("blocks", "")) for m in found]

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.parley.database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def tickets(self) -> list[dict[str, Any]]:
        """Every ticket that there is."""
        return self.rows("select kind, asset, model, email, state, opened_by from desk_tickets order by number")

    def until(self, condition: Any, seconds: float = 60.0) -> Any:
        """Wait until a condition holds; gives what it gave."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, f"not in {seconds} s: {self.parley.log_tail()}"
            time.sleep(0.03)
        return found

    def forget(self) -> None:
        """Take the tickets back: each conversation begins at a desk without any."""
        self.rows("delete from desk_tickets")


def desk(home, real_server, *, processes: bool = False, **settings: str):
    """An installation that asks the real server, with a Slack beside it."""
    slack = SlackStandIn()
    slack.__enter__()
    env = {
        "LLAMA_STACK_URL": real_server.url, "LLAMA_STACK_MODEL": real_server.model, **QUICK,
        "SLACK_SIGNING_SECRET": slack.signing_secret, "SLACK_BOT_TOKEN": slack.token, "SLACK_API_URL": slack.api_url,
        "SLACK_HOOKS": slack.url.removeprefix("http://"), "SLACK_FILES": slack.url.removeprefix("http://"),
        **settings,
    }  # fmt: skip
    return Desk(Installation(home, env, processes=processes), slack)


@pytest.fixture(scope="module")
def one_process(real_server, tmp_path_factory):
    """Everything in one process, as `make run`."""
    made = desk(tmp_path_factory.mktemp("parley"), real_server)
    with made.parley:
        yield made
    made.slack.__exit__(None, None, None)

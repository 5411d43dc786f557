"""
A whole conversation in Slack, shown in the terminal: `make demo`; ARGS="--svg docs/pictures/slack.svg" records it.

Everything is real but Slack and the model: Parley's functions, PostgreSQL, a Llama Stack server, the service desk and
its tools. Alice asks for a laptop, Parley finds out, checks the policy, proposes, asks for her yes by a button, orders.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from rich.align import Align
from rich.console import Console
from rich.markdown import Markdown
from rich.panel import Panel
from rich.text import Text

from devkit.behaviour import LAPTOP_REFRESH, Behaviour
from devkit.installation import QUICK, Installation
from devkit.llama import LlamaStack
from devkit.model import ScriptedModel
from devkit.slack import ALICE, SlackStandIn, deliver, deliver_form
from parley.channels import slack_actions

WIDTH = 100


class Demo:
    """The stage: what Alice does goes to Slack, what Parley posts is shown."""

    def __init__(self, parley: Installation, slack: SlackStandIn, console: Console) -> None:
        self._parley = parley
        self._slack = slack
        self._console = console
        self._shown: set[str] = set()
        self._thread = ""

    def say(self, text: str) -> None:
        """Let Alice write, in a thread of her direct messages with Parley."""
        ts = self._slack.say(ALICE, ALICE, text, thread_ts=self._thread or None)
        self._thread = self._thread or ts
        self._bubble("Alice", Text(text), "right", "cyan")
        for payload in self._slack.events_for(ts):
            self._until(partial(self._taken, payload))

    def click(self, action: str, words: str) -> None:
        """Let Alice press a button of Parley's last message."""
        message = next(m for m in reversed(self._posted()) if action in str(m.get("blocks")))
        fields = self._slack.surfaces.click(ALICE, message, action)
        self._bubble("Alice", Text(f"presses {words}", style="italic"), "right", "cyan")
        url = self._parley.slack_url.replace("/slack/events", "/slack/interactive")
        assert deliver_form(url, fields, self._slack.signing_secret).status == 200, "slack-ingest takes it"

    def hear(self, words: str) -> None:
        """Wait for a message of Parley's, whole, and show it."""
        message = self._until(lambda: next((m for m in self._new() if words in _said(m)), {}))
        self._shown.add(message["ts"])
        buttons = [
            one
            for block in message.get("blocks", [])
            for one in block.get("elements", [])
            if block["type"] == "actions"
        ]
        named = "  ".join(f"[ {one['text']['text']} ]" for one in buttons)
        body = f"{_said(message)}\n\n{named}" if named else _said(message)
        self._bubble("Parley", Markdown(body), "left", "green")

    def note(self, text: str) -> None:
        """Say what happened where nobody sees it."""
        self._console.print(Align.center(Text(text, style="dim")))

    def _taken(self, payload: dict[str, Any]) -> bool:
        return deliver(self._parley.slack_url, payload, self._slack.signing_secret).status == 200

    def _posted(self) -> list[dict[str, Any]]:
        return [m for m in self._slack.messages(from_bot=True) if m.get("thread_ts") == self._thread]

    def _new(self) -> list[dict[str, Any]]:
        return [m for m in self._posted() if m["ts"] not in self._shown]

    def _bubble(self, who: str, body: Any, side: Any, style: str) -> None:
        panel = Panel(body, title=who, title_align=side, border_style=style, width=76)
        self._console.print(Align(panel, side))

    def _until[T](self, condition: Callable[[], T], seconds: float = 60.0) -> T:
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, f"not in {seconds} s: {self._parley.log_tail()}"
            time.sleep(0.03)
        return found


def main() -> None:
    """Play it."""
    parser = argparse.ArgumentParser(prog="devkit.demo", description="A conversation in Slack, in the terminal.")
    parser.add_argument("--svg", type=Path, help="also record it as a picture")
    options = parser.parse_args()
    console = Console(record=True, width=WIDTH, force_terminal=True if options.svg else None)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with Console(stderr=True).status("starting PostgreSQL, Llama Stack, Slack's stand-in and Parley …"):
            slack, parley = started(stack, folder)
        _play(Demo(parley, slack, console), parley)
    if options.svg:
        from devkit.recording import svg

        options.svg.write_text(svg(console, "Slack"), encoding="utf-8")


def started(stack: ExitStack, folder: Path, also: Mapping[str, str] = {}) -> tuple[SlackStandIn, Installation]:
    """Start everything, with these settings, too."""
    slack = stack.enter_context(SlackStandIn())
    model = stack.enter_context(ScriptedModel())
    server = stack.enter_context(LlamaStack(model.url, folder / "llama-stack"))
    env = {
        **os.environ, "LLAMA_STACK_URL": server.url, "LLAMA_STACK_MODEL": server.model, **QUICK,
        "SLACK_SIGNING_SECRET": slack.signing_secret, "SLACK_BOT_TOKEN": slack.token, "SLACK_API_URL": slack.api_url,
        "SLACK_HOOKS": slack.url.removeprefix("http://"), **also,
    }  # fmt: skip
    parley = stack.enter_context(Installation(folder / "parley", env))
    model.behave(Behaviour(LAPTOP_REFRESH))
    with psycopg.connect(parley.database_url, autocommit=True) as connection:
        connection.execute(
            "insert into desk_employees values ('alice@example.com', 'Alice', 'EMEA', 'France', 'support')"
        )
        connection.execute(
            "insert into desk_laptops values ('AF200001', 'alice@example.com', 'Standard 14', '2021-01-01')"
        )
    return slack, parley


def _play(demo: Demo, parley: Installation) -> None:
    demo.say("I need a new laptop")
    demo.hear("Shall I order")
    demo.say("Order it, please")
    demo.hear("in place of the laptop")
    demo.note("nothing is ordered yet: the turn waits, and would after a restart")
    demo.click(slack_actions.APPROVE, "Approve")
    demo.hear("It is ordered")
    with psycopg.connect(parley.database_url) as connection:
        [(number, email, asset)] = connection.execute("select number, email, asset from desk_tickets").fetchall()
    demo.note(f"one ticket: {number}, for {email}, in place of {asset}")


def _said(message: dict[str, Any]) -> str:
    return str(message.get("text", ""))


if __name__ == "__main__":
    main()

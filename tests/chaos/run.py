"""One run: an installation with the world around it, a script that is played, a verdict."""

import re
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from chaos import desk
from chaos.gathering import OPEN, Books, Nudges, bounds
from chaos.harming import Harming
from chaos.script import Script
from chaos.senders import Senders
from chaos.verdict import Verdict, excess, judge
from devkit.installation import QUICK, Installation
from devkit.mailbox import Mailbox
from devkit.model import NAME, ScriptedModel
from devkit.receiver import WebhookReceiver
from devkit.slack import SlackStandIn, deliver
from standalone.host import free_ports

PEOPLE = 20
ROOMS = 6
DRAIN, FALLS = 4.0, 30.0  # times the time to settle at most; seconds within which less must be open
API_USER = "person0@example.com"


@dataclass(frozen=True)
class Report:
    """All that a run found. `grown`: tables with more rows than their bound; `left`: what was still open at the end."""

    verdict: Verdict
    rows: dict[str, int]
    bounds: dict[str, int]
    nudges: Nudges
    left: list[str]
    stories: list[str]  # of the questions for which a promise was broken
    error: Exception | None

    @property
    def grown(self) -> dict[str, int]:
        """Give the tables that hold too much."""
        return excess(self.rows, self.bounds)

    @property
    def failed(self) -> bool:
        """Whether a promise is broken."""
        return (
            self.verdict.failed
            or bool(self.verdict.open)
            or bool(self.left)
            or bool(self.grown)
            or self.error is not None
        )


@dataclass
class World:
    """What a display looks at while it goes on."""

    script: Script
    parley: Installation
    senders: Senders
    harming: Harming
    books: Books
    slack: SlackStandIn
    since: float
    phase: str = "asking"


def run(
    script: Script, home: Path, *, settle: float, pace: float = 0.1, watch: Callable[[World], None] = lambda _: None
) -> Report:
    """Play a script and judge it. `settle`: seconds from the script's end; `pace` of Slack."""
    with ExitStack() as stack:
        slack, mail = stack.enter_context(SlackStandIn()), stack.enter_context(Mailbox())
        model = stack.enter_context(ScriptedModel())
        model.behave(desk.Model(script.seed))
        people = [slack.workspace.add_user(f"Person {n}", f"person{n}@example.com") for n in range(PEOPLE)]
        rooms = [slack.workspace.add_channel(f"room-{n}") for n in range(ROOMS)]
        parley = stack.enter_context(_installation(home, slack, mail, model))
        hook = stack.enter_context(_webhooks(parley))
        books = Books(parley.database_url)
        books.prepare()
        _warm(parley, slack, books, people[0])
        senders, harming = Senders(parley, slack, people, rooms, pace=pace), Harming(parley, slack, hook, mail)
        world = World(script, parley, senders, harming, books, slack, time.monotonic())
        before, stopped = books.tables(), threading.Event()
        harming.start(script, world.since, stopped)
        asking = threading.Thread(target=senders.play, args=(script.talks, world.since, stopped), daemon=True)
        asking.start()
        while asking.is_alive():
            watch(world)
            asking.join(0.25)
        harming.wait()
        if harming.error:
            parley.start()
        else:
            _settled(world, settle, watch)
        told = list(senders.told.values())
        verdict = judge(books.found(told, harming.moments, harming.killed, slack, hook, mail))
        named = {int(one) for text in verdict.broken() for one in re.findall(r"\b\d{1,6}\b", text.partition(" at ")[0])}
        rows = books.tables()
        met = sum(1 for call in slack.calls() if call["fault"]) + len(hook.requests()) + 4 * len(harming.moments)
        most = bounds(script, before, rows, PEOPLE + 1, met)
        return Report(verdict, rows, most, books.nudges(), books.left(), books.story(sorted(named)), harming.error)


def _settled(world: World, seconds: float, watch: Callable[[World], None]) -> None:
    """
    Wait until nothing is open, or long enough.

    When the time is up it may go on as long as it still becomes less, on a machine that has much else to do.
    """
    world.phase = "settling"
    until = world.since + world.script.seconds + seconds
    last, least = until + DRAIN * seconds, float("inf")
    while True:
        watch(world)
        left = world.books.counts(OPEN)
        if left and left[0] < least:
            least, until = left[0], min(max(until, time.monotonic() + FALLS), last)
        if left == (0,) or time.monotonic() > until:
            return
        time.sleep(0.25)


def _installation(home: Path, slack: SlackStandIn, mail: Mailbox, model: ScriptedModel) -> Installation:
    env = {
        **QUICK, "SLACK_API_URL": slack.api_url, "SLACK_BOT_TOKEN": slack.token,
        "SLACK_SIGNING_SECRET": slack.signing_secret, "SMTP_URL": mail.url, "MAIL_FROM": "parley@example.org",
        "API_USER": API_USER, "CONFIG_DIR": str(desk.configure(home / "config")),
        "LLAMA_STACK_URL": model.url, "LLAMA_STACK_MODEL": NAME,
    }  # fmt: skip
    return Installation(home, env, processes=True)


def _webhooks(parley: Installation) -> WebhookReceiver:
    """Register a receiver that knows its secret, which is made when its URL is registered."""
    [port] = free_ports(1)
    body = {"config": {"url": f"http://127.0.0.1:{port}/hook"}}
    headers = {"Authorization": f"Bearer {parley.facts['key']}"}
    url = f"{parley.url}/api/v1/users/me/integrations/webhook"
    answer = httpx.put(url, json=body, headers=headers, trust_env=False).raise_for_status()
    return WebhookReceiver(answer.json()["secret"], port)


def _warm(parley: Installation, slack: SlackStandIn, books: Books, person: str) -> None:
    """Let the user of the API be met in Slack, so that answers can go there."""
    [payload, *_] = slack.events_for(slack.say(person, person, "Hello"))
    deliver(parley.slack_url, payload, slack.signing_secret)
    slack.wait_for_messages(1, timeout=30)
    until = time.monotonic() + 10
    while books.counts(OPEN) != (0,) and time.monotonic() < until:
        time.sleep(0.05)

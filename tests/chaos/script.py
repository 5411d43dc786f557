"""
What will happen, decided before it begins by one seeded random: who asks what and when, and what goes wrong when.

The same seed gives the same script; real time, threads and the machine's load do the rest.
"""

import random
from dataclasses import dataclass, replace
from typing import Literal

from devkit.serving import Reply
from devkit.slack_faults import Fault

Way = Literal["slack", "http"]
Kind = Literal["function", "postgres", "host", "everything"]

TAKES: dict[Kind, float] = {"function": 0.2, "postgres": 0.5, "host": 10.0, "everything": 10.0}  # seconds until it runs

QUESTIONS = (
    "How do I reset my password?",
    "How old must my laptop be before I can get a new one?",
    "How do I connect to the VPN?",
    "Who may install software?",
    "What do I do when my phone is stolen?",
    "Open a ticket: my screen is broken.",
    "Open a ticket: my dock has no power.",
)
CHANNELS: tuple[tuple[str, ...], ...] = (
    (), (), ("test",), ("test",), ("webhook",), ("webhook",), ("slack",), ("email",), ("email", "webhook"),
)  # fmt: skip
FUNCTIONS = (
    "agent-turn", "agent-turn", "agent-turn", "mcp-service-desk", "deliver-slack", "deliver-slack", "deliver-webhook",
    "deliver-test", "deliver-email", "normalize", "normalize", "recover", "request-api", "slack-ingest",
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """
    One question, `after` seconds behind the one before it in its conversation.

    `waits`: not before that one was accepted. `mention`: it names the app. Over HTTP: `key`: with an Idempotency-Key;
    `again`: how often the call is repeated although it was accepted; `wait`: seconds to wait for the answer.
    """

    number: int
    text: str
    after: float = 0.0
    waits: bool = True
    mention: bool = True
    key: bool = False
    again: int = 0
    wait: int | None = None


@dataclass(frozen=True)
class Talk:
    """A conversation that begins `at` seconds; `person` and `room` are numbers, a `room` of -1 a direct message."""

    number: int
    at: float
    way: Way
    questions: tuple[Question, ...]
    channels: tuple[str, ...] = ()
    person: int = 0
    room: int = 0


@dataclass(frozen=True)
class Harm:
    """What is killed `at` seconds: a function, the database (`down` seconds long), the broker's host, everything."""

    at: float
    kind: Kind
    name: str = ""
    down: float = 0.0


@dataclass(frozen=True)
class Trouble:
    """What the outside does wrong from `at` seconds on: the next calls of Slack, webhooks or mails meet it."""

    at: float
    slack: Fault | None = None
    hook: Reply | None = None
    mail: bool | None = None  # the connection drops at the final dot; True: the mail was taken


@dataclass(frozen=True)
class Script:
    """Everything, each list in order of time. `seconds` is how long is asked."""

    seed: int
    seconds: float
    talks: tuple[Talk, ...]
    harms: tuple[Harm, ...]
    troubles: tuple[Trouble, ...]

    @property
    def questions(self) -> int:
        """How many questions are asked."""
        return sum(len(talk.questions) for talk in self.talks)


def write(seed: int, requests: int, seconds: float, *, people: int = 20, rooms: int = 6, calm: float = 2.5) -> Script:
    """
    Write the script of `requests` questions within `seconds`, with `calm` seconds on average between two harms.

    Half of the conversations begin shortly before something is killed: an answer takes a tenth of a second, and most
    kills would hit nothing.
    """
    chance = random.Random(seed)
    harms = _harms(chance, seconds, calm)
    talks = []
    number = 0
    while number < requests:
        count = min(chance.choices((1, 2, 3, 4), (5, 3, 2, 1))[0], requests - number)
        talks.append(_talk(chance, len(talks), number, count, _begin(chance, harms, seconds), people, rooms))
        number += count
    return Script(
        seed, seconds, tuple(sorted(talks, key=lambda talk: talk.at)), tuple(harms),
        tuple(_troubles(chance, seconds)),
    )  # fmt: skip


def only(script: Script, function: str, *, every: float = 6.0) -> Script:
    """Kill one function `every` so many seconds, and do no other harm."""
    if function not in FUNCTIONS:
        raise ValueError(f"there is no function {function} to kill")
    times = [every * (1 + number) for number in range(int(script.seconds / every) - 1)]
    return replace(script, harms=tuple(Harm(at, "function", function) for at in times), troubles=())


def _begin(chance: random.Random, harms: list[Harm], seconds: float) -> float:
    if harms and chance.random() < 0.5:
        return max(0.0, chance.choice(harms).at - chance.uniform(0.0, 0.5))
    return chance.uniform(0, max(0.0, seconds - 3))


def _talk(chance: random.Random, number: int, first: int, count: int, at: float, people: int, rooms: int) -> Talk:
    way: Way = "slack" if chance.random() < 0.55 else "http"
    room = chance.choice((*range(rooms), -1))
    questions = tuple(_question(chance, first + place, place, room) for place in range(count))
    channels = () if way == "slack" else chance.choice(CHANNELS)
    return Talk(number, at, way, questions, channels, chance.randrange(people), room)


def _question(chance: random.Random, number: int, place: int, room: int) -> Question:
    follows = place > 0
    return Question(
        number,
        f"{chance.choice(QUESTIONS)} [chaos {number}]",
        after=chance.choice((0.0, 0.05, 0.3, 1.5)) if follows else 0.0,
        waits=chance.random() < 0.7,
        mention=room >= 0 and (not follows or chance.random() < 0.5),
        key=chance.random() < 0.7,
        again=chance.choice((0, 0, 1, 2)),
        wait=chance.choice((None, None, 1, 5)),
    )


def _harms(chance: random.Random, seconds: float, calm: float) -> list[Harm]:
    harms, at = [], chance.expovariate(1 / calm)
    while at < seconds:
        kind = chance.choices(tuple(TAKES), (66, 20, 10, 4))[0]
        name = chance.choice(FUNCTIONS) if kind == "function" else ""
        down = chance.choice((0.0, 0.0, 1.0, 3.0)) if kind == "postgres" else 0.0
        harms.append(Harm(at, kind, name, down))
        at += TAKES[kind] + down + chance.expovariate(1 / calm)
    return harms


def _troubles(chance: random.Random, seconds: float) -> list[Trouble]:
    troubles, at = [], 0.0
    while at < seconds:
        where = chance.choices(("slack", "hook", "mail"), (70, 22, 8))[0]
        troubles.append(
            Trouble(at, slack=_slack(chance)) if where == "slack"
            else Trouble(at, hook=_hook(chance)) if where == "hook"
            else Trouble(at, mail=chance.random() < 0.5)
        )  # fmt: skip
        at += chance.expovariate(0.7)
    return troubles


def _slack(chance: random.Random) -> Fault:
    times, post = chance.choice((1, 1, 2, 3)), "chat.postMessage"
    return chance.choice((
        Fault("reset", post, times, accepted=True),
        Fault("reset", post, times),
        Fault("ratelimited", post, times, seconds=chance.choice((1, 2, 3))),
        Fault("status", post, times, status=500, accepted=chance.random() < 0.5),
        Fault("status", "*", times, status=503),
        Fault("error", post, times, error=chance.choice(("internal_error", "fatal_error")), accepted=True),
        Fault("error", post, times, error=chance.choice(("internal_error", "service_unavailable"))),
        Fault("error", post, 1, error="restricted_action"),
        Fault("error", "*", times, error="internal_error"),
        Fault("hang", post, 1, accepted=chance.random() < 0.5),
        Fault("delay", post, 1, accepted=True, seconds=chance.choice((0.5, 2.0, 4.0))),
        Fault("delay", post, 1, seconds=0.5),  # one that lands long after its sender gave up is beyond any promise
        Fault("trickle", post, 1, seconds=0.01),
        Fault("ratelimited", "conversations.replies", times, seconds=1),
        Fault("reset", "conversations.replies", times),
        Fault("reset", "users.info", times),
    ))  # fmt: skip


def _hook(chance: random.Random) -> Reply:
    return chance.choice((
        Reply(500), Reply(502), Reply(503, headers={"Retry-After": "1"}), Reply(429, headers={"Retry-After": "2"}),
        Reply(breaks="reset"), Reply(breaks="hang"), Reply(delay=1.0), Reply(delay=3.0),
    ))  # fmt: skip

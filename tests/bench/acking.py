"""
How soon Slack gets its 200: events at a steady rate, each timed from when it was due, by a process of its own; and
from zero, beside an empty function of parliament in the same run. `make bench-slack ARGS="--rate 200 --runs 7"`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from bench.starting import SERVE, Post, ask, empty
from bench.starting import measure as start
from devkit.serving import LocalServer, Reply
from devkit.slack import ALICE, BOT_USER, GENERAL, SlackStandIn, sign
from standalone import host

ROOT = Path(__file__).resolve().parents[2]
SENDERS = 16


@dataclass(frozen=True)
class Acks:
    """Milliseconds from when an event was due to its 200, in order; `late`: those above Slack's three seconds."""

    rate: float
    latencies: Sequence[float]
    published: int
    failed: int

    @property
    def late(self) -> int:
        return sum(ms > 3000 for ms in self.latencies)


def measure(rate: float, seconds: float) -> Acks:
    """Send `rate` events a second for `seconds` to slack-ingest, with a broker that takes each at once."""
    published: list[str] = []
    with (
        SlackStandIn() as slack,
        LocalServer(lambda request: published.append(request.path) or Reply(202)) as broker,
        _serving(_env(slack, broker.url)) as port,
    ):
        _burst(port, slack, rate, 1.0)  # warm
        published.clear()
        latencies, failed = _burst(port, slack, rate, seconds)
    return Acks(rate, sorted(latencies), len(published), failed)


def _env(slack: SlackStandIn, sink: str) -> dict[str, str]:
    return {
        **os.environ, "K_SINK": sink, "EVENT_KEY": "bench", "SLACK_SIGNING_SECRET": slack.signing_secret,
        "SLACK_BOT_TOKEN": slack.token, "SLACK_API_URL": slack.api_url, "LOG_LEVEL": "ERROR", "ADDRESS": "127.0.0.1",
        "THREADS": "12", "PYTHONPATH": str(ROOT / "lib"),
    }  # fmt: skip


def _burst(port: int, slack: SlackStandIn, rate: float, seconds: float) -> tuple[list[float], int]:
    """Send at a steady rate, whatever comes back: a slow answer makes the next ones no later."""
    count, latencies, failed = int(rate * seconds), [], []
    posts = [_post(slack, number) for number in range(count)]
    begun = time.perf_counter() + 0.1

    def send(number: int) -> None:
        due = begun + number / rate
        with suppress(ValueError):
            time.sleep(max(0.0, due - time.perf_counter()))
        status = ask(port, "POST", "/slack/events", posts[number].headers, posts[number].body)
        (latencies if status == 200 else failed).append((time.perf_counter() - due) * 1000)

    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(send, range(count)))
    return latencies, len(failed)


def _post(slack: SlackStandIn, number: int) -> Post:
    event = {
        "type": "app_mention", "channel": GENERAL, "user": ALICE, "text": f"<@{BOT_USER}> hello", "team": "T0PARLEY1",
        "ts": f"1700000000.{number:06}",
    }  # fmt: skip
    envelope = {
        "type": "event_callback", "team_id": "T0PARLEY1", "event_id": f"Ev{number}", "event": event,
        "authorizations": [{"team_id": "T0PARLEY1", "user_id": BOT_USER}],
    }  # fmt: skip
    body = json.dumps(envelope).encode()
    headers = {**sign(slack.signing_secret, body, int(time.time())), "Content-Type": "application/json"}
    return Post(headers, body)


class _serving:  # noqa: N801 - reads as a sentence
    """slack-ingest as a process; gives its port."""

    def __init__(self, env: dict[str, str]) -> None:
        [self._port] = host.free_ports(1)
        self._env = {**env, "PORT": str(self._port)}

    def __enter__(self) -> int:
        self._process = subprocess.Popen(SERVE, env=self._env, cwd=ROOT / "functions" / "slack-ingest")
        ready, end = threading.Event(), time.monotonic() + 30
        while ask(self._port, "GET", "/health/readiness") != 200:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("slack-ingest does not start")
            ready.wait(0.01)
        return self._port

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


@dataclass(frozen=True)
class First:
    """Milliseconds from the start of a process to its first answer, in order."""

    name: str
    answered: Sequence[float]


def from_zero(runs: int) -> list[First]:
    """Start slack-ingest for each kind of request that Slack sends, and an empty function, in turn."""
    samples: dict[str, list[float]] = {}
    with (
        SlackStandIn() as slack, LocalServer(lambda _: Reply(202)) as broker, tempfile.TemporaryDirectory() as folder,
    ):  # fmt: skip
        env = _env(slack, broker.url)
        for _ in range(runs):
            for name, make in _FIRST.items():  # in turn, so that a busy moment hits all alike
                [port] = host.free_ports(1)
                if make is None:
                    command, post = empty(Path(folder), port)
                    found = start(command, Path(folder), env, port, post)
                else:  # the trigger of a form, which lives for three seconds, is pulled before anything runs
                    here = {**env, "PORT": str(port)}
                    found = start(SERVE, ROOT / "functions" / "slack-ingest", here, port, make(slack))
                samples.setdefault(name, []).append(found.answered)
    return [First(name, sorted(one)) for name, one in samples.items()]


def _form(slack: SlackStandIn, text: str) -> Post:
    body = urlencode(slack.surfaces.command(ALICE, GENERAL, text)).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return Post({**sign(slack.signing_secret, body, int(time.time())), **kind}, body, "/slack/commands", (200,))


_FIRST: dict[str, Callable[[SlackStandIn], Post] | None] = {
    "an empty function": None,
    "an event": lambda slack: _post(slack, 1),
    "/parley ask": lambda slack: _form(slack, "ask How old?"),
    "/parley preferences, which opens a form": lambda slack: _form(slack, "preferences"),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.acking")
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    said = sys.stdout.write
    one = measure(options.rate, options.seconds)
    p50, p99, most = (one.latencies[min(len(one.latencies) - 1, int(len(one.latencies) * p))] for p in (0.5, 0.99, 1))
    said(f"{one.rate:g} events/s: 200 after p50 {p50:.1f} ms, p99 {p99:.1f}, max {most:.1f}; failed {one.failed}\n")
    firsts = from_zero(options.runs)
    base = statistics.median(firsts[0].answered)
    for first in firsts:
        middle = statistics.median(first.answered)
        said(f"from zero, {first.name}: {middle:.0f} ms ({first.answered[0]:.0f} to {first.answered[-1]:.0f}),")
        said(f" {middle / base:.2f} x\n")


if __name__ == "__main__":
    main()

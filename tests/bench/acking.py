"""How soon Slack gets its 200: events at a steady rate, each timed from when it was due, by a process of its own."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.starting import SERVE, Post, ask
from devkit.serving import LocalServer, Reply
from devkit.slack import ALICE, BOT_USER, GENERAL, SlackStandIn, sign

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
    published = []
    with SlackStandIn() as slack, LocalServer(lambda request: published.append(request.path) or Reply(202)) as broker:
        env = {
            **os.environ, "K_SINK": broker.url, "EVENT_KEY": "bench", "SLACK_SIGNING_SECRET": slack.signing_secret,
            "SLACK_BOT_TOKEN": slack.token, "LOG_LEVEL": "ERROR", "ADDRESS": "127.0.0.1", "THREADS": "12",
            "PYTHONPATH": str(ROOT / "lib"),
        }  # fmt: skip
        with _serving(env) as port:
            _burst(port, slack, rate, 1.0)  # warm
            published.clear()
            latencies, failed = _burst(port, slack, rate, seconds)
    return Acks(rate, sorted(latencies), len(published), failed)


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
    import json

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
        from standalone import host

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


if __name__ == "__main__":
    one = measure(float(sys.argv[1]) if len(sys.argv) > 1 else 200, 10)
    at = [one.latencies[min(len(one.latencies) - 1, int(len(one.latencies) * p))] for p in (0.5, 0.99, 1)]
    print(
        f"{one.rate:g} events/s: 200 after p50 {at[0]:.1f} ms · p99 {at[1]:.1f} · max {at[2]:.1f} · failed {one.failed}"
    )

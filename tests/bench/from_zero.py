"""
A question in Slack while everything sleeps: `python -m bench.from_zero`, or `make bench-zero`.

How long until its answer is posted, when each function is started by the first request for it, as Serving does, and a
pod takes its time before Python begins (`--pod` seconds; Kubernetes needs about two). With the wake Triggers of
config/cluster/production/wake.yaml and without. The functions, the broker's rules and the wiring are the real ones; the
activator, which holds a request until its function is ready, is here.
"""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import yaml

from bench import starting
from devkit.serving import LocalServer, Reply, Request
from devkit.slack import ALICE, BOT_USER, GENERAL, SlackStandIn, sign
from parley import envelope
from parley.serve import listen
from standalone import host
from standalone.__main__ import prepare
from standalone.broker import Broker
from standalone.ingress import ingress_app
from standalone.postgres import EmbeddedPostgres
from standalone.spool import MemorySpool
from standalone.subscribers import HttpSubscriber
from standalone.triggers import load_wiring

ROOT = starting.ROOT
WAKE = ROOT / "config" / "cluster" / "production" / "wake.yaml"
NAMES = ("slack-ingest", "normalize", "agent-turn", "deliver-slack", "recover")


class Activator:
    """Starts a function with the first request for it, and holds requests until it is ready."""

    def __init__(self, name: str, env: Mapping[str, str], pod: float) -> None:
        self._name, self._env, self._pod = name, env, pod
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self.server = LocalServer(self._answer)
        self.server.start()

    def _answer(self, request: Request) -> Reply:
        self._ready()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request(request.method, request.path, request.body, dict(request.headers))
        response = connection.getresponse()
        given = {name: value for name, value in response.getheaders() if name.lower() not in _HOPS}
        return Reply(response.status, response.read(), given)

    def _ready(self) -> None:
        with self._lock:  # the first one starts it; all wait
            if self._process:
                return
            time.sleep(self._pod)  # a pod is scheduled, its image is there, its network is made
            [self._port] = host.free_ports(1)  # now: one that waits for its pod is taken by somebody's connection
            env = {**self._env, "PORT": str(self._port)}
            folder = ROOT / "functions" / self._name
            self._process = subprocess.Popen(starting.SERVE, cwd=folder, env=env, stdout=subprocess.DEVNULL)
            while starting.ask(self._port, "GET", "/health/readiness") != 200:
                assert self._process.poll() is None, f"{self._name} does not start"
                time.sleep(0.005)

    def stop(self) -> None:
        """End it."""
        self.server.stop()
        if self._process:
            self._process.kill()
            self._process.wait()


_HOPS = {"connection", "content-length", "date", "server", "transfer-encoding"}


class Waking(Broker):
    """The broker, which also wakes: what its manifests do not say here, since nothing sleeps in the local modes."""

    wakes: tuple[tuple[str, str], ...] = ()  # event type, URL

    def accept(self, event: envelope.Event) -> None:
        super().accept(event)
        for kind, url in self.wakes:
            if event.type == kind:
                waker = HttpSubscriber(url)
                threading.Thread(target=waker.post, args=({}, b"", 60.0), daemon=True).start()


def wakes(urls: Callable[[str], str]) -> tuple[tuple[str, str], ...]:
    """Give who is woken by which type of event, as the manifests say."""
    return tuple(
        (one["spec"]["filters"][0]["exact"]["type"], urls(one["spec"]["subscriber"]["ref"]["name"]) + "/wake")
        for one in yaml.safe_load_all(WAKE.read_text(encoding="utf-8"))
    )


@contextmanager
def asleep(url: str, slack: SlackStandIn, pod: float, *, waking: bool) -> Iterator[str]:
    """Give the address of slack-ingest, behind which everything sleeps."""
    with ExitStack() as stack:
        [broker_port] = host.free_ports(1)
        env = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "lib"), "CONFIG_DIR": str(ROOT / "config"),
            "DATABASE_URL": url, "K_SINK": f"http://127.0.0.1:{broker_port}/parley/parley", "EVENT_KEY": "bench",
            "SLACK_SIGNING_SECRET": slack.signing_secret, "SLACK_BOT_TOKEN": slack.token, "ADDRESS": "127.0.0.1",
            "SLACK_API_URL": slack.api_url, "TOOL_SIGNING_KEY": "A" * 43, "LOG_LEVEL": "ERROR", "PUBLISH_TIMEOUT": "10",
        }  # fmt: skip
        activators = {}
        for name in NAMES:
            activators[name] = Activator(name, env, pod)
            stack.callback(activators[name].stop)
        subscribers: dict[str, Any] = {
            name: HttpSubscriber(activators[name if name in NAMES else "recover"].server.url + "/")
            for name in host.names(ROOT)
        }
        wiring = load_wiring(ROOT / "triggers", functions=set(subscribers))
        broker = Waking(wiring, subscribers, MemorySpool())
        if waking:
            broker.wakes = wakes(lambda name: activators[name].server.url)
        broker.start()
        stack.callback(broker.stop, 1.0)
        server = listen(ingress_app(broker), "BROKER_PORT", "127.0.0.1", broker_port, threads=4)
        threading.Thread(target=server.run, daemon=True).start()
        stack.callback(server.close)
        yield activators["slack-ingest"].server.url


def seconds(url: str, slack: SlackStandIn, pod: float, *, waking: bool) -> float:
    """Ask once from zero: seconds from Slack's request until the answer is posted."""
    with asleep(url, slack, pod, waking=waking) as door:
        ts = slack.say(GENERAL, ALICE, f"<@{BOT_USER}> How old must my laptop be before I can get a new one?")
        begun = time.perf_counter()
        body = starting.json.dumps(slack.events_for(ts)[0]).encode()
        headers = {**sign(slack.signing_secret, body, int(time.time())), "Content-Type": "application/json"}
        status = starting.ask(int(door.rsplit(":", 1)[1]), "POST", "/slack/events", headers, body)
        assert status == 200, status
        while not any(m.get("bot_id") and m.get("thread_ts") == ts for m in slack.messages()):
            assert time.perf_counter() - begun < 120, "no answer"
            time.sleep(0.01)
        answered = time.perf_counter() - begun
        with psycopg.connect(url, autocommit=True) as rows:
            while rows.execute("select count(*) from deliveries where due_at is not null").fetchone() != (0,):
                time.sleep(0.01)
        return answered


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.from_zero")
    parser.add_argument("--pod", type=float, nargs="*", default=[0.0, 2.0], help="seconds before Python begins")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder, SlackStandIn() as slack,
        EmbeddedPostgres(Path(folder) / "postgres", durable=False) as postgres,
    ):  # fmt: skip
        url = postgres.start()
        prepare(url, ROOT, {})
        for pod in options.pod:
            for waking in (False, True):
                took = [seconds(url, slack, pod, waking=waking) for _ in range(options.runs)]
                how = "woken together" if waking else "one after the other"
                spread = f"({min(took):.1f} … {max(took):.1f})"
                print(f"pod {pod:g} s, {how}: {statistics.median(took):.1f} s {spread}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

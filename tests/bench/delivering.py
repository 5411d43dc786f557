"""
Deliveries: from the event until the vendor is called, how many in a second, what each deliver-* costs to import.

The vendor is instant and on this machine; the function is a process of its own, as it is served.
"""

import http.client
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import starting
from devkit.receiver import WebhookReceiver
from parley.adapters.postgres.database import Database
from standalone import host
from standalone.__main__ import prepare
from standalone.postgres import EmbeddedPostgres

WARM, COUNT, THREADS = 30, 300, 4
IMPORTS = """
import importlib.util, resource, sys, time
begun = time.perf_counter()
spec = importlib.util.spec_from_file_location("func", "func.py")
spec.loader.exec_module(importlib.util.module_from_spec(spec))
took = time.perf_counter() - begun
kilobytes = int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS:")))
print(took * 1000, kilobytes / 1024)
"""


def show(console: Console, runs: int, seconds: float) -> dict[str, Any]:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres", durable=False) as postgres,
    ):
        url = postgres.start()
        prepare(url, starting.ROOT, {})
        with WebhookReceiver() as hook:
            found: dict[str, Any] = latencies(url, hook)
            found["per_second"] = [rate(url, hook, seconds / 2) for _ in range(max(3, runs // 2))]
    found["imports"] = {name: imported(name, runs) for name in host.names(starting.ROOT) if name.startswith("deliver-")}
    _print(console, found)
    return found


def latencies(url: str, hook: WebhookReceiver) -> dict[str, Any]:
    """Milliseconds from the event's POST until the vendor has the call, and until the event is answered."""
    with _served(url, hook) as (port, events):
        called, answered = [], []
        for number in range(WARM + COUNT):
            post = events.of("deliver-webhook")
            before = len(hook.requests())
            begun = time.monotonic()
            _post(http.client.HTTPConnection("127.0.0.1", port, timeout=30), post)
            ended = time.monotonic()
            got = hook.wait_for(before + 1)[before]
            if number >= WARM:
                called.append((got.at - begun) * 1000)
                answered.append((ended - begun) * 1000)
    return {"called_ms": _quantiles(called), "answered_ms": _quantiles(answered)}


def rate(url: str, hook: WebhookReceiver, seconds: float) -> float:
    """Deliveries in a second by one process, from as many callers as it takes at once."""
    with _served(url, hook) as (port, events):
        posts = [events.of("deliver-webhook") for _ in range(int(seconds * 400))]
        lock, done = threading.Lock(), []
        end = time.perf_counter() + seconds

        def work() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            while time.perf_counter() < end:
                with lock:
                    post = posts.pop() if posts else None
                if post is None:
                    return
                _post(connection, post)
                done.append(time.perf_counter())

        begun = time.perf_counter()
        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(done) / (max(done) - begun)


def imported(name: str, runs: int) -> dict[str, float]:
    """Milliseconds to import a function, and megabytes that it has then."""
    found = []
    for _ in range(runs):
        command = [sys.executable, "-c", IMPORTS]
        folder, env = starting.ROOT / "functions" / name, {"PYTHONPATH": str(starting.ROOT / "lib")}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
        found.append([float(text) for text in done.stdout.split()])
    return {"ms": statistics.median(one[0] for one in found), "mb": statistics.median(one[1] for one in found)}


@contextmanager
def _served(url: str, hook: WebhookReceiver) -> Iterator[tuple[int, starting.Events]]:
    [port] = host.free_ports(1)
    env: Mapping[str, str] = {
        "DATABASE_URL": url, "PORT": str(port), "ADDRESS": "127.0.0.1", "WEBHOOK_SIGNING_KEY": "bench",
        "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8", "LOG_LEVEL": "ERROR", "PYTHONPATH": str(starting.ROOT / "lib"),
        "THREADS": str(THREADS + 2),
    }  # fmt: skip
    folder = starting.ROOT / "functions" / "deliver-webhook"
    process = subprocess.Popen(starting.SERVE, cwd=folder, env=dict(env), stderr=subprocess.DEVNULL)
    database = Database(url, name="bench")
    try:
        while starting.ask(port, "GET", "/health/readiness") != 200:
            time.sleep(0.01)
        yield port, starting.Events(database, None, {"webhook": {"url": hook.url, "integration": "bench"}})
    finally:
        process.kill()
        process.wait()
        database.close()


def _post(connection: http.client.HTTPConnection, post: starting.Post) -> None:
    connection.request("POST", "/", post.body, dict(post.headers))
    response = connection.getresponse()
    response.read()
    assert response.status in (200, 202), response.status


def _quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[int(len(ordered) * 0.99)], "least": ordered[0]}


def _print(console: Console, found: Mapping[str, Any]) -> None:
    table = Table(title="Deliveries, by deliver-webhook with an instant receiver", title_justify="left")
    for name in ("", "p50 ms", "p99 ms", "least ms"):
        table.add_column(name, justify="right" if name else "left")
    for label, key in (("event → vendor called", "called_ms"), ("event → answered", "answered_ms")):
        table.add_row(label, *(f"{found[key][part]:.1f}" for part in ("p50", "p99", "least")))
    console.print(table)
    rates = found["per_second"]
    console.print(f"deliveries/s of one process: {statistics.median(rates):.0f} ({min(rates):.0f} … {max(rates):.0f})")
    table = Table(title="Imports", title_justify="left")
    for name in ("function", "ms", "MB"):
        table.add_column(name, justify="left" if name == "function" else "right")
    for name, one in found["imports"].items():
        table.add_row(name, f"{one['ms']:.0f}", f"{one['mb']:.0f}")
    console.print(table)

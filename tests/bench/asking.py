"""
The door for programs: how long an accepted question takes at a steady rate, and what two hundred callers who wait cost.

`make bench-api`. One instance of request-api, a durable PostgreSQL, a broker that says 202 and the client: all here.
"""

import argparse
import contextlib
import http.client
import json
import select
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from processes import FUNCTIONS, FunctionProcess, until

from devkit.serving import LocalServer, Reply
from parley.adapters.postgres import migrate
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.database import Database
from standalone.postgres import EmbeddedPostgres

QUESTION = json.dumps({"content": "How old must my laptop be before I can get a new one?"}).encode()


@dataclass
class Door:
    """request-api with a key for it."""

    process: FunctionProcess
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.process.port, timeout=60)

    def memory(self) -> float:
        """Resident megabytes."""
        lines = Path(f"/proc/{self.process.process.pid}/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.process.process.pid}/task").iterdir()))


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Door]:
    """Start everything."""
    with EmbeddedPostgres(folder / "postgres") as postgres, LocalServer(lambda _: Reply(202)) as broker:
        url = postgres.start()
        migrate.apply(url)
        database = Database(url, name="bench")
        key = Keys(database).create(email="ann@example.org", role="user", name="bench")
        database.close()
        settings = {
            "DATABASE_URL": url, "K_SINK": broker.url, "WEBHOOK_SIGNING_KEY": "k" * 32, "THREADS": "224",
            "CALLS_PER_MINUTE": "1000000", "CALLS_AT_ONCE": "1000",
        }  # fmt: skip
        with FunctionProcess(FUNCTIONS / "request-api", folder / "log", **settings) as process:
            yield Door(process, key)


def accepted(door: Door, rate: float, seconds: float, clients: int = 8) -> list[float]:
    """Ask without waiting, at a steady rate whatever the answers take; milliseconds from when each was due."""
    found: list[float] = []
    due: SimpleQueue[float | None] = SimpleQueue()

    def client() -> None:
        connection = door.connection()
        while (at := due.get()) is not None:
            connection.request("POST", "/api/v1/requests", QUESTION, {**door.headers, "Prefer": "respond-async"})
            response = connection.getresponse()
            response.read()
            assert response.status == 202, response.status
            found.append((time.perf_counter() - at) * 1000)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    begun = time.perf_counter()
    for number in range(int(rate * seconds)):
        at = begun + number / rate
        time.sleep(max(at - time.perf_counter(), 0))
        due.put(at)
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    return sorted(found)


def held(door: Door, waiters: int, streams: int) -> list[socket.socket]:
    """Open calls that wait for an answer that does not come, and streams of requests that stay silent."""
    connection = door.connection()
    connection.request("POST", "/api/v1/requests", QUESTION, {**door.headers, "Prefer": "respond-async"})
    asked = json.loads(connection.getresponse().read())
    head = f"Host: x\r\nAuthorization: Bearer {door.key}\r\nContent-Type: application/json\r\n"
    ask = f"POST /api/v1/requests HTTP/1.1\r\n{head}Content-Length: {len(QUESTION)}\r\nPrefer: wait=25\r\n\r\n"
    follow = f"GET {asked['links']['events']}?starting_after=100 HTTP/1.1\r\n{head}\r\n"
    opened = []
    for number in range(waiters + streams):
        one = socket.create_connection(("127.0.0.1", door.process.port))
        one.sendall(ask.encode() + QUESTION if number < waiters else follow.encode())
        opened.append(one)
    return opened


def early(sockets: list[socket.socket]) -> int:
    """How many waiters have been told something already: a call that is held says nothing."""
    return len(select.select(sockets, [], [], 0)[0])


def checked(door: Door, count: int) -> list[float]:
    """Milliseconds of health checks, readiness and liveness by turns, each on a connection of its own."""
    found = []
    for number in range(count):
        connection, begun = door.connection(), time.perf_counter()
        connection.request("GET", "/health/liveness" if number % 2 else "/health/readiness")
        assert connection.getresponse().status == 200
        found.append((time.perf_counter() - begun) * 1000)
        connection.close()
        time.sleep(0.02)
    return sorted(found)


def at(found: list[float], share: float) -> float:
    """Give a percentile of what is sorted."""
    return found[min(int(len(found) * share), len(found) - 1)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.asking")
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--waiters", type=int, default=200)
    parser.add_argument("--streams", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as door:
        until(lambda: door.process.get("/health/readiness").status_code == 200)
        accepted(door, 20, 2)
        idle = checked(door, 50)
        for _ in range(options.runs):
            took = accepted(door, options.rate, options.seconds)
            print(
                f"POST → 202 at {options.rate:g}/s: p50 {at(took, 0.5):.1f} ms, p90 {at(took, 0.9):.1f} ms,"
                f" p99 {at(took, 0.99):.1f} ms, worst {took[-1]:.1f} ms ({len(took)} calls)"
            )
        print(f"idle: {door.memory():.0f} MB, {door.threads()} threads, health p50 {statistics.median(idle):.1f} ms")
        sockets = held(door, options.waiters, options.streams)
        until(lambda: door.threads() >= options.waiters + options.streams)
        checks = checked(door, 200)
        print(
            f"{options.waiters} waiters, {early(sockets[: options.waiters])} of them answered early,"
            f" {options.streams} streams: {door.memory():.0f} MB, {door.threads()} threads,"
            f" health p50 {at(checks, 0.5):.1f} ms, p99 {at(checks, 0.99):.1f} ms, worst {checks[-1]:.1f} ms"
        )
        for one in sockets:
            one.close()


if __name__ == "__main__":
    main()

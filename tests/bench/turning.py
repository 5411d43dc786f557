"""Turns: how long from a question to its delivered answer, how many in a second, how many events for each."""

import http.client
import json
import threading
import time
from dataclasses import dataclass

from bench import cpu
from devkit.installation import Installation
from devkit.slack import ALICE, BOT_USER, SlackStandIn, deliver

QUESTION = json.dumps({"content": "How old must my laptop be before I can get a new one?"}).encode()


@dataclass(frozen=True)
class Load:
    """
    One closed loop: turns per second, milliseconds of each turn in order, turns that failed.

    `ours` and `postgres`: milliseconds of CPU for each turn, of functions with broker, and of the database.
    """

    clients: int
    rate: float
    latencies: list[float]
    failed: int
    ours: float
    postgres: float


def slack_latencies(parley: Installation, slack: SlackStandIn, count: int) -> list[float]:
    """
    Milliseconds from Slack's POST until its chat.postMessage, one at a time, each in a channel of its own.

    Slack takes one message a second in a channel, and deliver-slack waits for that.
    """
    found = []
    for number in range(count):
        room = slack.workspace.add_channel(f"room-{number}")
        ts = slack.say(room, ALICE, f"<@{BOT_USER}> VPN error 809")
        before = len(slack.messages(from_bot=True))
        payload = slack.events_for(ts)[0]
        begun = time.perf_counter()
        attempt = deliver(parley.slack_url, payload, slack.signing_secret)
        assert attempt.status == 200, attempt
        while len(slack.messages(from_bot=True)) == before:
            time.sleep(0.0005)
        found.append((time.perf_counter() - begun) * 1000)
    return found


def load(parley: Installation, clients: int, seconds: float) -> Load:
    """Ask from `clients` connections at once, each the next question when it has its answer."""
    latencies: list[float] = []
    failed: list[int] = []
    lock = threading.Lock()
    end = time.perf_counter() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", parley.facts["port"], timeout=60)
        while (begun := time.perf_counter()) < end:
            status = _turn(connection, parley.facts["key"])
            with lock:
                (latencies if status == 200 else failed).append((time.perf_counter() - begun) * 1000)  # type: ignore[arg-type]

    us, server = parley.facts["pid"], cpu.postgres(parley.database_url)
    begun, before = time.perf_counter(), (cpu.seconds(us), cpu.seconds(server))
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, count = time.perf_counter() - begun, len(latencies)
    ours, postgres = (1000 * (cpu.seconds(one) - then) for one, then in zip((us, server), before, strict=True))
    return Load(clients, count / took, sorted(latencies), len(failed), ours / count, postgres / count)


def broker_counts(parley: Installation) -> dict[str, int]:
    """The broker's counters."""
    connection = http.client.HTTPConnection("127.0.0.1", parley.facts["broker_port"], timeout=10)
    connection.request("GET", "/-/broker")
    counts: dict[str, int] = json.loads(connection.getresponse().read())
    return counts


def _turn(connection: http.client.HTTPConnection, key: str) -> int:
    """Ask, and poll when the API says to come again; gives 200 for an answer."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/requests", QUESTION, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    while response.status == 202:
        time.sleep(0.05)
        connection.request("GET", answer["links"]["result"], headers=headers)
        response = connection.getresponse()
        response.read()
    return response.status

"""From zero: how long until a function is ready, until its first event is answered, and what it then weighs."""

import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from devkit.slack import ALICE, BOT_USER, GENERAL, SlackStandIn, sign
from parley import envelope
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.domain import ids
from parley.domain.events import Emit, RequestCreated, ResponseReady
from parley.domain.plan import Plan, Rank
from parley.domain.requests import NewRequest, SessionWanted
from parley.ingest import TYPE

ROOT = Path(__file__).resolve().parents[2]

# The smallest function that parliament can serve, on a port of our choice.
EMPTY = (
    "import sys, waitress, parliament.server as s;"
    "waitress.serve(s.create(s.load(sys.argv[1])), host='127.0.0.1', port=int(sys.argv[2]), _quiet=True)"
)


@dataclass(frozen=True)
class Start:
    """Milliseconds, and megabytes of resident memory."""

    ready: float
    answered: float
    idle: float
    used: float


@dataclass(frozen=True)
class Post:
    """The first event, or request, that a function gets."""

    headers: Mapping[str, str]
    body: bytes
    path: str = "/"
    expected: tuple[int, ...] = (200, 202)


def measure(command: list[str], folder: Path, env: Mapping[str, str], port: int, post: Post, load: int = 0) -> Start:
    """Start a process, wait until it is ready, send one event, then `load` times the same, four at once; end it."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env=dict(env), cwd=folder, stdout=said, stderr=subprocess.STDOUT)
        try:
            return _measured(process, begun, port, post, load)
        except Odd as odd:
            said.seek(0)
            raise RuntimeError(f"{folder.name} {odd}: {said.read().decode()}") from None
        finally:
            process.kill()
            process.wait()


class Odd(Exception):
    """It did not start, or answered something else."""


def _measured(process: "subprocess.Popen[bytes]", begun: float, port: int, post: Post, load: int) -> Start:
    while ask(port, "GET", "/health/readiness") != 200:
        if process.poll() is not None:
            raise Odd("does not start")
        time.sleep(0.001)
    ready = time.perf_counter() - begun
    idle = _megabytes(process.pid)
    status = ask(port, "POST", post.path, post.headers, post.body)
    answered = time.perf_counter() - begun
    if status not in post.expected:
        raise Odd(f"answered {status}")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ask(port, "POST", post.path, post.headers, post.body), range(load)))
    return Start(ready * 1000, answered * 1000, idle, _megabytes(process.pid))


def empty(folder: Path, port: int) -> tuple[list[str], Post]:
    """Give an empty parliament function, to compare with."""
    (folder / "func.py").write_text("from parliament import Context\n\n\ndef main(context):\n    return '', 202\n")
    return [sys.executable, "-c", EMPTY, ".", str(port)], Post({}, b"{}")


SERVE = [sys.executable, "-m", "parley.serve", "."]


class Events:
    """Makes the event that each function does its whole work for: a row waits in the database, a vendor listens."""

    def __init__(self, database: Database, slack: SlackStandIn | None, places: Mapping[str, dict[str, Any]]) -> None:
        self._requests = Requests(database)
        self._users = Users(database)
        self._slack = slack
        self._places = places

    def of(self, name: str) -> Post:
        """Give the first event of a function."""
        special: dict[str, Callable[[], Post]] = {
            "slack-ingest": self._from_slack,
            "normalize": self._message,
            "agent-turn": self._created,
            "recover": lambda: _binary(envelope.Event("1", "/bench", "dev.knative.sources.ping", body=b"{}")),
            "mcp-service-desk": lambda: Post({}, b"{}", "/", (401,)),
            "request-api": lambda: Post({}, b"", "/api/v1/requests", (401,)),
        }
        return special[name]() if name in special else self._ready(name.removeprefix("deliver-"))

    def _from_slack(self) -> Post:
        assert self._slack, "there is a stand-in for Slack"
        ts = self._slack.say(GENERAL, ALICE, f"<@{BOT_USER}> hello")
        body = json.dumps(self._slack.events_for(ts)[0]).encode()
        headers = {**sign(self._slack.signing_secret, body, int(time.time())), "Content-Type": "application/json"}
        return Post(headers, body)

    def _message(self) -> Post:
        key = f"slack:T1:C1:{time.time_ns()}"
        data = {
            "kind": "message", "origin": "slack", "key": key, "workspace": "T1", "sender": ALICE, "conversation": "C1",
            "thread": key[-16:], "is_reply": False, "is_direct": False, "is_mention": True, "text": "hello",
        }  # fmt: skip
        event = envelope.Event(key, "/bench", TYPE, subject=key, body=envelope.dumps(data))
        return _binary(envelope.signed(event, "bench"))

    def _created(self) -> Post:
        accepted = self._requests.accept(self._new())
        contract = RequestCreated(request_id=accepted.request_id, session_id=accepted.session_id)
        return _binary(envelope.outgoing(Emit(contract, "bench"), "bench"))

    def _ready(self, channel: Any) -> Post:
        new = self._new()
        self._requests.accept(new)
        held = self._requests.claim(new.id, owner="bench", revision="1")
        assert held, "it was accepted just now"
        rank = Rank(channel, 1, self._places[channel], f"{channel}:{new.id}", timedelta(hours=1))
        plan = Plan("first", (rank,), (), datetime.now(UTC))
        result = {"text": "**Yes.** See the policy.", "citations": [], "agent": "it-desk"}
        [due], _ = self._requests.complete(held, result, plan)
        contract = ResponseReady(
            request_id=due.request_id, delivery_id=due.delivery_id, session_id=due.session_id, channel=channel
        )
        return _binary(envelope.outgoing(Emit(contract, "bench"), "bench"))

    def _new(self) -> NewRequest:
        user = self._users.meet("email", "bench@example.org", email="bench@example.org", name="", timezone=None)
        return NewRequest(
            id=ids.new(), user_id=user, session=SessionWanted(), source="generic", content="Is my laptop old enough?",
            principal="bench", route="bench",
        )  # fmt: skip


def _binary(event: envelope.Event) -> Post:
    return Post(*envelope.to_binary(event))


def ask(port: int, method: str, path: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> int:
    """Call a process; gives the status, 0 while it does not listen."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        response.read()
        return response.status
    except OSError:
        return 0
    finally:
        connection.close()


def _megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0

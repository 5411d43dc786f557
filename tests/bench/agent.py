"""
What Parley adds to a model: a whole turn with a model that takes no time, the way of the first word to the progress
log, and what agent-turn loads before it is needed.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from devkit.serving import LocalServer, Reply
from parley.adapters.llama_stack import LlamaStack, Server
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.agents.config import parse
from parley.domain import ids
from parley.domain.events import RequestCreated
from parley.domain.plan import Plan
from parley.domain.requests import NewRequest, SessionWanted
from parley.turns import Turns
from standalone.__main__ import prepare
from standalone.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
TURNS, WARM = 300, 20
WORDS = 60
AGENTS = parse({"desk": {"name": "desk", "description": "Helps.", "instructions": "Help.", "entry": True}})
IMPORTS = {
    "as it is": "",
    "with all that an event may need": "import llama_stack_client, httpx, jwt, cryptography, fastjsonschema, yaml",
}


class Instant:
    """A server of the Responses API that answers at once, in words; it may pause after the first one."""

    def __init__(self) -> None:
        self.pause = 0.0
        self.first_sent = 0.0
        self._http = LocalServer(lambda _: self._answer())

    def _answer(self) -> Reply:
        text = " ".join(["word"] * WORDS)
        base = {"id": "r", "object": "response", "created_at": 0, "model": "m", "status": "completed", "output": [
            {"type": "message", "id": "i", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": text, "annotations": []}]}],
            "usage": {"input_tokens": 100, "output_tokens": WORDS, "total_tokens": 100 + WORDS,
                      "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
            "parallel_tool_calls": False, "store": False, "text": {"format": {"type": "text"}}}  # fmt: skip
        deltas = [{"type": "response.output_text.delta", "delta": "word ", "content_index": 0, "output_index": 0,
                   "item_id": "i", "sequence_number": n, "logprobs": []} for n in range(WORDS)]  # fmt: skip
        events = [*deltas, {"type": "response.completed", "response": base, "sequence_number": WORDS}]
        body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
        self.first_sent = time.perf_counter()
        return Reply(200, body, {"Content-Type": "text/event-stream"})

    def __enter__(self) -> Self:
        self._http.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.stop()

    @property
    def url(self) -> str:
        return self._http.url


class Nothing:
    """Knows nothing, publishes nothing."""

    def search(self, *_: Any, **__: Any) -> list[Any]:
        return []

    def publish(self, _emit: Any) -> None:
        return None


def overhead(url: str) -> dict[str, float]:
    """Milliseconds of a whole turn with a model that takes none: claim, ask, journal, stream, commit."""
    database = Database(url, name="bench")
    user = Users(database).meet("email", "a@example.org", email="a@example.org", name="A", timezone=None)
    store, took, asked = Requests(database), [], []
    with Instant() as model:
        engine = LlamaStack(Server(model.url, "m"), AGENTS, Nothing())
        plan = Plan("first", (), (), datetime.now(UTC))
        turns = Turns(store, AGENTS, engine, lambda _: plan, Nothing(), owner="b", revision="1")
        for number in range(WARM + TURNS):
            new = NewRequest(id=ids.new(), user_id=user, session=SessionWanted(), source="cli", content="Why?",
                             principal="b", route="b")  # fmt: skip
            accepted = store.accept(new)
            created = RequestCreated(request_id=accepted.request_id, session_id=accepted.session_id)
            begun = time.perf_counter()
            turns(created)
            ended = time.perf_counter()
            if number >= WARM:
                took.append((ended - begun) * 1000)
        for _ in range(TURNS):
            begun = time.perf_counter()
            engine._create(lambda _: None, AGENTS.entry, input="Why?", instructions="Help.")
            asked.append((time.perf_counter() - begun) * 1000)
    database.close()
    return {"p50": _at(took, 0.5), "p99": _at(took, 0.99), "client_p50": _at(asked, 0.5)}


def first_word(url: str, runs: int) -> dict[str, float]:
    """Milliseconds from the model's first word to its row in the progress log, while the model still speaks."""
    database = Database(url, name="bench")
    user = Users(database).meet("email", "a@example.org", email="a@example.org", name="A", timezone=None)
    store, found = Requests(database), []
    for _ in range(max(runs, 5) * 4):
        sent: list[float] = []
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=_speak, args=(listener, sent), daemon=True).start()
        engine = LlamaStack(Server(f"http://127.0.0.1:{listener.getsockname()[1]}", "m"), AGENTS, Nothing())
        plan = Plan("first", (), (), datetime.now(UTC))
        turns = Turns(store, AGENTS, engine, lambda _, plan=plan: plan, Nothing(), owner="b", revision="1")
        accepted = store.accept(NewRequest(id=ids.new(), user_id=user, session=SessionWanted(), source="cli",
                                           content="Why?", principal="b", route="b"))  # fmt: skip
        created = RequestCreated(request_id=accepted.request_id, session_id=accepted.session_id)
        thread = threading.Thread(target=turns, args=(created,))
        thread.start()
        seen = _seen(database, created.request_id)
        thread.join()
        found.append((seen - sent[0]) * 1000)
        listener.close()
    database.close()
    return {"p50": _at(found, 0.5), "p99": _at(found, 0.99)}


def _speak(listener: Any, sent: list[float]) -> None:
    """Answer one request word by word, half a second after the first one."""
    connection, _ = listener.accept()
    connection.recv(65_536)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    body = Instant()._answer().body.split(b"\n\n")
    connection.sendall(head + body[0] + b"\n\n")
    connection.sendall(body[1] + b"\n\n")
    sent.append(time.perf_counter())
    time.sleep(0.3)
    connection.sendall(b"\n\n".join(body[2:]))
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65_536):
        pass
    connection.close()


def _seen(database: Database, request_id: Any) -> float:
    while True:
        with database.autocommit() as alone:
            rows = alone._connection.execute(
                "select 1 from request_events where request_id = %s and type = 'text' limit 1", [request_id]
            ).fetchall()
        if rows:
            return time.perf_counter()


def loading(url: str, runs: int) -> dict[str, list[float]]:
    """Milliseconds until agent-turn can take its first event, as it is and with everything loaded at the start."""
    found: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(max(runs, 5)):
        for name, imports in IMPORTS.items():
            code = (
                f"import sys, os; sys.path.insert(0, {str(ROOT / 'functions' / 'agent-turn')!r})\n"
                f"import func\n{imports}\n"
                "func.function.configure(os.environ); func.function.handler"
            )
            env = {"PYTHONPATH": str(ROOT / "lib"), "DATABASE_URL": url, "K_SINK": "http://127.0.0.1:9/",
                   "CONFIG_DIR": str(ROOT / "config"), "TOOL_SIGNING_KEY": "A" * 43,
                   "LLAMA_STACK_URL": "http://127.0.0.1:9", "LLAMA_STACK_MODEL": "m"}  # fmt: skip
            begun = time.perf_counter()
            ran = subprocess.run([sys.executable, "-c", code], env=env, check=False, capture_output=True, text=True)
            if ran.returncode == 0:
                found[name].append((time.perf_counter() - begun) * 1000)
    return {name: times for name, times in found.items() if times}


def show(console: Console, runs: int) -> dict[str, Any]:
    """Measure all of it, and print."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres") as postgres:
        url = postgres.start()
        prepare(url, ROOT, {})
        turn, word, loads = overhead(url), first_word(url, runs), loading(url, runs)
    table = Table(title="What Parley adds to a model, milliseconds", title_justify="left")
    for name in ("", "p50", "p99"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_row(f"a whole turn, model of 0 ms, {WORDS} words streamed", f"{turn['p50']:.1f}", f"{turn['p99']:.1f}")
    table.add_row("of which the model server's client", f"{turn['client_p50']:.1f}", "")
    table.add_row("the first word, from the model to the progress log", f"{word['p50']:.1f}", f"{word['p99']:.1f}")
    least = statistics.median(loads["as it is"])
    for name, times in loads.items():
        table.add_row(
            f"agent-turn loaded, {name}", f"{statistics.median(times):.0f}", f"{statistics.median(times) / least:.2f} x"
        )
    console.print(table)
    return {"turn_ms": turn, "first_word_ms": word, "loading_ms": loads}


def _at(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

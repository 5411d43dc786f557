"""The protocol alone: complete durable turns, with a model that takes no time and a channel that takes everything."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.waiting import Wait

from bench import cpu
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.agents import loop
from parley.agents.config import Agent, parse
from parley.channels.outcome import Delivered, Sent
from parley.delivery import Courier
from parley.domain import ids
from parley.domain.delivery import Job
from parley.domain.events import Emit, RequestCreated
from parley.domain.plan import Default, Defaults
from parley.domain.requests import NewRequest, SessionWanted
from parley.turns import Planner, Turns

AGENTS = parse({"desk": {"name": "desk", "description": "Helps.", "instructions": "Help.", "entry": True}})


class Instant:
    """A model and a channel that take no time."""

    def ask(self, agent: Agent, conversation: loop.Conversation, say: loop.Say) -> loop.Answer:
        """Answer."""
        return loop.Answer("Yes.")

    def send(self, job: Job, timeout: float) -> Sent:
        """Deliver."""
        return Sent(Delivered("1"))

    def find(self, job: Job, timeout: float) -> Sent | None:
        """Never asked."""
        return None

    def publish(self, emit: Emit) -> None:
        """Take it."""


@dataclass(frozen=True)
class Rate:
    """
    Turns per second; for each of them, transactions of PostgreSQL, statements, times that one waits for them, and
    milliseconds of CPU, of this process and of the database.
    """

    turns: float
    transactions: float
    statements: float
    round_trips: float
    ours: float
    postgres: float


WARM = 1.0  # seconds before it is measured: imports, connections, prepared statements


def rate(url: str, seconds: float, threads: int = 4) -> Rate:
    """Accept, turn and deliver as fast as `threads` threads can."""
    from datetime import timedelta

    database, instant = Database(url, name="bench", max_connections=threads), Instant()
    store = Requests(database)
    defaults = Defaults({
        name: Default(name == "test", 1 if name == "test" else None, timedelta(minutes=5))
        for name in ("slack", "email", "sms", "webhook", "test")
    })  # fmt: skip
    users = Users(database)
    turns = Turns(store, AGENTS, instant, Planner(defaults, users.plan_inputs), instant, owner="b", revision="1")
    courier = Courier("test", Deliveries(database, owner="b"), instant, can_ask=True)
    people = [users.meet("api", f"bench-{n}", email=None, name="", timezone=None) for n in range(threads)]
    done = Counter[int]()

    def work(number: int, until: float) -> None:
        while time.perf_counter() < until:
            new = NewRequest(
                id=ids.new(), user_id=people[number], session=SessionWanted(), source="tool", content="?",
                principal=f"user:{people[number]}", route="requests", key=str(ids.new()),
                delivery={"channels": ["test"]},
            )  # fmt: skip
            accepted = store.accept(new)
            reply: Any = turns(RequestCreated(request_id=accepted.request_id, session_id=accepted.session_id))
            assert reply, "a delivery is due"
            courier(reply.contract)
            done[number] += 1

    def all_work(for_seconds: float) -> float:
        begun = time.perf_counter()
        workers = [threading.Thread(target=work, args=(n, begun + for_seconds)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.perf_counter() - begun

    all_work(WARM)
    done.clear()
    us, server = os.getpid(), cpu.postgres(url)
    before_us, before_server = cpu.seconds(us), cpu.seconds(server)
    took, count = all_work(seconds), done.total()
    ours, postgres = cpu.seconds(us) - before_us, cpu.seconds(server) - before_server
    database.close()  # a connection that ends has reported its transactions
    done.clear()
    with _counted(url) as before, _sent() as sent:  # by itself: counting takes time
        all_work(WARM)
    database.close()
    after, counted = _transactions(url), done.total()
    return Rate(
        count / took, (after - before) / counted, sent["statements"] / counted, sent["round trips"] / counted,
        1000 * ours / count, 1000 * postgres / count,
    )  # fmt: skip


@contextmanager
def _counted(url: str) -> Iterator[int]:
    yield _transactions(url)


def _transactions(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_stat_force_next_flush()")
        time.sleep(1.1)  # every backend reports within a second
        row = connection.execute(
            "select sum(xact_commit)::bigint from pg_stat_database where datname = current_database()"
        ).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _sent() -> Iterator[Counter[str]]:
    """Count the statements that are sent, and how often one waits for the server."""
    count, lock = Counter[str](), threading.Lock()
    execute, wait = psycopg.Connection.execute, psycopg.Connection.wait

    def executing(self: Any, *arguments: Any, **named: Any) -> Any:
        with lock:
            count["statements"] += 1
        return execute(self, *arguments, **named)

    def watched(steps: Any) -> Any:
        """Go through the steps of one call; it is a round trip when it has to wait until something can be read."""
        reads, ready = False, None
        try:
            while True:
                wanted = steps.send(ready)
                reads = reads or wanted == Wait.R
                ready = yield wanted
        except StopIteration as over:
            return over.value
        finally:
            with lock:
                count["round trips"] += reads

    def waiting(self: Any, steps: Any, *arguments: Any, **named: Any) -> Any:
        return wait(self, watched(steps), *arguments, **named)

    psycopg.Connection.execute, psycopg.Connection.wait = executing, waiting  # type: ignore[method-assign]
    try:
        yield count
    finally:
        psycopg.Connection.execute, psycopg.Connection.wait = execute, wait  # type: ignore[method-assign]

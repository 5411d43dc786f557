"""
A world: the real use cases and the real SQL, with a broker, a model, tools and channels that fate plays with.

Time is virtual, for Python and for PostgreSQL: `sim.clock_timestamp()` hides PostgreSQL's own.
"""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from parley.adapters.postgres.database import Database
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.ledger import Ledger
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.agents.config import parse
from parley.delivery import Courier
from parley.domain import ids
from parley.domain.events import Emit, MessageReceived, RequestCreated
from parley.domain.overdue import Pace
from parley.domain.plan import Default, Defaults
from parley.errors import Unavailable
from parley.intake import Intake
from parley.recovery import Recovery
from parley.turns import Planner, Turns
from simulation.fate import Fate
from simulation.scheduler import Crash, Pointed, Scheduler, Task
from simulation.vendors import Arrival, Channel, Directory, Engine, Fault, Tools

LEASE = 60.0
TICK = 60.0
MOST_STEPS, MOST_SECONDS = 6000, 6 * 3600.0
TOOLS = ("repeat", "look_up", "never")

AGENTS = parse({
    "front": {"name": "front", "description": "Routes.", "instructions": "Route.", "entry": True,
              "hands_over_to": ["desk"]},
    "desk": {"name": "desk", "description": "Helps.", "instructions": "Help."},
})  # fmt: skip
DEFAULTS = Defaults({
    "slack": Default(True, 1, timedelta(minutes=30)),
    "email": Default(True, 2, timedelta(hours=12), address={"address": "email"}),
    "sms": Default(False, None, timedelta(minutes=30)), "webhook": Default(False, None, timedelta(hours=1)),
    "test": Default(False, None, timedelta(minutes=5)),
})  # fmt: skip

CLOCK = """
create schema sim;
create table sim.clock (seconds float8 not null);
insert into sim.clock values (0);
create function sim.clock_timestamp() returns timestamptz language sql stable
    as $$ select '2026-01-01'::timestamptz + make_interval(secs => (select seconds from sim.clock)) $$;
create function sim.now() returns timestamptz language sql stable as $$ select sim.clock_timestamp() $$;
create function sim.statement_timestamp() returns timestamptz language sql stable as $$ select sim.clock_timestamp() $$;
"""


@dataclass(frozen=True)
class Question:
    """Something said, and the tools that its answer takes: some of TOOLS."""

    person: int
    thread: int
    tools: tuple[str, ...] = ()


@dataclass
class Pending:
    """An event that the broker holds."""

    contract: Any
    tries: int = 0
    not_before: float = 0.0


class Ground:
    """The database under all worlds of one process, and its clock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._direct = psycopg.connect(url, autocommit=True)
        if not self._direct.execute("select 1 from pg_namespace where nspname = 'sim'").fetchone():
            self._direct.execute(CLOCK)
            self._direct.execute(
                f'alter database "{self._direct.info.dbname}" set search_path = sim, pg_catalog, public'
            )
        self.database = Database(url, name="simulation", max_connections=12)
        self.seconds = float(self.rows("select seconds from sim.clock")[0][0])
        self.worlds = 0

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Look, past the store."""
        return self._direct.execute(query, values).fetchall()  # type: ignore[arg-type]

    def clear(self) -> None:
        """Forget every row: nothing of a world that went wrong must reach the next one."""
        self._direct.execute("truncate public.users, public.sessions, public.requests cascade")

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self._direct.execute("update sim.clock set seconds = %s", (self.seconds,))

    def close(self) -> None:
        """Give back connections."""
        self.database.close()
        self._direct.close()


class World:
    """One run. `questions` are asked in this order, per thread."""

    def __init__(self, ground: Ground, fate: Fate, questions: Sequence[Question]) -> None:
        ground.worlds += 1
        self.number = ground.worlds
        self.ground = ground
        self.fate = fate
        self.questions = questions
        self.scheduler = Scheduler()
        self.pending: list[Pending] = []
        self.messages: dict[str, list[Pending]] = defaultdict(list)
        self.arrivals: list[Arrival] = []
        self.effects: Counter[tuple[str, str]] = Counter()  # (kind, what) → how often it took effect
        self.keys: set[UUID] = set()
        self.asked: Counter[str] = Counter()
        self._publish_fault: str | None = None
        self._next_tick = ground.seconds + TICK
        self._begun = ground.seconds
        self._chance = random.Random(self.number)
        self._handlers = self._built()
        for number, question in enumerate(questions):
            message = self._message(number, question)
            self.messages[message.extensions()["partitionkey"] + message.thread].append(Pending(message))

    # --- the parts -----------------------------------------------------------------------------------------------

    def _built(self) -> dict[Any, Callable[[Any], Any]]:
        database, pointed = self.ground.database, self._pointed
        requests = Requests(database, lease=LEASE, deadline=3 * 3600)
        deliveries = Deliveries(database, owner="sim", lease=LEASE)
        clock = lambda: self.ground.seconds  # noqa: E731
        users = Users(database)
        turns = Turns(
            pointed("requests", requests), AGENTS, Engine(self),
            Planner(DEFAULTS, pointed("users", users).plan_inputs), self, owner="sim", revision="1",
            tools=Tools(self), beat=LEASE / 3, clock=clock,
        )  # fmt: skip
        couriers = {
            name: Courier(name, pointed("deliveries", deliveries), Channel(self, name), can_ask=ask, clock=clock)
            for name, ask in (("slack", True), ("email", False))
        }
        intake = Intake(
            pointed("people", users), pointed("requests", requests), Directory(), keys=None, deeds=lambda *_: None
        )
        pace = Pace(first=30, longest=900)
        self._recovery = Recovery(
            pointed("ledger", Ledger(database)), self, pace=pace, clock=clock, chance=self._chance.random
        )
        return {MessageReceived: intake, RequestCreated: turns, "slack": couriers["slack"], "email": couriers["email"]}

    def _pointed(self, name: str, inner: Any) -> Any:
        return Pointed(self.scheduler, name, inner)

    def _message(self, number: int, question: Question) -> MessageReceived:
        thread = f"17000{self.number:06}.{question.thread:06}"
        return MessageReceived(
            kind="message", origin="slack", key=f"w{self.number}:m{number}", workspace="T1",
            sender=f"U{self.number}-{question.person}", conversation=f"C{question.thread}", thread=thread,
            is_reply=True, is_direct=False, is_mention=True, text=f"q{number} {' '.join(question.tools)}".strip(),
        )  # fmt: skip

    def publish(self, emit: Emit) -> None:
        """Be the broker, to whoever publishes."""
        self.scheduler.point("publish before")
        self._take(emit.contract, self._publish_fault)

    def _take(self, contract: Any, fault: str | None) -> None:
        self._publish_fault = None
        for _ in range({"lose": 0, "double": 2}.get(fault or "", 1)):
            self.pending.append(Pending(contract))

    # --- the run -------------------------------------------------------------------------------------------------

    def run(self) -> list[str]:
        """Let everything happen. Gives what is wrong at the end; nothing when all promises were kept."""
        steps = 0
        with _ids(self.number):
            while steps < MOST_STEPS and self.ground.seconds - self._begun < MOST_SECONDS:
                steps += 1
                if choices := self._choices():
                    choices[self.fate.pick(self._ready_tasks(), len(choices))]()
                elif not self._time_passes():
                    return self._wrong()
        return [f"not settled after {steps} steps and {self.ground.seconds - self._begun:.0f} s: {self._open()}"]

    def _choices(self) -> list[Callable[[], None]]:
        now = self.ground.seconds
        tasks = [task for task in self.scheduler.tasks if task.asleep_until <= now]
        heads = [queue[0] for queue in self.messages.values() if queue and queue[0].not_before <= now]
        heads = [head for head in heads if id(head) not in self._busy()]
        events = [event for event in self.pending if event.not_before <= now]
        return [
            *((lambda task=task: self._go_on(task)) for task in tasks),
            *((lambda event=event: self._deliver(event)) for event in (*heads, *events)),
        ]

    def _ready_tasks(self) -> int:
        return sum(task.asleep_until <= self.ground.seconds for task in self.scheduler.tasks)

    def _busy(self) -> set[int]:
        return {id(task.event) for task in self.scheduler.tasks}

    def _deliver(self, event: Pending) -> None:
        contract = event.contract
        if event in self.pending:
            self.pending.remove(event)
        name = getattr(contract, "channel", type(contract))
        handler = self._handlers[name]
        self.scheduler.spawn(f"{name}", lambda: handler(contract), event)
        if isinstance(contract, MessageReceived) and self.fate.at("spawn") == "double":
            self.scheduler.spawn("again", lambda: handler(contract), Pending(contract, tries=99))

    def _go_on(self, task: Task) -> None:
        if task.at and not task.over and not self._strike(task):
            return
        task.step()
        if task.over:
            self.scheduler.tasks.remove(task)
            self._ended(task)

    def _strike(self, task: Task) -> bool:
        """Let fate act on a task at its point. Returns whether it goes on now."""
        point, task.at = task.at, ""
        fault = self.fate.at(point)
        if fault == "pause":
            task.asleep_until = self.ground.seconds + LEASE * 1.5
            if task.event and isinstance(task.event.contract, MessageReceived):
                self._again(task.event)  # its Trigger does not wait that long: it tries again beside the sleeper
                task.event = None
            return False
        if fault == "crash":
            task.order = Crash()
        elif fault in ("fail", "unknown"):
            task.order = Unavailable(f"{fault} at {point}")
        elif point.startswith("publish"):
            self._publish_fault = fault
        elif fault:
            task.order = Fault(fault)
        return True

    def _ended(self, task: Task) -> None:
        event: Pending | None = task.event
        if task.error is None:
            if isinstance(event and event.contract, MessageReceived):
                self._done(event)
            if isinstance(task.result, Emit):
                self._take(task.result.contract, self.fate.at("reply"))
            return
        if not isinstance(task.error, (Crash, Unavailable)):
            raise task.error
        if event and event.tries < 99:
            self._again(event)
            if not isinstance(event.contract, MessageReceived) and event.tries <= 5:
                self.pending.append(event)  # after that it is a dead letter: the sweep finds its row

    def _again(self, event: Pending) -> None:
        event.tries += 1
        event.not_before = self.ground.seconds + min(2.0 * 2**event.tries, 64)

    def _done(self, event: Pending | None) -> None:
        for queue in self.messages.values():
            if queue and queue[0] is event:
                queue.pop(0)

    def _time_passes(self) -> bool:
        """Move the clock to the next thing that can happen. Returns False when nothing ever will."""
        times = [
            *(task.asleep_until for task in self.scheduler.tasks),
            *(event.not_before for event in self.pending),
            *(queue[0].not_before for queue in self.messages.values() if queue and id(queue[0]) not in self._busy()),
        ]
        if not times and not self._open():
            return False
        soonest = min([*times, self._next_tick])
        self.ground.advance(max(soonest - self.ground.seconds, 0.0) + 0.001)
        if self.ground.seconds >= self._next_tick:
            self._next_tick = self.ground.seconds + TICK
            self.scheduler.spawn("tick", self._recovery.sweep)
        return True

    def _open(self) -> int:
        return int(
            self.ground.rows(
                "select (select count(*) from public.requests where due_at is not null)"
                " + (select count(*) from public.deliveries where due_at is not null)"
            )[0][0]
        )

    # --- what must hold ------------------------------------------------------------------------------------------

    def _wrong(self) -> list[str]:
        rows = self.ground.rows(
            "select r.id, r.session_id, r.seq, r.state, r.content, r.error, i.key"
            " from public.requests r join public.idempotency_keys i on i.request_id = r.id"
            " where i.key like %s order by r.session_id, r.seq",
            f"w{self.number}:%",
        )
        wrong = []
        if len(rows) != len(self.questions):
            wrong.append(f"{len(self.questions)} questions became {len(rows)} requests")
        wrong += [f"{row[4]} ended as {row[3]}: {row[5]}" for row in rows if row[3] != "completed"]
        wrong += self._sessions(rows)
        wrong += self._deliveries(rows)
        wrong += self._effects()
        return wrong

    def _sessions(self, rows: Sequence[Sequence[Any]]) -> Iterator[str]:
        said = self.ground.rows(
            "select m.session_id, m.seq, m.role, m.content from public.messages m"
            " where m.session_id = any(%s) order by m.session_id, m.seq, m.role desc",
            list({row[1] for row in rows}),
        )
        expected = [(row[1], row[2], role) for row in rows for role in ("user", "assistant")]
        if [line[:3] for line in said] != expected:
            yield f"the transcript is {[line[:3] for line in said]}"
        by_session: dict[Any, list[str]] = defaultdict(list)
        for session, _, role, content in said:
            if role == "assistant":
                before = len(by_session[session])
                if not content.endswith(f"after {before}"):
                    yield f"answered without what was said before: {content} as number {before}"
                by_session[session].append(content)
        for person_thread in {(q.person, q.thread) for q in self.questions}:
            numbers = [n for n, q in enumerate(self.questions) if (q.person, q.thread) == person_thread]
            seen = [int(row[6].split(":m")[1]) for row in rows if int(row[6].split(":m")[1]) in numbers]
            if seen != sorted(seen):
                yield f"the session has the order {seen}"

    def _deliveries(self, rows: Sequence[Sequence[Any]]) -> Iterator[str]:
        order = {row[0]: (row[1], row[2]) for row in rows}
        states = self.ground.rows(
            "select request_id, channel, state, id from public.deliveries where request_id = any(%s)"
            " order by request_id, rank",
            list(order),
        )
        got = Counter(arrival.delivery_id for arrival in self.arrivals)
        for _, channel, state, delivery_id in states:
            if state == "delivered" and not got[delivery_id]:
                yield f"{channel} says delivered and nothing arrived"
            if got[delivery_id] > 1:
                yield f"{channel} arrived {got[delivery_id]} times"
            if got[delivery_id] and state not in ("delivered", "unknown"):
                yield f"{channel} arrived and is {state}"
            if state == "planned":
                yield f"{channel} is still planned"
        for request_id in order:
            mine = [row for row in states if row[0] == request_id]
            if not any(row[2] in ("delivered", "unknown") for row in mine) and not all(
                row[2] in ("failed", "expired", "undeliverable") for row in mine
            ):
                yield f"nobody was told: {[row[1:3] for row in mine]}"
            arrived = [arrival for arrival in self.arrivals if arrival.request_id == request_id]
            yield from (f"unmarked double by {one.channel}" for one in arrived[1:] if not one.also_by)
        places: dict[tuple[Any, str], list[int]] = defaultdict(list)
        for arrival in self.arrivals:
            session, seq = order[arrival.request_id]
            places[session, arrival.place].append(seq)
        yield from (f"out of order at {place}: {seqs}" for place, seqs in places.items() if seqs != sorted(seqs))

    def _effects(self) -> Iterator[str]:
        for number, question in enumerate(self.questions):
            for kind in question.tools:
                count = self.effects[kind, f"q{number}"]
                if count > 1 or (count == 0 and kind != "never"):
                    yield f"q{number}: {kind} took effect {count} times"


@contextmanager
def _ids(seed: int) -> Iterator[None]:
    """Make ids the same in each run of the same world."""
    chance, count, original = random.Random(seed), itertools.count(), ids.new

    def new() -> UUID:
        return UUID(int=seed << 96 | next(count) << 80 | 7 << 76 | 2 << 62 | chance.getrandbits(60))

    ids.new = new
    try:
        yield
    finally:
        ids.new = original

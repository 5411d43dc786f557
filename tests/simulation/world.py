"""
A world: the real use cases and the real SQL, with a broker, a model, tools and channels that fate plays with.

Time is virtual, for Python and for PostgreSQL: `sim.clock_timestamp()` hides PostgreSQL's own.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from parley import calls
from parley.adapters.postgres.actions import Actions
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.ledger import Ledger
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.agents.config import parse
from parley.agents.loop import AskApproval
from parley.delivery import Courier
from parley.domain.actions import Action
from parley.domain.events import Emit, MessageReceived, RequestCreated
from parley.domain.overdue import Pace
from parley.domain.plan import Default, Defaults
from parley.errors import Unavailable
from parley.intake import Intake
from parley.recovery import Recovery
from parley.turns import Planner, Turns
from simulation.fate import Fate
from simulation.ground import Ground, same_ids
from simulation.invariants import wrong
from simulation.scheduler import Crash, Pointed, Scheduler, Task
from simulation.vendors import BUY, Arrival, Channel, Directory, Engine, Fault, Tools

LEASE = 60.0
TICK = 60.0
MOST_STEPS, MOST_SECONDS = 6000, 6 * 3600.0
PATIENCE = 1800.0
YES = {"yes": "approved", "approve": "approved", "no": "denied", "deny": "denied"}

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


@dataclass(frozen=True)
class Question:
    """
    Something said, and the tools that its answer takes: some of TOOLS, and BUY; AT_ONCE before them: in one step.

    `reaction` of its person to being asked whether to buy: "yes" and "no" in words, "approve" and "deny" by a button,
    "stale" by a button that showed something else, "other" is to say that; nothing lets it expire.
    """

    person: int
    thread: int
    tools: tuple[str, ...] = ()
    reaction: str = ""


@contextmanager
def one_by_one() -> Iterator[None]:
    """Make calls that are made at the same time one after the other: the scheduler owns every step."""
    original = calls.at_once
    calls.at_once = lambda wanted: [call() for call in wanted]
    try:
        yield
    finally:
        calls.at_once = original


@dataclass
class Pending:
    """An event that the broker holds."""

    contract: Any
    tries: int = 0
    not_before: float = 0.0


@dataclass(frozen=True)
class Press:
    """A button that was pressed; `again` presses it once more."""

    again: Callable[[], None]


class World:
    """One run. `questions` are asked in this order, per thread; `together`: those that wait are one turn."""

    def __init__(self, ground: Ground, fate: Fate, questions: Sequence[Question], *, together: bool = False) -> None:
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
        self.given: dict[UUID, set[str]] = defaultdict(set)  # what was decided about an action, by whom it was shown
        self._together = together
        self._publish_fault: str | None = None
        self._next_tick = ground.seconds + TICK
        self._begun = ground.seconds
        self._chance = random.Random(self.number)
        self._handlers = self._built()
        for number, question in enumerate(questions):
            message = self._message(number, question)
            self._say(message)

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
            tools=Tools(self), beat=LEASE / 3, clock=clock, patience=PATIENCE,
            policy=lambda _, call: AskApproval(call, "Buy it?", "write") if call.name == BUY else None,
        )  # fmt: skip
        couriers = {
            name: Courier(name, pointed("deliveries", deliveries), Channel(self, name), can_ask=ask, clock=clock)
            for name, ask in (("slack", True), ("email", False))
        }
        intake = Intake(
            pointed("people", users), pointed("requests", requests), Directory(), keys=None, deeds=lambda *_: None,
            coalesce=self._together,
        )  # fmt: skip
        self._actions = pointed("actions", Actions(database))
        pace = Pace(first=30, longest=900)
        self._recovery = Recovery(
            pointed("ledger", Ledger(database)), self, pace=pace, clock=clock, chance=self._chance.random
        )
        return {MessageReceived: intake, RequestCreated: turns, "slack": couriers["slack"], "email": couriers["email"]}

    def _pointed(self, name: str, inner: Any) -> Any:
        return Pointed(self.scheduler, name, inner)

    def _message(self, number: int, question: Question, kind: str = "m", text: str = "") -> MessageReceived:
        thread = f"17000{self.number:06}.{question.thread:06}"
        return MessageReceived(
            kind="message", origin="slack", key=f"w{self.number}:{kind}{number}", workspace="T1",
            sender=f"U{self.number}-{question.person}", conversation=f"C{question.thread}", thread=thread,
            is_reply=True, is_direct=False, is_mention=True,
            text=text or f"q{number} {' '.join(question.tools)}".strip(),
        )  # fmt: skip

    def _say(self, message: MessageReceived) -> None:
        self.messages[message.extensions()["partitionkey"] + message.thread].append(Pending(message))

    def reacts(self, action: Action) -> None:
        """Be the person who is asked, once."""
        if action.id in self.given:
            return
        number = int(str(action.arguments["what"]).removeprefix("q"))
        reaction = self.questions[number].reaction
        self.given[action.id] = {YES.get(reaction, "")}
        if reaction in ("yes", "no", "other"):
            self._say(self._message(number, self.questions[number], "a", reaction))
        elif reaction:
            self._press(action, reaction)

    def _press(self, action: Action, reaction: str) -> None:
        """Let the person use the button until it is heard."""
        [(user,)] = self.ground.rows("select user_id from public.requests where id = %s", action.request_id)
        seen = action.digest if reaction != "stale" else "0" * 64

        def pressed() -> Emit | None:
            decided = self._actions.decide(action.id, user, digest=seen, approve=reaction != "deny")
            return decided.emit if decided else None

        self.scheduler.spawn("button", pressed, Pending(Press(lambda: self._press(action, reaction))))

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
        with same_ids(self.number), one_by_one():
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
        if event and isinstance(event.contract, Press):
            event.contract.again()
        elif event and event.tries < 99:
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

    def _wrong(self) -> list[str]:
        return wrong(self)

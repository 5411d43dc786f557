"""What stands around Parley in a world: a model, tools, channels and a directory, each with its points for fate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from parley.agents import loop
from parley.agents.config import Agent
from parley.channels.outcome import Delivered, Failed, Retry, Sent, Unsure, Wait
from parley.domain.delivery import Job
from parley.errors import Unavailable
from parley.ports import OnBehalf

if TYPE_CHECKING:
    from simulation.world import World


@dataclass(frozen=True)
class Arrival:
    """What a person got."""

    channel: str
    place: str
    delivery_id: UUID
    request_id: UUID
    also_by: tuple[str, ...]


TOOLS = ("repeat", "look_up", "never")
BUY = "buy"  # the tool that needs a person's yes
AT_ONCE = "at-once"  # no tool: the model wants all of the question's tools in one step


class Fault(Exception):
    """What a channel or a model meets; not a crash."""


@dataclass
class Engine:
    """The model: hands over, calls the question's tools one after the other or all at once, answers."""

    world: "World"

    def ask(self, agent: Agent, conversation: loop.Conversation, say: loop.Say) -> loop.Answer:
        self.world.scheduler.point("engine.ask before")
        answer = self._answer(agent, conversation)
        self.world.scheduler.point("engine.ask after")
        return answer

    def _answer(self, agent: Agent, conversation: loop.Conversation) -> loop.Answer:
        names, calls = parsed(conversation.question)
        if agent.name == "front":
            return loop.Answer("", hand_over_to="desk")
        if len(conversation.results) < len(calls):
            wanted = [loop.Call(kind, {"what": name}) for kind, name in calls[len(conversation.results) :]]
            more = wanted[1:] if AT_ONCE in conversation.question.split() else ()
            return loop.Answer("", call=wanted[0], more=tuple(more))
        before = sum(message.role == "assistant" for message in conversation.history)
        return loop.Answer(f"{'+'.join(names)} after {before}")


def parsed(question: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Give the names of all that is asked at once, and the calls that it takes."""
    names: list[str] = []
    calls = []
    for word in question.split():
        if word in (*TOOLS, BUY):
            calls.append((word, names[-1]))
        elif word != AT_ONCE:
            names.append(word)
    return names, calls


@dataclass
class Tools:
    """Tools: one knows its keys, one can be asked, one can do neither; and one that needs a person's yes."""

    world: "World"
    done: dict[UUID, str] = field(default_factory=dict)

    def again(self, name: str) -> Any:
        return "repeat" if name == BUY else name

    def run(self, name: str, arguments: Mapping[str, Any], key: UUID, who: OnBehalf) -> str:
        self.world.scheduler.point("tools.run before")
        if not (name in ("repeat", BUY) and key in self.done):
            self.world.effects[name, arguments["what"]] += 1
            self.done[key] = f"{name} done"
        self.world.scheduler.point("tools.run after")
        return self.done[key]

    def trusts(self, _: str) -> bool:
        return False

    def reads(self, name: str) -> bool:
        return name in TOOLS  # a world with BUY among them still asks for that alone

    def look_up(self, _: str, key: UUID) -> str | None:
        self.world.scheduler.point("tools.look_up before")
        return self.done.get(key)


@dataclass
class Channel:
    """A vendor: takes what it gets, unless fate is against it."""

    world: "World"
    name: str

    def send(self, job: Job, _: float) -> Sent:
        try:
            self.world.scheduler.point("send before")
        except Fault as fault:
            if str(fault) == "unsure":
                return Sent(Unsure("reset before it was taken"))
            down = {"refused": Failed("no such place"), "limited": Wait(5.0), "down": Retry("503")}
            return Sent(down[str(fault)])
        place = ":".join(str(value) for value in job.address.values())
        arrival = Arrival(self.name, place, job.delivery_id, job.request_id, job.also_by)
        self.world.arrivals.append(arrival)
        if job.action:
            self.world.reacts(job.action)
        try:
            self.world.scheduler.point("send after")
        except (Fault, Unavailable):
            return Sent(Unsure("the answer was lost"))
        return Sent(Delivered(str(len(self.world.arrivals))))

    def find(self, job: Job, _: float) -> Sent | None:
        try:
            self.world.scheduler.point("find before")
        except Unavailable:
            return Sent(Unsure("it cannot be asked now"))
        found = any(arrival.delivery_id == job.delivery_id for arrival in self.world.arrivals)
        return Sent(Delivered("found")) if found else None


@dataclass(frozen=True)
class Person:
    email: str | None
    name: str
    timezone: str | None = None


class Directory:
    def profile(self, _workspace: str, _enterprise: str, user: str) -> Person:
        return Person(f"{user.lower()}@example.org", user)

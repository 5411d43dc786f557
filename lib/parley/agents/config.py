"""The agents: who there is, what each may use, and to whom it may hand over. Checked alone and then together."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from string import Formatter
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from parley.errors import Misconfigured

Name = Annotated[str, StringConstraints(pattern=re.compile(r"\A[a-z][a-z0-9-]*\Z"), max_length=64)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Language = Annotated[str, StringConstraints(pattern=re.compile(r"\A[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z"))]


class Invalid(Misconfigured):
    """One agent is wrong. `where` is the path to the field: empty for the whole, `("tools", 0)` for the first tool."""

    def __init__(self, agent: str, where: tuple[str | int, ...], why: str) -> None:
        self.agent, self.where, self.why = agent, where, why
        super().__init__(": ".join(filter(None, (f"agent {agent}", self.field, why))))

    @property
    def field(self) -> str:
        """Give `where` as people write it: `tools.0`."""
        return ".".join(map(str, self.where))


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Phrases(_Strict):
    """What is said without a model, word for word. `answer_frame` is put around an answer, `{answer}`."""

    greeting: Text = "Hello! What can I help you with?"
    unsure: Text = "I am not sure what this is about. Can you say a little more?"
    no_answer: Text = "I found nothing about this in the knowledge base."
    answer_frame: Text = "{answer}"

    @field_validator("answer_frame")
    @classmethod
    def _frames_the_answer(cls, frame: str) -> str:
        places = [tuple(part[1:]) for part in Formatter().parse(frame) if part[1] is not None]
        if places != [("answer", "", None)]:
            raise ValueError("must hold {answer} once and no other {…}")
        return frame


class Sampling(_Strict):
    """How a model chooses its words; None leaves it to the model's own default."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None


class Agent(_Strict):
    """
    One agent. The entry agent greets and hands over; a specialist answers from its knowledge bases.

    `model`: None takes the deployment's default. `examples`: things people say that are for this agent.
    """

    name: Name
    description: Line
    instructions: Text
    entry: bool = False
    model: Line | None = None
    sampling: Sampling = Sampling()
    tools: tuple[Line, ...] = ()
    knowledge: tuple[Name, ...] = ()
    shields: tuple[Line, ...] = ()
    hands_over_to: tuple[Name, ...] = ()
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("en",)
    examples: tuple[Line, ...] = ()
    phrases: Phrases = Phrases()

    @field_validator("tools", "knowledge", "shields", "hands_over_to", "languages", "examples")
    @classmethod
    def _once_each(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} stands here twice")
        return values


class AgentSet(_Strict):
    """All agents, sorted by name, each name once and one of them the entry; `parse` also checks the hand-overs."""

    agents: tuple[Agent, ...]

    @model_validator(mode="after")
    def _one_entry(self) -> "AgentSet":
        entries = [agent.name for agent in self.agents if agent.entry]
        if len(entries) != 1:
            raise ValueError(f"exactly one agent must have entry: true, found {', '.join(entries) or 'none'}")
        return self

    @cached_property
    def by_name(self) -> dict[str, Agent]:
        """Give each agent under its name."""
        return {agent.name: agent for agent in self.agents}

    @cached_property
    def entry(self) -> Agent:
        """Give the agent that new conversations begin with."""
        return next(agent for agent in self.agents if agent.entry)


def parse(mappings: Mapping[str, Any]) -> AgentSet:
    """
    Make agents of what their files hold: agent's name → content of its file.

    Raises Misconfigured; Invalid, which says where, when one agent is to blame.
    """
    agents = tuple(_agent(name, mappings[name]) for name in sorted(mappings))
    try:
        found = AgentSet(agents=agents)
    except ValidationError as error:
        raise Misconfigured(_first(error)[1]) from None
    for broken in _broken_references(found):
        raise broken
    return found


def revision(agents: AgentSet) -> str:
    """Name this state of the configuration: 16 hex digits of the SHA-256 of its canonical JSON."""
    canonical = json.dumps(agents.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _agent(name: str, mapping: Any) -> Agent:
    if not isinstance(mapping, Mapping):
        raise Invalid(name, (), "must be a mapping of fields")
    try:
        agent = Agent.model_validate(dict(mapping))
    except ValidationError as error:
        raise Invalid(name, *_first(error)) from None
    if agent.name != name:
        raise Invalid(name, ("name",), f"must be {name!r}, like its file")
    return agent


def _first(error: ValidationError) -> tuple[tuple[str | int, ...], str]:
    """Give the place and the reason of the first fault, without what was found there."""
    first = error.errors(include_url=False, include_input=False)[0]
    return first["loc"], first["msg"].removeprefix("Value error, ")


def _broken_references(agents: AgentSet) -> Iterator[Invalid]:
    for agent in agents.agents:
        for index, target in enumerate(agent.hands_over_to):
            if target == agent.name:
                yield Invalid(agent.name, ("hands_over_to", index), "an agent cannot hand over to itself")
            elif target not in agents.by_name:
                yield Invalid(agent.name, ("hands_over_to", index), f"there is no agent {target!r}")

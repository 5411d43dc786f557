"""The agents: who there is, what each may use, and to whom it may hand over. Checked alone and then together."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from parley.errors import Misconfigured

Name = Annotated[str, StringConstraints(pattern=re.compile(r"\A[a-z][a-z0-9-]*\Z"), max_length=64)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Host = Annotated[str, StringConstraints(to_lower=True, pattern=re.compile(r"\A[a-z0-9-]+(\.[a-z0-9-]+)*\Z"))]
Language = Annotated[str, StringConstraints(pattern=re.compile(r"\A[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z"))]


_SECRET = re.compile(
    r"-----BEGIN |\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|\bxox[abposr]-|\bgh[pousr]_[A-Za-z0-9]{20,}|\bAKIA[A-Z0-9]{16}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.|(?i:\b(?:password|passwd|secret|api[_-]?key|token)\s*[:=]\s*[^\s,.;]{8,})"
)


class Invalid(Misconfigured):
    """One agent is wrong. `where` is the path to the field: empty for the whole, `("tools", 0)` for the first tool."""

    def __init__(self, agent: str, where: tuple[str | int, ...], why: str) -> None:
        self.agent, self.where, self.why = agent, where, why
        super().__init__(": ".join(filter(None, (f"agent {agent}", self.field, why))))

    @property
    def field(self) -> str:
        """Give `where` as people write it: `tools.0`."""
        return ".".join(map(str, self.where))


class Strict(BaseModel):
    """Frozen, and nothing that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Phrases(Strict):
    """What is said without a model, word for word. `answer_frame` is put around an answer, `{answer}`."""

    greeting: Text = "Hello! What can I help you with?"
    unsure: Text = "I am not sure what this is about. Can you say a little more?"
    no_answer: Text = "I found nothing about this in the knowledge base."
    unsupported: Text = "_I have no document of the knowledge base for this._"
    answer_frame: Text = "{answer}"
    refused: Text = "I cannot help with that."
    started_over: Text = "We start over. What can I help you with?"
    escalated: Text = "I have passed this on to a person, with what we said so far. They will get back to you."
    start_over: tuple[Line, ...] = ("start over", "start again", "new conversation", "/reset", "/new")
    person: tuple[Line, ...] = ("talk to a person", "talk to a human", "i want a human", "i want a person", "/person")

    @field_validator("answer_frame")
    @classmethod
    def _frames_the_answer(cls, frame: str) -> str:
        places = [tuple(part[1:]) for part in Formatter().parse(frame) if part[1] is not None]
        if places != [("answer", "", None)]:
            raise ValueError("must hold {answer} once and no other {…}")
        return frame


class Sampling(Strict):
    """How a model chooses its words; None leaves it to the model's own default."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None


class Shields(Strict):
    """
    Who looks at what comes in, at what was read on the way (documents, results of tools), and at what goes out.

    A list means all three. `when_down`: a shield that cannot be asked refuses, or lets pass.
    """

    input: tuple[Line, ...] = ()
    sources: tuple[Line, ...] = ()
    output: tuple[Line, ...] = ()
    when_down: Literal["refuse", "pass"] = "refuse"

    @model_validator(mode="before")
    @classmethod
    def _a_list_is_all(cls, value: Any) -> Any:
        return {"input": value, "sources": value, "output": value} if isinstance(value, list | tuple) else value

    @property
    def any(self) -> bool:
        """Whether anybody looks at all."""
        return bool(self.input or self.sources or self.output)


class Agent(Strict):
    """
    One agent. The entry agent greets and hands over; a specialist answers from its knowledge bases.

    `model`: None takes the deployment's default. `examples`: things people say that are for this agent. `when_tainted`:
    what becomes of changes once a turn has read text of strangers. `link_hosts`: where its answers may link to, with
    all their subdomains. `context_tokens`: how much of what was said before it is told word for word; `file_tokens`:
    how much of the files that people send.
    """

    name: Name
    description: Line
    instructions: Text
    entry: bool = False
    model: Line | None = None
    sampling: Sampling = Sampling()
    tools: tuple[Line, ...] = ()
    knowledge: tuple[Name, ...] = ()
    shields: Shields = Shields()
    when_tainted: Literal["approve", "refuse"] = "approve"
    link_hosts: tuple[Host, ...] = ()
    context_tokens: Annotated[int, Field(ge=500, le=200_000)] = 6_000
    file_tokens: Annotated[int, Field(ge=0, le=200_000)] = 12_000
    hands_over_to: tuple[Name, ...] = ()
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("en",)
    examples: tuple[Line, ...] = ()
    phrases: Phrases = Phrases()

    @field_validator("instructions")
    @classmethod
    def _holds_no_secret(cls, text: str) -> str:
        if _SECRET.search(text):
            raise ValueError("holds what looks like a secret: whatever a model is told, it may tell")
        return text

    @field_validator("tools", "knowledge", "hands_over_to", "languages", "examples", "link_hosts")
    @classmethod
    def _once_each(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} stands here twice")
        return values


class AgentSet(Strict):
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
        raise Misconfigured(first_fault(error)[1]) from None
    for broken in _broken_references(found):
        raise broken
    return found


def revision(agents: AgentSet, *others: BaseModel) -> str:
    """Name this state of the configuration: 16 hex digits of the SHA-256 of its canonical JSON."""
    whole = [one.model_dump(mode="json") for one in (agents, *others)]
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _agent(name: str, mapping: Any) -> Agent:
    if not isinstance(mapping, Mapping):
        raise Invalid(name, (), "must be a mapping of fields")
    try:
        agent = Agent.model_validate(dict(mapping))
    except ValidationError as error:
        raise Invalid(name, *first_fault(error)) from None
    if agent.name != name:
        raise Invalid(name, ("name",), f"must be {name!r}, like its file")
    return agent


def first_fault(error: ValidationError) -> tuple[tuple[str | int, ...], str]:
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

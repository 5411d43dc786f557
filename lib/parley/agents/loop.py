"""
The agent loop: what to do next in a turn, decided without touching anything.

A driver asks `decide`, does what it says, and feeds the outcome back, until there is a Reply: AskModel to `after`,
AskApproval to `decided`, RunTool to `ran`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from parley.agents.config import Agent, AgentSet
from parley.domain.actions import Decision
from parley.domain.turn import Message

MOST_HANDOVERS = 3
MOST_CALLS = 16  # of tools, in one turn
DENIED = "It was not done: the user has decided against it. Do not ask for it again."
EXPIRED = "It was not done: nobody has decided in time. Say so."


@dataclass(frozen=True)
class Call:
    """A tool that the model wants called."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What an engine says for one agent: an answer with its citations, to whom it hands over, or a tool to call."""

    text: str
    citations: tuple[dict[str, str], ...] = ()
    hand_over_to: str | None = None
    call: Call | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON that is journaled."""
        call = {"name": self.call.name, "arguments": self.call.arguments} if self.call else None
        return {
            "text": self.text,
            "citations": list(self.citations),
            "hand_over_to": self.hand_over_to,
            "call": call,
        }

    @classmethod
    def of(cls, output: dict[str, Any]) -> "Answer":
        """Read it back from the journal."""
        call = Call(**output["call"]) if output.get("call") else None
        return cls(output["text"], tuple(output["citations"]), output["hand_over_to"], call)


@dataclass(frozen=True)
class AskModel:
    """Ask the engine, as this agent."""

    agent: Agent


@dataclass(frozen=True)
class RunTool:
    """Call this tool."""

    call: Call


@dataclass(frozen=True)
class AskApproval:
    """Let a person decide whether this tool is called: the turn waits, perhaps for hours. `summary` is the question."""

    call: Call
    summary: str
    risk: str


@dataclass(frozen=True)
class Result:
    """What a tool gave, as the model reads it."""

    call: Call
    output: str


@dataclass(frozen=True)
class Reply:
    """The turn is over: say this."""

    text: str
    citations: tuple[dict[str, str], ...]
    agent: str


@dataclass(frozen=True)
class Conversation:
    """A turn as far as it has come."""

    question: str
    history: tuple[Message, ...]
    in_charge: str
    handovers: int = 0
    results: tuple[Result, ...] = ()
    answer: Answer | None = None
    is_approved: bool = False  # the call that the answer wants


Policy = Callable[[Call], AskApproval | None]  # who is asked before a call, and what


class Engine(Protocol):
    """What answers: a model server, or retrieval alone."""

    def ask(self, agent: Agent, conversation: Conversation) -> Answer:
        """Answer as this agent. Raises Unavailable."""


def start(agents: AgentSet, question: str, history: tuple[Message, ...], in_charge: str | None) -> Conversation:
    """Begin a turn with whoever is in charge in the session, else with the entry agent."""
    known = in_charge if in_charge in agents.by_name else agents.entry.name
    return Conversation(question, history, known)


def decide(
    agents: AgentSet, conversation: Conversation, policy: Policy = lambda _: None
) -> AskModel | RunTool | AskApproval | Reply:
    """Say what comes next."""
    answer = conversation.answer
    if answer is None:
        return AskModel(agents.by_name[conversation.in_charge])
    if answer.call and len(conversation.results) < MOST_CALLS:
        asked = None if conversation.is_approved else policy(answer.call)
        return asked or RunTool(answer.call)
    text = answer.text or agents.by_name[conversation.in_charge].phrases.unsure
    return Reply(text, answer.citations, conversation.in_charge)


def may_hand_over_to(agents: AgentSet, conversation: Conversation) -> tuple[str, ...]:
    """Name the agents that may be handed over to now: none when it went round often enough."""
    if conversation.handovers == MOST_HANDOVERS:
        return ()
    return agents.by_name[conversation.in_charge].hands_over_to


def after(agents: AgentSet, conversation: Conversation, answer: Answer) -> Conversation:
    """Take an engine's answer in: a hand-over that is allowed changes who is in charge, anything else is the answer."""
    target = answer.hand_over_to
    if target is None or target not in may_hand_over_to(agents, conversation):
        return replace(conversation, answer=answer)
    return replace(conversation, in_charge=target, handovers=conversation.handovers + 1)


def ran(conversation: Conversation, output: str) -> Conversation:
    """Take a tool's result in: the model is asked again."""
    answer = conversation.answer
    assert answer, "a model was asked"
    assert answer.call, "it wanted a tool"
    results = (*conversation.results, Result(answer.call, output))
    return replace(conversation, results=results, answer=None, is_approved=False)


def decided(conversation: Conversation, decision: Decision) -> Conversation:
    """Take a person's decision in: what is approved is called, of anything else the model is told."""
    if decision == "approved":
        return replace(conversation, is_approved=True)
    return ran(conversation, {"denied": DENIED, "expired": EXPIRED}[decision])

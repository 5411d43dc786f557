"""
The agent loop: what to do next in a turn, decided without touching anything.

A driver asks `decide`, does what it says, and feeds the outcome back, until there is a Reply: ReadFile to `has_read`,
AskModel to `after`, Summarise to `summarised`, AskApproval to `decided`, RunTool and Refuse to `ran`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, Protocol
from uuid import UUID

from parley.agents import context
from parley.agents.config import Agent, AgentSet
from parley.domain.actions import Decision
from parley.domain.budget import MICROS
from parley.domain.turn import Message, Read
from parley.ports import Passage

MOST_HANDOVERS = 3
ESCALATE = "escalate"
MOST_CALLS = 16  # of tools, in one turn
DENIED = "It was not done: the user has decided against it. Do not ask for it again."
EXPIRED = "It was not done: nobody has decided in time. Say so."


@dataclass(frozen=True)
class Call:
    """A tool that the model wants called."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """What one call of a model took: tokens, and millionths of the prices' currency."""

    model: str
    input_tokens: int
    output_tokens: int
    micros: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON that is journaled; six places of the cost are exact."""
        tokens = {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        return {"model": self.model, **tokens, "cost": self.micros / MICROS}


@dataclass(frozen=True)
class Answer:
    """
    What an engine says for one agent: an answer with its citations, to whom it hands over, or a tool to call.

    `more`: what it wants called after that, in this order, before it is asked again.
    `tainted`: it was said by something that had read what strangers may have written.
    """

    text: str
    citations: tuple[dict[str, str], ...] = ()
    hand_over_to: str | None = None
    call: Call | None = None
    tainted: bool = False
    usage: Usage | None = None
    more: tuple[Call, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON that is journaled."""
        call = {"name": self.call.name, "arguments": self.call.arguments} if self.call else None
        return {
            "text": self.text,
            "citations": list(self.citations),
            "hand_over_to": self.hand_over_to,
            "call": call,
            "tainted": self.tainted,
            "more": [{"name": one.name, "arguments": one.arguments} for one in self.more],
        }

    @classmethod
    def of(cls, output: dict[str, Any]) -> "Answer":
        """Read it back from the journal."""
        call = Call(**output["call"]) if output.get("call") else None
        more = tuple(Call(**one) for one in output.get("more", ()))
        citations = tuple(output["citations"])
        return cls(output["text"], citations, output["hand_over_to"], call, output.get("tainted", False), more=more)


@dataclass(frozen=True)
class ReadFile:
    """Read this file of those that came with the question, from 0."""

    number: int


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
class Refuse:
    """Do not call this tool; the model is told why."""

    call: Call
    why: str


@dataclass(frozen=True)
class Summarise:
    """Let the engine sum up what was said first, so that the rest fits."""

    agent: Agent
    older: tuple[Message, ...]


@dataclass(frozen=True)
class Result:
    """What a tool gave, as the model reads it."""

    call: Call
    output: str


@dataclass(frozen=True)
class Reply:
    """The turn is over: say this. `forgets`: what was said before does not count any more."""

    text: str
    citations: tuple[dict[str, str], ...]
    agent: str
    forgets: bool = False


@dataclass(frozen=True)
class Conversation:
    """
    A turn as far as it has come.

    `summary` stands for what was said before `history`. `tainted`: something was read that strangers may have written.
    `reader`: the user, who is shown what they may read; None: what everybody may read.
    `attached`: how many files came with the question; `files`: those that were read, in this turn and (`known`, how
    many) before. `is_command`: the user's words were an order to Parley itself; no model is asked.
    `searched`: what retrieval has found so far, by what it was asked; whoever is handed over to asks the same again.
    """

    question: str
    history: tuple[Message, ...]
    in_charge: str
    handovers: int = 0
    results: tuple[Result, ...] = ()
    answer: Answer | None = None
    is_approved: bool = False  # the call that the answer wants
    summary: str = ""
    is_summarised: bool = False
    tainted: bool = False
    is_command: bool = False
    forgets: bool = False
    reader: UUID | None = None
    attached: int = 0
    files: tuple[Read, ...] = ()
    known: int = 0
    searched: dict[tuple[Sequence[str], str], Sequence[Passage]] = field(
        default_factory=dict, compare=False, repr=False
    )


Policy = Callable[[Conversation, Call], AskApproval | Refuse | None]  # who is asked before a call, and what
Say = Callable[[str], None]  # takes what is said as it comes


class Engine(Protocol):
    """What answers: a model server, or retrieval alone."""

    def ask(self, agent: Agent, conversation: Conversation, say: Say, /) -> Answer:
        """Answer as this agent; `say` gets the answer's text as it comes. Raises Unavailable."""

    def summarise(self, agent: Agent, conversation: Conversation, older: tuple[Message, ...], /) -> Answer:
        """Sum up what the summary so far and these messages say; nothing when it cannot. Raises Unavailable."""


def start(
    agents: AgentSet,
    question: str,
    history: tuple[Message, ...],
    in_charge: str | None,
    *,
    summary: str = "",
    tainted: bool = False,
    reader: UUID | None = None,
    attached: int = 0,
    known: tuple[Read, ...] = (),
) -> Conversation:
    """Begin a turn with whoever is in charge in the session, else with the entry agent; or do as the user orders."""
    charged = in_charge if in_charge in agents.by_name else agents.entry.name
    begun = Conversation(
        question, history, charged, summary=summary, tainted=tainted, reader=reader, attached=attached, files=known,
        known=len(known),
    )  # fmt: skip
    phrases, words = agents.entry.phrases, _plain(question)
    if words in map(_plain, phrases.start_over):
        answer = Answer(phrases.started_over)
        return replace(begun, in_charge=agents.entry.name, answer=answer, is_command=True, forgets=True, tainted=False)
    if words in map(_plain, phrases.person):
        call = Call(ESCALATE, {"reason": "The person asked for somebody."})
        return replace(begun, answer=Answer("", call=call), is_command=True)
    return begun


def decide(
    agents: AgentSet, conversation: Conversation, policy: Policy = lambda *_: None
) -> ReadFile | AskModel | Summarise | RunTool | AskApproval | Refuse | Reply:
    """Say what comes next."""
    answer, agent = conversation.answer, agents.by_name[conversation.in_charge]
    if answer is None and (read := len(conversation.files) - conversation.known) < conversation.attached:
        return ReadFile(read)
    if answer is None:
        older = context.older(conversation.history, conversation.summary, agent.context_tokens)
        return Summarise(agent, older) if older and not conversation.is_summarised else AskModel(agent)
    if answer.call and len(conversation.results) < MOST_CALLS:
        if conversation.is_approved or conversation.is_command:
            return RunTool(answer.call)
        return policy(conversation, answer.call) or RunTool(answer.call)
    return Reply(answer.text or agent.phrases.unsure, answer.citations, agent.name, conversation.forgets)


def has_read(conversation: Conversation, file: Read) -> Conversation:
    """Take a file in: what it says may be a stranger's."""
    tainted = conversation.tainted or bool(file.text)
    return replace(conversation, files=(*conversation.files, file), tainted=tainted)


def together(conversation: Conversation, policy: Policy, is_read: Callable[[str], bool]) -> tuple[Call, ...]:
    """Give the call that comes now, and those right after it that may be made at the same time: all only read."""
    answer = conversation.answer
    assert answer, "a model was asked"
    assert answer.call, "it wanted a tool"
    if conversation.is_command or not is_read(answer.call.name):
        return (answer.call,)
    room = MOST_CALLS - len(conversation.results) - 1
    beside = takewhile(lambda call: is_read(call.name) and policy(conversation, call) is None, answer.more[:room])
    return (answer.call, *beside)


def may_hand_over_to(agents: AgentSet, conversation: Conversation) -> tuple[str, ...]:
    """Name the agents that may be handed over to now: none when it went round often enough."""
    if conversation.handovers == MOST_HANDOVERS:
        return ()
    return agents.by_name[conversation.in_charge].hands_over_to


def after(agents: AgentSet, conversation: Conversation, answer: Answer) -> Conversation:
    """Take an engine's answer in: a hand-over that is allowed changes who is in charge, anything else is the answer."""
    conversation = replace(conversation, tainted=conversation.tainted or answer.tainted)
    target = answer.hand_over_to
    if target is None or target not in may_hand_over_to(agents, conversation):
        return replace(conversation, answer=answer)
    return replace(conversation, in_charge=target, handovers=conversation.handovers + 1)


def ran(conversation: Conversation, output: str, *, taints: bool = False) -> Conversation:
    """Take a tool's result in: the next call, else the model again; `taints` when strangers may have written it."""
    answer = conversation.answer
    assert answer, "a model was asked"
    assert answer.call, "it wanted a tool"
    if conversation.is_command:
        return replace(conversation, answer=Answer(output))
    results = (*conversation.results, Result(answer.call, output))
    tainted = conversation.tainted or taints
    left = replace(answer, call=answer.more[0], more=answer.more[1:]) if answer.more else None
    return replace(conversation, results=results, answer=left, is_approved=False, tainted=tainted)


def summarised(conversation: Conversation, older: tuple[Message, ...], answer: Answer) -> Conversation:
    """Take a summary in: it stands for the messages that it sums up. Without one, they are told no more."""
    kept = conversation.history[len(older) :]
    summary = answer.text or conversation.summary
    return replace(conversation, history=kept, summary=summary, is_summarised=True)


def decided(conversation: Conversation, decision: Decision) -> Conversation:
    """Take a person's decision in: what is approved is called, of anything else the model is told."""
    if decision == "approved":
        return replace(conversation, is_approved=True)
    return ran(conversation, {"denied": DENIED, "expired": EXPIRED}[decision])


def _plain(text: str) -> str:
    return " ".join(text.casefold().strip(" .!?").split())

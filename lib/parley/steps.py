"""
The steps of a turn that is held: each decided by the loop, done here, journaled, and told while it happens.

A model's words are journaled under the decision that led to them, so that another process finds them. Tools are called
by `parley.calls`.
"""

import re
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Protocol

from parley import telemetry
from parley.agents import context, loop
from parley.agents.config import Agent, AgentSet
from parley.agents.safety import clean
from parley.calls import Calls, Intents, effect
from parley.domain import turn
from parley.domain.actions import Decision, Wanted
from parley.domain.budget import UNLIMITED, Amount, Budget
from parley.domain.turn import Read, Turn
from parley.errors import Unavailable
from parley.heart import Heart
from parley.ports import Files, Tools
from parley.progress import Progress

FILE_PATIENCE = 120.0  # seconds that a turn waits for files that cannot be fetched, before it goes on without them
UNREAD = "_I could not read {name}: {why}._"
NO_READER = "files are read only where a language model answers"

_MARKS = re.compile(r"[^\w .,()+-]+")


class Journal(Intents, Protocol):
    """What steps need of the store."""

    def reserve(self, held: Turn, wanted: Amount, limit: Amount) -> None: ...
    def renew(self, held: Turn) -> bool: ...
    def tell(self, held: Turn, *told: tuple[str, dict[str, Any]]) -> int: ...


class GoOn(Exception):
    """The turn goes on in another invocation."""


class Waits(Exception):
    """The turn goes on when somebody has decided."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted.tool)
        self.wanted = wanted


class Steps:
    """
    Runs turns to their reply.

    Seconds: `beat` between renewals of the lease, `patience` for a person to decide. `policy` says which calls are
    refused, or decided by a person. `files` reads what people send; without it, nothing is read. `budget`: what a user
    may spend in a day.
    """

    def __init__(
        self,
        store: Journal,
        agents: AgentSet,
        engine: loop.Engine,
        *,
        revision: str,
        tools: Tools | None = None,
        files: Files | None = None,
        policy: loop.Policy = lambda *_: None,
        beat: float = 20.0,
        patience: float = 3600.0,
        budget: Budget = UNLIMITED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._agents = agents
        self._engine = engine
        self._revision = revision
        self._files = files
        self._policy = policy
        self._heart = Heart(store.renew, beat)
        self._calls = Calls(store, tools, self._heart, beat, clock)
        self._patience = patience
        self._budget = budget

    def answer(self, held: Turn, must_leave: Callable[[], bool]) -> loop.Reply:
        """Run the loop to its reply. Raises Waits, GoOn, Cancelled, LeaseLost and Unavailable."""
        progress = Progress(self._store.tell, held)
        conversation = loop.start(
            self._agents,
            held.content,
            held.history,
            held.agent,
            summary=held.summary,
            tainted=held.tainted,
            reader=held.user_id,
            attached=len(held.files),
            known=held.known,
        )
        with telemetry.span(
            f"invoke_agent {conversation.in_charge}",
            attributes={
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": conversation.in_charge,
                "gen_ai.conversation.id": held.session_id,
                "parley.epoch": held.epoch,
            },
            link=held.taken_in,
            but=(Waits, GoOn, turn.Cancelled),
        ):
            return self._replied(held, conversation, progress, must_leave)

    def _replied(
        self, held: Turn, conversation: loop.Conversation, progress: Progress, must_leave: Callable[[], bool]
    ) -> loop.Reply:
        first = held.step
        while True:
            decision = loop.decide(self._agents, conversation, self._policy)
            if isinstance(decision, loop.Reply):
                return self._reply(held, decision, conversation, progress)
            if held.step > first and must_leave():
                progress.flush()
                raise GoOn
            conversation = self._done(held, decision, conversation, progress)

    def _done(
        self, held: Turn, decision: Any, conversation: loop.Conversation, progress: Progress
    ) -> loop.Conversation:
        """Do what was decided, and take its outcome in."""
        match decision:
            case loop.ReadFile():
                return loop.has_read(conversation, self._read(held, decision.number, progress))
            case loop.AskModel():
                answer = self._ask(held, decision, conversation, progress)
                return loop.after(self._agents, conversation, answer)
            case loop.Summarise():
                answer = self._summarise(held, decision, conversation, progress)
                if answer.text:
                    held.summary, held.summarised_to = answer.text, decision.older[-1].seq
                return loop.summarised(conversation, decision.older, answer)
            case loop.AskApproval():
                return loop.decided(conversation, self._decision(held, decision, conversation, progress))
            case loop.Refuse():
                progress.tool(decision.call.name, "failed", held.step)
                return loop.ran(conversation, decision.why)
        return self._calls.made(held, conversation, self._policy, progress)

    def _reply(self, held: Turn, reply: loop.Reply, conversation: loop.Conversation, progress: Progress) -> loop.Reply:
        held.tainted = conversation.tainted
        hosts = self._agents.by_name[reply.agent].link_hosts
        text = clean(reply.text, hosts).strip() or self._agents.by_name[reply.agent].phrases.unsure
        of_now = conversation.files[conversation.known :]
        unread = [UNREAD.format(name=_named(one.name), why=one.fault) for one in of_now if one.fault]
        text = "\n\n".join([text, *unread])
        progress.cite(reply.citations)
        held.untold = progress.rest()
        return loop.Reply(text, reply.citations, reply.agent, reply.forgets)

    def _read(self, held: Turn, number: int, progress: Progress) -> Read:
        """Read a file that came with the question; without what cannot be fetched for long, the turn goes on."""
        file = held.files[number]
        mark = turn.fingerprint("file", file["id"], number)
        if done := held.journaled(mark):
            return Read(**done.output)
        name, step = str(file.get("name") or "a file"), held.step
        progress.begin("file", name)
        progress.flush()
        try:
            with self._heart.beating(held):
                read = self._files.read(held.origin or {}, file) if self._files else Read(name, fault=NO_READER)
        except Unavailable:
            if held.since < FILE_PATIENCE:
                raise
            read = Read(name, fault="it cannot be fetched now")
        progress.end("file", name, step)
        self._store.journal(held, kind="file", fingerprint=mark, output=asdict(read))
        return read

    def _ask(
        self, held: Turn, decision: loop.AskModel, conversation: loop.Conversation, progress: Progress
    ) -> loop.Answer:
        agent, number = decision.agent, held.step
        mark = self._mark(held, conversation, agent.name)
        if done := held.journaled(mark):
            return loop.Answer.of(done.output)
        self._reserve(held, agent, conversation)
        progress.begin("model", agent.name)
        say = progress.speaker(agent.link_hosts)
        with self._heart.beating(held):
            answer = self._engine.ask(agent, conversation, say)
            say.end()
        if answer.call or answer.hand_over_to:
            progress.unsay(number)
        progress.end("model", agent.name, number)
        if answer.hand_over_to:
            progress.end("handover", answer.hand_over_to, number)
        self._journal(held, "model", mark, self._counted(agent, conversation, answer))
        return answer

    def _summarise(
        self, held: Turn, decision: loop.Summarise, conversation: loop.Conversation, progress: Progress
    ) -> loop.Answer:
        number, agent = held.step, decision.agent
        mark = self._mark(held, conversation, "summary", agent.name, decision.older[-1].seq)
        if done := held.journaled(mark):
            return loop.Answer.of(done.output)
        self._reserve(held, agent, conversation)
        progress.begin("summary", agent.name)
        with self._heart.beating(held):
            answer = self._engine.summarise(agent, conversation, decision.older)
        progress.end("summary", agent.name, number)
        self._journal(held, "summary", mark, self._counted(agent, conversation, answer))
        return answer

    def _reserve(self, held: Turn, agent: Agent, conversation: loop.Conversation) -> None:
        """Keep what the next call of a model may take. Raises Spent."""
        if self._budget.is_set:
            tokens = context.expected(conversation, agent.sampling.max_tokens, agent.file_tokens)
            self._store.reserve(held, self._budget.expected(agent.model, *tokens), self._budget.limit)

    def _counted(self, agent: Agent, conversation: loop.Conversation, answer: loop.Answer) -> loop.Answer:
        """Count what was expected where a server does not say what it took: a budget is no budget otherwise."""
        if answer.usage or not self._budget.is_set:
            return answer
        tokens = context.expected(conversation, agent.sampling.max_tokens, agent.file_tokens)
        cost = self._budget.expected(agent.model, *tokens).micros
        return replace(answer, usage=loop.Usage(agent.model or self._budget.model or "", *tokens, cost))

    def _journal(self, held: Turn, kind: str, mark: str, answer: loop.Answer) -> None:
        usage = answer.usage.as_dict() if answer.usage else None
        self._store.journal(held, kind=kind, fingerprint=mark, output=answer.as_dict(), usage=usage)

    def _decision(
        self, held: Turn, asked: loop.AskApproval, conversation: loop.Conversation, progress: Progress
    ) -> Decision:
        """Give what was decided, from the journal. Raises Waits when nobody was asked yet."""
        call = asked.call
        mark = effect(held, call, len(conversation.results), "approval")
        if done := held.journaled(mark):
            decision: Decision = done.output["decision"]
            return decision
        progress.flush()
        raise Waits(Wanted(call.name, call.arguments, asked.risk, asked.summary, mark, self._patience))

    def _mark(self, held: Turn, conversation: loop.Conversation, *decision: Any) -> str:
        place = (conversation.handovers, len(conversation.results))
        return turn.fingerprint(*decision, held.content, *place, self._revision)


def _named(name: str) -> str:
    """Give the name of a file for a person: one line, nothing that Markdown would take for more."""
    return " ".join(_MARKS.sub(" ", name).split())[:100] or "a file"

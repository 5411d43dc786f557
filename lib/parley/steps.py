"""
The steps of a turn that is held: each decided by the loop, done here, journaled, and told while it happens.

A model's words are journaled under the decision that led to them, so that another process finds them. A tool is called
once: its intent is written first, and what a crash has swallowed is never repeated blindly. Calls that only read are
made at the same time when a model wants them at once; changes come one after the other.
"""

import re
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from parley import telemetry
from parley.agents import context, loop
from parley.agents.config import Agent, AgentSet
from parley.agents.safety import clean
from parley.domain import turn
from parley.domain.actions import Decision, Wanted
from parley.domain.budget import UNLIMITED, Amount, Budget
from parley.domain.turn import Read, Step, Turn
from parley.errors import Unavailable
from parley.heart import Heart
from parley.ports import Files, OnBehalf, ToolFailed, Tools
from parley.progress import Progress

FILE_PATIENCE = 120.0  # seconds that a turn waits for files that cannot be fetched, before it goes on without them
UNREAD = "_I could not read {name}: {why}._"
NO_READER = "files are read only where a language model answers"
UNKNOWN = "It is not known whether this took effect. Do not call it again; tell the user so."
AT_ONCE = 4  # calls that only read, of one step of the model

_MARKS = re.compile(r"[^\w .,()+-]+")


class Journal(Protocol):
    """What steps need of the store."""

    def journal(
        self, held: Turn, *, kind: str, fingerprint: str, output: dict[str, Any], usage: dict[str, Any] | None = None
    ) -> None: ...
    def intend(self, held: Turn, *, fingerprint: str, ahead: int = 0) -> UUID: ...
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
        self._tools = tools
        self._files = files
        self._policy = policy
        self._heart = Heart(store.renew, beat)
        self._beat = beat
        self._patience = patience
        self._budget = budget
        self._clock = clock

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
        calls = loop.together(conversation, self._policy, self._tools.reads if self._tools else lambda _: False)
        for call, text in zip(calls, self._run(held, calls, conversation, progress), strict=True):
            trusted = self._tools is not None and self._tools.trusts(call.name)
            conversation = loop.ran(conversation, text, taints=not trusted)
        return conversation

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
        mark = self._effect(held, call, len(conversation.results), "approval")
        if done := held.journaled(mark):
            decision: Decision = done.output["decision"]
            return decision
        progress.flush()
        raise Waits(Wanted(call.name, call.arguments, asked.risk, asked.summary, mark, self._patience))

    def _run(
        self, held: Turn, calls: Sequence[loop.Call], conversation: loop.Conversation, progress: Progress
    ) -> list[str]:
        """Call tools, each once: all at the same time, journaled in their order."""
        place = len(conversation.results)
        marks = [self._effect(held, call, place + number) for number, call in enumerate(calls)]
        known = [held.journaled(mark) for mark in marks]
        done = [str(step.output["text"]) for step in known if step and not step.started]
        for call, text in zip(calls, done, strict=False):
            self._escalates(held, call, text)
        open_ones = list(zip(calls, marks, known, strict=True))[len(done) :]
        if not open_ones:
            return done
        for ahead, (call, _, _) in enumerate(open_ones):
            progress.tool(call.name, "started", held.step + ahead)
        progress.flush()
        runs = self._intended(held, open_ones)
        with self._heart.beating(held):
            outcomes = _at_once([partial(self._called, run, held.user_id, conversation.in_charge) for run in runs])
        for run, (text, state) in zip(runs, outcomes, strict=True):
            progress.tool(run.call.name, state, held.step)
            self._store.journal(held, kind="tool", fingerprint=run.mark, output={"text": text})
            self._escalates(held, run.call, text)
        return [*done, *(text for text, _ in outcomes)]

    def _intended(self, held: Turn, wanted: Sequence[tuple[loop.Call, str, Step | None]]) -> list["_Run"]:
        """Write down what is about to be called; what a crash has swallowed stands there already."""
        started, runs = self._clock(), []
        for ahead, (call, mark, step) in enumerate(wanted):
            if step and step.effect_key:
                again = self._tools.again(call.name) if self._tools else "never"
                runs.append(_Run(call, mark, step.effect_key, again))
            else:
                runs.append(_Run(call, mark, self._store.intend(held, fingerprint=mark, ahead=ahead), "repeat"))
        if self._was_asleep(started):  # somebody else may have called it by now
            raise Unavailable("too late to call a tool")
        return runs

    def _was_asleep(self, since: float) -> bool:
        return self._clock() - since > self._beat

    def _called(self, run: "_Run", user_id: UUID, agent: str) -> tuple[str, str]:
        """Give what came of a call, and its state: done, failed, unknown."""
        if run.again == "never":
            return UNKNOWN, "unknown"
        try:
            with telemetry.calling("execute_tool", run.call.name, {"gen_ai.tool.name": run.call.name}) as told:
                told.note({"gen_ai.tool.call.id": run.key, "gen_ai.agent.name": agent})
                return self._result(run.call, run.key, run.again, OnBehalf(user_id, agent)), "done"
        except ToolFailed as error:
            return f"It failed: {error}", "failed"

    def _result(self, call: loop.Call, key: UUID, again: str, who: OnBehalf) -> str:
        if self._tools is None:
            raise ToolFailed(f"there is no tool {call.name}")
        found = self._tools.look_up(call.name, key) if again == "look_up" else None
        return self._tools.run(call.name, call.arguments, key, who) if found is None else found

    def _escalates(self, held: Turn, call: loop.Call, text: str) -> None:
        """Remember that a person is wanted: they are told in the transaction that ends the turn, and so once."""
        if call.name == loop.ESCALATE and not text.startswith("It failed"):
            held.escalation = str(call.arguments.get("reason", ""))

    def _mark(self, held: Turn, conversation: loop.Conversation, *decision: Any) -> str:
        place = (conversation.handovers, len(conversation.results))
        return turn.fingerprint(*decision, held.content, *place, self._revision)

    @staticmethod
    def _effect(held: Turn, call: loop.Call, place: int, kind: str = "tool") -> str:
        """Give the fingerprint of what people decided or the world has felt: that holds for later agents, too."""
        return turn.fingerprint(kind, call.name, call.arguments, held.content, place)


def _named(name: str) -> str:
    """Give the name of a file for a person: one line, nothing that Markdown would take for more."""
    return " ".join(_MARKS.sub(" ", name).split())[:100] or "a file"


@dataclass(frozen=True)
class _Run:
    """A call that is intended, under its key."""

    call: loop.Call
    mark: str
    key: UUID
    again: str


def _at_once[T](calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make all calls, `AT_ONCE` at the same time; gives what they gave, in their order. Raises when all are over."""
    if len(calls) == 1:
        return [calls[0]()]
    from concurrent.futures import ThreadPoolExecutor  # its import is paid by turns that need it

    with ThreadPoolExecutor(AT_ONCE, "tool") as pool:
        begun = [pool.submit(copy_context().run, call) for call in calls]
    return [one.result() for one in begun]

"""
An engine behind shields: what they object to is neither told to the model nor said by it.

Each agent's file says who looks where, and what happens when nobody can be asked: refuse, or let pass.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Protocol
from uuid import UUID

from parley.agents.config import Agent, AgentSet
from parley.agents.loop import Answer, Conversation, Engine, Result, Say
from parley.domain.turn import Message, Read
from parley.errors import Unavailable
from parley.ports import Knowledge, Passage

log = logging.getLogger("parley.shields")

WITHHELD = "(withheld: a shield objects to this text)"


class Objections(Protocol):
    """The shields."""

    def objection(self, names: Sequence[str], text: str, role: str) -> str | None:
        """Give the first that objects. Raises Unavailable."""


class Shielded:
    """Implements `loop.Engine` around another one. What shields look at is said when they have, not before."""

    def __init__(self, engine: Engine, shields: Objections, agents: AgentSet) -> None:
        self._engine = engine
        self._shields = shields
        self._refusals = {agent.phrases.refused for agent in agents.agents}

    def ask(self, agent: Agent, conversation: Conversation, say: Say) -> Answer:
        """Answer as this agent, unless a shield objects. Raises Unavailable."""
        wanted = agent.shields
        history = tuple(self._allowed(conversation.history))
        said = [one.content for one in history if one.role == "user"]  # what is split over messages is looked at whole
        if self._objects(agent, wanted.input, "\n".join([*said, conversation.question]), "user"):
            return Answer(agent.phrases.refused)
        results = tuple(self._seen(agent, result) for result in conversation.results)
        files = tuple(self._seen_file(agent, file) for file in conversation.files)
        seen = replace(conversation, history=history, results=results, files=files)
        if not wanted.output:
            return self._engine.ask(agent, seen, say)
        answer = self._engine.ask(agent, seen, lambda _: None)
        if answer.text and self._objects(agent, wanted.output, answer.text, "assistant"):
            answer = replace(answer, text=agent.phrases.refused, citations=())
        say(answer.text)
        return answer

    def summarise(self, agent: Agent, conversation: Conversation, older: tuple[Message, ...]) -> Answer:
        """Sum up; what shields object to is forgotten. Raises Unavailable."""
        answer = self._engine.summarise(agent, conversation, tuple(self._allowed(older)))
        return (
            replace(answer, text="") if self._objects(agent, agent.shields.output, answer.text, "assistant") else answer
        )

    def _allowed(self, history: Sequence[Message]) -> Iterator[Message]:
        """Leave out what was refused, and the refusal: it is told to no model later, either."""
        for one, following in zip_longest(history, history[1:]):
            is_refusal = one.role == "assistant" and one.content in self._refusals
            is_refused = following and following.role == "assistant" and following.content in self._refusals
            if not (is_refusal or is_refused):
                yield one

    def _seen(self, agent: Agent, result: Result) -> Result:
        objects = self._objects(agent, agent.shields.sources, result.output, "user")
        return replace(result, output=WITHHELD) if objects else result

    def _seen_file(self, agent: Agent, file: Read) -> Read:
        objects = self._objects(agent, agent.shields.sources, f"{file.name}\n{file.text}", "user")
        return Read("(a file)", fault=WITHHELD) if objects else file

    def _objects(self, agent: Agent, names: Sequence[str], text: str, role: str) -> bool:
        try:
            return bool(names) and self._shields.objection(names, text, role) is not None
        except Unavailable:
            if agent.shields.when_down == "refuse":
                raise
            log.warning("nobody looks: a shield cannot be asked", extra={"fields": {"agent": agent.name}})
            return False


class ShieldedKnowledge:
    """Knowledge without what shields object to: `names` of all agents that search these bases look at it."""

    def __init__(self, knowledge: Knowledge, shields: Objections, agents: Sequence[Agent]) -> None:
        self._knowledge = knowledge
        self._shields = shields
        self._agents = [agent for agent in agents if agent.shields.sources]

    def search(
        self, bases: Sequence[str], question: str, limit: int, *, reader: UUID | None = None
    ) -> Sequence[Passage]:
        """Give the best passages, but for those that a shield objects to. Raises Unavailable."""
        found = self._knowledge.search(bases, question, limit, reader=reader)
        looking = [agent for agent in self._agents if set(agent.knowledge) & set(bases)]
        return [passage for passage in found if not any(self._objects(agent, passage) for agent in looking)]

    def _objects(self, agent: Agent, passage: Passage) -> bool:
        text = f"{passage.title}\n{passage.heading}\n{passage.text}"
        try:
            return self._shields.objection(agent.shields.sources, text, "user") is not None
        except Unavailable:
            if agent.shields.when_down == "refuse":
                raise
            return False

"""
An engine whose model is a behaviour (devkit.behaviour) in this process: what an agent would tell a model server, told
to it directly. For tests that ask thousands of times; `make test-llama-stack` asks through a real server.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from devkit.model import Broken, Said
from devkit.responses import message
from parley.agents import prompting
from parley.agents.config import Agent, AgentSet
from parley.agents.loop import Answer, Conversation, Say, Usage, may_hand_over_to
from parley.agents.tools import Toolbox
from parley.domain.turn import Message
from parley.errors import Unavailable
from parley.ports import Knowledge

Brain = Callable[[Sequence[Any], Sequence[Any]], Said | Broken]


class Thinking:
    """Implements `loop.Engine`."""

    def __init__(self, agents: AgentSet, toolbox: Toolbox, knowledge: Knowledge, brain: Brain) -> None:
        self._agents = agents
        self._toolbox = toolbox
        self._knowledge = knowledge
        self.brain = brain
        self.asked: list[list[dict[str, Any]]] = []

    def ask(self, agent: Agent, conversation: Conversation, say: Say) -> Answer:
        """Answer as this agent, hand over, or want a tool. Raises Unavailable."""
        passages = (
            self._knowledge.search(agent.knowledge, conversation.question, 6, reader=conversation.reader)
            if agent.knowledge
            else ()
        )
        items = prompting.messages(
            conversation, passages, has_knowledge=bool(agent.knowledge), file_tokens=agent.file_tokens
        )
        told = prompting.instructions(agent, conversation.summary, has_files=bool(conversation.files))
        system = {"role": "system", "content": told}
        offered = prompting.tools(self._agents, may_hand_over_to(self._agents, conversation), self._toolbox.of(agent))
        said = self._said([system, *map(message, items)], [{"function": tool} for tool in offered])
        usage = Usage("scripted", 100, len(said.text.split()))
        if wanted := prompting.wanted([(call.name, call.arguments) for call in said.calls]):
            return replace(wanted, tainted=bool(passages), usage=usage)
        for word in said.text.split(" "):
            say(f"{word} ")
        text, citations = prompting.cited(said.text, passages)
        return Answer(text, citations, tainted=bool(passages), usage=usage)

    def summarise(self, agent: Agent, conversation: Conversation, older: tuple[Message, ...]) -> Answer:  # noqa: ARG002
        """Sum up what was said first."""
        prompt = [{"role": "system", "content": prompting.SUMMARISE},
                  *map(message, prompting.to_sum_up(conversation.summary, older))]  # fmt: skip
        said = self._said(prompt, [])
        return Answer(said.text, tainted=conversation.tainted, usage=Usage("scripted", 100, len(said.text.split())))

    def _said(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Said:
        self.asked.append(messages)
        said = self.brain(messages, tools)
        if isinstance(said, Broken):
            raise Unavailable(f"the model answered {said.status}")
        return said

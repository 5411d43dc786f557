"""
Answers without a model: the best passages of the knowledge bases, word for word, with their source, and saying so.

Deterministic, and needs no network: what runs when no model is configured.
"""

import re
from collections.abc import Sequence

from parley.agents.config import Agent, AgentSet
from parley.agents.loop import Answer, Conversation, Say
from parley.agents.prompting import citation
from parley.domain.turn import Message
from parley.ports import Knowledge, Passage

ENOUGH = 0.34  # share of the question's words that a passage must have to count as an answer
SURE = 0.5  # share that makes a hand-over certain without an example
NEARLY = 0.9  # of the best passage's share: named as a further source
FURTHER = 2
SHORT = 3  # words: a shorter question is read together with the one before

NOTE = "_Found by search in the knowledge base; no language model is configured._"

_WORDS = re.compile(r"[\w']+")
_GREETINGS = frozenset(
    _WORDS.findall("afternoon day evening good greetings hello help hey hi howdy morning thank thanks there you")
)
_COMMON = frozenset(
    _WORDS.findall(
        "a an and any are as at be can could do does for from get have how i i'm in is it its me my need of on or our "
        "please so that the their them there this to us was we what when where which who why will with would you your"
    )
)


class Extractive:
    """Implements `loop.Engine` on retrieval alone."""

    def __init__(self, agents: AgentSet, knowledge: Knowledge) -> None:
        self._agents = agents
        self._knowledge = knowledge
        self._examples = {agent.name: [_content_words(one) for one in agent.examples] for agent in agents.agents}

    def ask(self, agent: Agent, conversation: Conversation, say: Say) -> Answer:
        """Answer as this agent, or hand over."""
        answer = self._answer(agent, conversation)
        if answer.text:
            say(answer.text)
        return answer

    def summarise(self, agent: Agent, conversation: Conversation, older: tuple[Message, ...]) -> Answer:  # noqa: ARG002
        """Give none: retrieval reads the question and the one before."""
        return Answer("")

    def _answer(self, agent: Agent, conversation: Conversation) -> Answer:
        if _is_greeting(conversation.question):
            return Answer(self._agents.entry.phrases.greeting)
        if agent.knowledge:
            return self._from_knowledge(agent, conversation)
        return self._routed(agent, conversation)

    def _routed(self, agent: Agent, conversation: Conversation) -> Answer:
        """Hand over to the specialist whose examples or documents are closest to the question, else ask."""
        scored = [
            (max(self._by_example(target, conversation.question), self._by_knowledge(target, conversation)), name)
            for name in agent.hands_over_to
            if (target := self._agents.by_name[name])
        ]
        best, name = max(scored, default=(0.0, ""))
        return Answer("", hand_over_to=name) if best >= SURE else Answer(agent.phrases.unsure)

    def _from_knowledge(self, agent: Agent, conversation: Conversation) -> Answer:
        passages = self._search(agent, conversation)
        if not passages or passages[0].score < ENOUGH:
            return Answer(agent.phrases.no_answer)
        best = passages[0]
        near = {(p.document, p.anchor): p for p in reversed(passages) if p.score >= best.score * NEARLY}
        near.pop((best.document, best.anchor))
        others = list(reversed(near.values()))[:FURTHER]
        further = "".join(f"\n- {': '.join(filter(None, (p.title, p.heading)))}" for p in others)
        also = f"\n\nSee also:{further}" if further else ""
        answer = agent.phrases.answer_frame.format(answer=f"**{best.heading or best.title}**\n\n{best.text}{also}")
        return Answer(f"{answer}\n\n{NOTE}", tuple(citation(passage) for passage in [best, *others]))

    def _search(self, agent: Agent, conversation: Conversation) -> Sequence[Passage]:
        question = _without_greeting(conversation.question)
        before = [said.content for said in conversation.history if said.role == "user"]
        if before and len(_content_words(question)) < SHORT:
            question = f"{question} {before[-1]}"
        found = conversation.searched.get((agent.knowledge, question))
        if found is None:
            found = self._knowledge.search(agent.knowledge, question, 1 + FURTHER, reader=conversation.reader)
            conversation.searched[agent.knowledge, question] = found
        return found

    def _by_knowledge(self, target: Agent, conversation: Conversation) -> float:
        passages = self._search(target, conversation) if target.knowledge else ()
        return passages[0].score if passages else 0.0

    def _by_example(self, target: Agent, question: str) -> float:
        asked = _content_words(question)
        if not asked:
            return 0.0
        return max((len(asked & words) / len(asked) for words in self._examples[target.name]), default=0.0)


def _content_words(text: str) -> set[str]:
    return {word for word in _WORDS.findall(text.lower()) if word not in _COMMON}


def _without_greeting(question: str) -> str:
    """Leave out what is said to be polite: it is found nowhere, and would count as not found."""
    return " ".join(word for word in question.split() if word.lower().strip("!?.,:;") not in _GREETINGS) or question


def _is_greeting(question: str) -> bool:
    words = _WORDS.findall(question.lower())
    return all(word in _GREETINGS for word in words)

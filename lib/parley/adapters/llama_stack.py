"""
Llama Stack, by its Responses API (https://llama-stack.readthedocs.io).

One call is one answer of one agent. Nothing is stored there: the conversation is ours, in `messages`. Nothing is
retried here: the client would repeat a call that took too long, and the event's own retries are enough.
"""

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parley.agents import prompting
from parley.agents.config import Agent, AgentSet
from parley.agents.loop import Answer, Conversation, may_hand_over_to
from parley.errors import Misconfigured, Unavailable
from parley.ports import Knowledge

if TYPE_CHECKING:
    from llama_stack_client import LlamaStackClient

SOURCES = 6
CONNECT = 5.0  # seconds
CUT_OFF = "_The answer was cut off: it was too long._"

log = logging.getLogger("parley.llama_stack")


@dataclass(frozen=True)
class Server:
    """
    Where it is, the model of agents without one of their own, and the longest that one answer may take.

    A turn goes on elsewhere after two minutes; with one more answer it stays below its Trigger's four.
    """

    url: str
    model: str | None = None
    api_key: str | None = None
    seconds: float = 110


class LlamaStack:
    """Implements `loop.Engine` on a model."""

    def __init__(self, server: Server, agents: AgentSet, knowledge: Knowledge) -> None:
        """Raises Misconfigured when the URL is none, or an agent has no model."""
        if not server.url.startswith(("http://", "https://")):
            raise Misconfigured("LLAMA_STACK_URL: expected http://host:8321 or https://…")
        if nameless := [agent.name for agent in agents.agents if not (agent.model or server.model)]:
            raise Misconfigured(f"LLAMA_STACK_MODEL: required, not set: {', '.join(nameless)} has no model of its own")
        self._server = server
        self._agents = agents
        self._knowledge = knowledge
        self._client: LlamaStackClient | None = None
        self._lock = threading.Lock()

    def ask(self, agent: Agent, conversation: Conversation) -> Answer:
        """Answer as this agent, or hand over. Raises Unavailable."""
        passages = self._knowledge.search(agent.knowledge, conversation.question, SOURCES) if agent.knowledge else ()
        targets = may_hand_over_to(self._agents, conversation)
        wanted: dict[str, Any] = {
            "temperature": agent.sampling.temperature,
            "top_p": agent.sampling.top_p,
            "max_output_tokens": agent.sampling.max_tokens,
            "tools": prompting.tools(self._agents, targets) or None,
        }
        response = self._create(
            model=agent.model or self._server.model,
            instructions=prompting.instructions(agent),
            input=prompting.messages(conversation, passages, has_knowledge=bool(agent.knowledge)),
            store=False,
            **{name: value for name, value in wanted.items() if value is not None},
        )
        for item in response.output:
            name = getattr(item, "name", "") if item.type == "function_call" else ""
            if name.startswith(prompting.HAND_OVER):
                return Answer("", hand_over_to=name.removeprefix(prompting.HAND_OVER))
        text, citations = prompting.cited(response.output_text.strip(), passages)
        if not text:  # refused, filtered or silent
            return Answer(agent.phrases.no_answer)
        return Answer(f"{text}\n\n{CUT_OFF}" if response.status == "incomplete" else text, citations)

    def _create(self, **wanted: Any) -> Any:
        """Call the server. What may pass by itself, or by a person's setting it right, is Unavailable."""
        client = self._opened()
        from llama_stack_client import APIConnectionError, APIStatusError

        try:
            response = client.responses.create(**wanted)
        except APIConnectionError as error:
            raise Unavailable(f"Llama Stack cannot be reached: {type(error).__name__}") from None
        except APIStatusError as error:
            if error.status_code in (400, 413, 422):
                raise RuntimeError(f"Llama Stack refused the request: {error.status_code}") from None
            raise Unavailable(f"Llama Stack answered {error.status_code}") from None
        if response.status not in ("completed", "incomplete"):
            raise Unavailable(f"Llama Stack ended with {response.status}")
        return response

    def _opened(self) -> "LlamaStackClient":
        with self._lock:
            if self._client is None:
                import httpx
                from llama_stack_client import LlamaStackClient

                logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every URL
                self._client = LlamaStackClient(
                    base_url=self._server.url.rstrip("/").removesuffix("/v1"),
                    api_key=self._server.api_key,
                    max_retries=0,
                    timeout=httpx.Timeout(self._server.seconds, connect=CONNECT),
                )
            return self._client

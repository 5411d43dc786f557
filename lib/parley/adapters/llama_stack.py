"""
Llama Stack, by its Responses API (https://llama-stack.readthedocs.io).

One call is one answer of one agent, streamed. Nothing is stored there: the conversation is ours, in `messages`, and
told anew each time, so a server that forgot everything, or another one, goes on where the last one stopped. Tools are
called by us, journaled, never by the model's server. Nothing that took too long is retried here: the client would ask
three times, and the event's own retries are enough.
"""

import json
import logging
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from parley import telemetry
from parley.adapters.embeddings import Embeddings
from parley.agents import prompting
from parley.agents.config import Agent, AgentSet
from parley.agents.loop import Answer, Conversation, Say, Usage, may_hand_over_to
from parley.agents.tools import Toolbox
from parley.domain.budget import Price
from parley.domain.turn import Message
from parley.errors import Misconfigured, Unavailable
from parley.ports import Knowledge, Passage

if TYPE_CHECKING:
    from llama_stack_client import LlamaStackClient

PROVIDER = "llama_stack"
SOURCES = 6
CONNECT = 5.0  # seconds
CUT_OFF = "_The answer was cut off: it was too long._"
SUMMARY_TOKENS = 600

log = logging.getLogger("parley.llama_stack")


@dataclass(frozen=True)
class Server:
    """
    Where it is, the model of agents without one of their own, and the longest that one answer may take.

    `prices`: model → what it costs. A turn goes on elsewhere after two minutes; with
    one more answer it stays below its Trigger's four.
    """

    url: str | None
    model: str | None = None
    api_key: str | None = None
    seconds: float = 110
    prices: Mapping[str, Price] = field(default_factory=dict)

    @property
    def host(self) -> str | None:
        """Its name, or address."""
        return urllib.parse.urlsplit(self.url or "").hostname

    def embedder(self) -> Embeddings | None:
        """Give what embeds questions, by whichever model the knowledge was embedded. Raises Misconfigured."""
        return Embeddings(self.url, self.api_key) if self.url else None


class Client:
    """Llama Stack's own client, made at its first use and shared."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client: LlamaStackClient | None = None
        self._lock = threading.Lock()

    def opened(self) -> "LlamaStackClient":
        """Give it."""
        with self._lock:
            if self._client is None:
                import httpx
                from llama_stack_client import LlamaStackClient

                logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every URL
                self._client = LlamaStackClient(
                    base_url=str(self._server.url).rstrip("/").removesuffix("/v1"),
                    api_key=self._server.api_key,
                    max_retries=0,
                    timeout=httpx.Timeout(self._server.seconds, connect=CONNECT),
                )
            return self._client

    def respond(self, say: Say, **wanted: Any) -> Any:
        """
        Ask for one answer, passing on its words, and give the response. Raises Unavailable.

        That is for what may pass by itself, or by a person's setting it right. Another client of the same API does this
        in its place, and nothing else.
        """
        client = self.opened()
        import httpx
        from llama_stack_client import APIError

        try:
            with once_more(
                lambda: client.responses.create(**wanted, store=False, stream=True, parallel_tool_calls=True)
            ) as events:
                response = _last(_spoken(events, say))
        except httpx.HTTPError as error:  # in the midst of the stream
            raise Unavailable(f"Llama Stack cannot be reached: {type(error).__name__}") from None
        except json.JSONDecodeError:
            raise Unavailable("Llama Stack's stream holds what is no event") from None
        except APIError as error:
            raise _trouble(error) from None
        if response is None:
            raise Unavailable("Llama Stack's stream ended before the answer")
        if response.status not in ("completed", "incomplete"):
            code = getattr(response.error, "code", None) or "no reason"
            raise Unavailable(f"Llama Stack ended with {response.status}: {code}")
        return response


class LlamaStack:
    """Implements `loop.Engine` on a model."""

    def __init__(
        self,
        server: Server,
        agents: AgentSet,
        knowledge: Knowledge,
        toolbox: Toolbox | None = None,
        client: "Client | None" = None,
    ) -> None:
        """Raises Misconfigured when the URL is none, or an agent has no model."""
        if not (server.url or "").startswith(("http://", "https://")):
            raise Misconfigured("LLAMA_STACK_URL: expected http://host:8321 or https://…")
        if nameless := [agent.name for agent in agents.agents if not (agent.model or server.model)]:
            raise Misconfigured(f"LLAMA_STACK_MODEL: required, not set: {', '.join(nameless)} has no model of its own")
        self._server = server
        self._agents = agents
        self._knowledge = knowledge
        self._tools = {agent.name: (toolbox or Toolbox()).of(agent) for agent in agents.agents}
        self._client = client or Client(server)

    def ask(self, agent: Agent, conversation: Conversation, say: Say) -> Answer:
        """Answer as this agent, hand over, or want a tool. Raises Unavailable."""
        passages: Sequence[Passage] = ()
        if agent.knowledge:
            question, reader = conversation.question, conversation.reader
            passages = self._knowledge.search(agent.knowledge, question, SOURCES, reader=reader)
        targets = may_hand_over_to(self._agents, conversation)
        model = self._model(agent)
        response = self._create(
            say,
            agent,
            instructions=prompting.instructions(agent, conversation.summary, has_files=bool(conversation.files)),
            input=prompting.messages(
                conversation, passages, has_knowledge=bool(agent.knowledge), file_tokens=agent.file_tokens
            ),
            **_given(
                temperature=agent.sampling.temperature,
                top_p=agent.sampling.top_p,
                max_output_tokens=agent.sampling.max_tokens,
                tools=prompting.tools(self._agents, targets, self._tools[agent.name]) or None,
            ),
        )
        calls = [(item.name, item.arguments) for item in response.output if item.type == "function_call"]
        answer = prompting.wanted(calls) or self._said(response, agent, conversation, passages)
        return replace(answer, tainted=bool(passages), usage=self._usage(model, response))

    def summarise(self, agent: Agent, conversation: Conversation, older: tuple[Message, ...]) -> Answer:
        """Sum up what was said first. Raises Unavailable."""
        model = self._model(agent)
        response = self._create(
            lambda _: None,
            agent,
            instructions=prompting.SUMMARISE,
            input=prompting.to_sum_up(conversation.summary, older),
            max_output_tokens=SUMMARY_TOKENS,
        )
        return Answer(response.output_text.strip(), tainted=conversation.tainted, usage=self._usage(model, response))

    def _said(self, response: Any, agent: Agent, conversation: Conversation, passages: Sequence[Passage]) -> Answer:
        asked = [one.content for one in conversation.history if one.role == "user"]
        asked += [file.text for file in conversation.files]
        text, citations = prompting.cited(
            response.output_text.strip(), passages, "\n".join([*asked, conversation.question])
        )
        if not text:  # refused, filtered or silent
            return Answer(agent.phrases.no_answer)
        has_read = conversation.results or conversation.files
        if agent.knowledge and not citations and not has_read and not text.endswith("?"):
            text = f"{text}\n\n{agent.phrases.unsupported}"
        return Answer(f"{text}\n\n{CUT_OFF}" if response.status == "incomplete" else text, citations)

    def _usage(self, model: str, response: Any) -> Usage | None:
        """Give what it took, under the name and so at the price by which it was asked: servers have their own names."""
        if response.usage is None:
            return None
        taken, given = response.usage.input_tokens, response.usage.output_tokens
        price = self._server.prices.get(model)
        return Usage(model, taken, given, price.of(taken, given) if price else 0)

    def _model(self, agent: Agent) -> str:
        return str(agent.model or self._server.model)

    def _create(self, say: Say, agent: Agent, **wanted: Any) -> Any:
        """Call the server, and tell of it."""
        model = self._model(agent)
        labels = {"gen_ai.provider.name": PROVIDER, "gen_ai.request.model": model}
        with telemetry.calling("chat", model, labels, "client") as told:
            told.note({"gen_ai.agent.name": agent.name, "server.address": self._server.host})
            response = self._client.respond(say, model=model, extra_headers=telemetry.headers(), **wanted)
            told.note({"gen_ai.response.model": response.model, "gen_ai.response.id": response.id})
            told.note({"parley.response.status": response.status})
            if usage := response.usage:
                for kind, number in (("input", usage.input_tokens), ("output", usage.output_tokens)):
                    told.note({f"gen_ai.usage.{kind}_tokens": number})
                    told_of = {**labels, "gen_ai.operation.name": "chat", "gen_ai.token.type": kind}
                    telemetry.measure("gen_ai.client.token.usage", number, told_of)
        return response


def once_more[T](call: Callable[[], T]) -> T:
    """
    Call, and again at once when the connection was dead: the server closes kept ones after some of its own errors.

    For calls without effects only; a call that took too long is not repeated.
    """
    from llama_stack_client import APIConnectionError, APITimeoutError

    try:
        return call()
    except APITimeoutError:
        raise
    except APIConnectionError:
        return call()


def _trouble(error: Any) -> Exception:
    """Give our word for what the client raises: a status, or the code of an event that says so in a stream."""
    body = error.body if isinstance(error.body, dict) else {}
    status = str(getattr(error, "status_code", None) or body.get("code") or "")
    if status in ("400", "413", "422"):
        return RuntimeError(f"Llama Stack refused the request: {status}")
    if status:
        return Unavailable(f"Llama Stack answered {status}")
    return Unavailable(f"Llama Stack cannot be reached: {type(error).__name__}")


def _spoken(events: Iterable[Any], say: Say) -> Iterator[Any]:
    """Pass the words on, and give the response whenever an event holds it."""
    for event in events:
        if event.type == "response.output_text.delta":
            say(event.delta)
        elif event.type in ("response.completed", "response.incomplete", "response.failed"):
            yield event.response


def _last(responses: Iterable[Any]) -> Any:
    found = None
    for found in responses:  # noqa: B007 - the last one counts
        pass
    return found


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

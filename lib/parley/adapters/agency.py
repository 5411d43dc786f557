"""All that a turn thinks and acts with, put together from the configuration."""

from collections.abc import Sequence

from parley.adapters.llama_stack import LlamaStack, Server
from parley.adapters.toolset import Identify, Toolset, at, searching
from parley.agents.extractive import Extractive
from parley.agents.guard import Guard
from parley.agents.load import Configured
from parley.ports import Knowledge
from parley.tokens import Signer


class Agency:
    """The engine that answers, the tools that it may call, and the guard between them."""

    def __init__(self, configured: Configured, knowledge: Knowledge, identify: Identify) -> None:
        self._agents = configured.agents
        self._toolbox = configured.tools
        self._knowledge = knowledge
        self._identify = identify

    def engine(self, server: Server) -> Extractive | LlamaStack:
        """Give what answers: a model, or retrieval alone where no server is set. Raises Misconfigured."""
        if not server.url:
            return Extractive(self._agents, self._knowledge)
        return LlamaStack(server, self._agents, self._knowledge, self._toolbox)

    def tools(self, signing_key: str | None, urls: Sequence[str]) -> Toolset:
        """Give the tools. Raises Misconfigured."""
        return Toolset(
            self._toolbox,
            Signer(signing_key) if signing_key else None,
            self._identify,
            urls=at(urls),
            search=searching(self._agents.by_name, self._knowledge),
        )

    def policy(self) -> Guard:
        """Give who decides which calls are made."""
        return Guard(self._agents, self._toolbox)

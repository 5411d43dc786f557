"""All that a turn thinks and acts with, put together from settings and configuration."""

from dataclasses import dataclass
from typing import Any

from parley import config
from parley.adapters.llama_stack import Client, LlamaStack, Server
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.knowledge import Knowledge
from parley.adapters.postgres.users import Users
from parley.adapters.shields import Shields
from parley.adapters.slack_files import SlackFiles
from parley.adapters.slack_tokens import SlackSettings, apis
from parley.adapters.toolset import Toolset, at, searching
from parley.agents.extractive import Extractive
from parley.agents.guard import Guard
from parley.agents.load import Configured
from parley.agents.loop import Engine
from parley.agents.shielded import Shielded, ShieldedKnowledge
from parley.domain.budget import Budget, limit_of, prices_of
from parley.domain.escalation import place
from parley.errors import Misconfigured
from parley.ports import Knowledge as KnowledgePort
from parley.tokens import Signer


@dataclass(frozen=True, kw_only=True)
class Settings(SlackSettings):
    """
    Where models, tools and people are, and what may be spent.

    `mcp_urls`: name=url, instead of what `config/tools` says. `escalate_to`: `email:…`, `slack:WORKSPACE:CHANNEL`.
    `slack_files`: hosts that Slack serves files from. `model_prices`: model=input/output, of a million tokens.
    `budget_…_per_day` of each user; 0 or nothing for any.
    """

    llama_stack_url: str | None = None
    llama_stack_model: str | None = None
    llama_stack_api_key: str | None = None
    model_prices: tuple[str, ...] = ()
    budget_tokens_per_day: config.Number = 0
    budget_cost_per_day: str | None = None
    tool_signing_key: str | None = None
    mcp_urls: tuple[str, ...] = ()
    escalate_to: str | None = None
    slack_files: tuple[str, ...] = ("files.slack.com",)


class Agency:
    """The engine that answers, the tools that it may call, and the guard between them."""

    def __init__(self, settings: Settings, configured: Configured, database: Database) -> None:
        """Raises Misconfigured."""
        self._settings = settings
        self._agents = configured.agents
        self._toolbox = configured.tools
        prices = prices_of(settings.model_prices)
        limit = limit_of(settings.budget_tokens_per_day, settings.budget_cost_per_day)
        self._budget = Budget(limit, prices, settings.llama_stack_model)
        self._server = Server(
            settings.llama_stack_url, settings.llama_stack_model, settings.llama_stack_api_key, prices=prices
        )
        self._knowledge: KnowledgePort = Knowledge(database, self._server.embedder())
        self._guarded = [agent for agent in self._agents.agents if agent.shields.any]
        if self._guarded and not settings.llama_stack_url:
            raise Misconfigured(f"LLAMA_STACK_URL: required, not set: {self._guarded[0].name} has shields")
        self._client = Client(self._server)
        self._shields = Shields(self._client.opened)
        if self._guarded:
            self._knowledge = ShieldedKnowledge(self._knowledge, self._shields, self._guarded)
        self._users = Users(database)
        self._database = database

    def engine(self) -> Engine:
        """Give what answers: a model, or retrieval alone where no server is set. Raises Misconfigured."""
        if not self._server.url:
            return Extractive(self._agents, self._knowledge)
        self._budget.check(agent.model for agent in self._agents.agents)
        model = LlamaStack(self._server, self._agents, self._knowledge, self._toolbox, self._client)
        return Shielded(model, self._shields, self._agents) if self._guarded else model

    def options(self) -> dict[str, Any]:
        """Give the rest of what `Turns` takes. Raises Misconfigured."""
        return {
            "tools": self._tools(),
            "files": self._files(),
            "policy": Guard(self._agents, self._toolbox),
            "budget": self._budget,
            "escalation": place(self._settings.escalate_to),
        }

    def _files(self) -> SlackFiles | None:
        """Give what reads files: nothing where no model would read on, or no Slack is known."""
        if not self._server.url or not (self._settings.slack_bot_token or self._settings.slack_token_key):
            return None
        return SlackFiles(apis(self._settings, lambda: self._database), self._settings.slack_files)

    def _tools(self) -> Toolset:
        key = self._settings.tool_signing_key
        return Toolset(
            self._toolbox,
            Signer(key) if key else None,
            self._users.identity,
            urls=at(self._settings.mcp_urls),
            search=searching(self._agents.by_name, self._knowledge),
            escalated=self._agents.entry.phrases.escalated,
        )

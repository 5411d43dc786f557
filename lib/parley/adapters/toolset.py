"""
The tools of agents: those of MCP servers, called for the user with a signed token, and those that are built in.

What goes back to a model is limited; what a server says when it fails is the server's text, and goes to the model too.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from parley.adapters.mcp import McpClient
from parley.agents.loop import ESCALATE
from parley.agents.tools import SEARCH, Bound, Toolbox
from parley.domain.actions import digest
from parley.errors import Misconfigured, Unavailable
from parley.ports import Knowledge, OnBehalf, ToolFailed
from parley.tokens import Caller, Signer

log = logging.getLogger("parley.tools")

LARGEST = 12_000  # characters of a result that a model is given
CUT = "\n… (cut off: the result is longer)"
FOUND = 4  # passages of a search

Identify = Callable[[UUID], tuple[str | None, Sequence[str]]]  # a user's verified e-mail address and groups


class Toolset:
    """Implements `ports.Tools`."""

    def __init__(
        self,
        toolbox: Toolbox,
        signer: Signer | None,
        identify: Identify,
        *,
        urls: Mapping[str, str] | None = None,
        search: Callable[[str, str, UUID], str] | None = None,
        escalated: str | None = None,
    ) -> None:
        """
        `urls` say where servers are, instead of their files. `search` takes an agent, words and a user.

        `escalated` is what is said when a person was told; None: there is nobody to tell. Raises Misconfigured.
        """
        if toolbox.servers and signer is None:
            raise Misconfigured("TOOL_SIGNING_KEY: required, not set: there are tools in config/tools")
        self._by_name = toolbox.by_name
        self._signer = signer
        self._identify = identify
        self._search = search
        self._escalated = escalated
        places = {server.name: (urls or {}).get(server.name, server.url) for server in toolbox.servers}
        if strange := sorted(set(urls or {}) - set(places)):
            raise Misconfigured(f"MCP_URLS: there is no server {strange[0]!r} in config/tools")
        self._clients = {
            server.name: McpClient(server.name, places[server.name], seconds=server.seconds)
            for server in toolbox.servers
        }

    def again(self, name: str) -> Literal["repeat", "look_up", "never"]:
        """Say how a call of this tool is repeated."""
        bound = self._by_name.get(name)
        return bound.tool.again if bound else "never"

    def trusts(self, name: str) -> bool:
        """Whether the results of a tool are facts of our own."""
        bound = self._by_name.get(name)
        return bool(bound and bound.trusted)

    def reads(self, name: str) -> bool:
        """Whether a call changes nothing."""
        bound = self._by_name.get(name)
        return bool(bound and bound.tool.risk == "read")

    def run(self, name: str, arguments: Mapping[str, Any], key: UUID, who: OnBehalf) -> str:
        """Call it. Raises ToolFailed, and Unavailable when it is not known what became of the call."""
        bound = self._by_name.get(name)
        if bound is None:
            raise ToolFailed(f"there is no tool {name}")
        text = self._on_server(bound, arguments, key, who) if bound.server else self._built_in(name, arguments, who)
        return text if len(text) <= LARGEST else text[:LARGEST] + CUT

    def look_up(self, name: str, key: UUID) -> str | None:  # noqa: ARG002 - no tool of ours wants it
        """Say that nothing is known."""
        return None

    def close(self) -> None:
        """Give back connections."""
        for client in self._clients.values():
            client.close()

    def _on_server(self, bound: Bound, arguments: Mapping[str, Any], key: UUID, who: OnBehalf) -> str:
        assert bound.server, "checked by the caller"
        assert self._signer, "checked at the start"
        email, groups = self._identify(who.user_id)
        caller = Caller(who.user_id, email, tuple(groups), who.agent, key, digest(bound.tool.name, arguments))
        token = self._signer.token(caller, bound.server.name)
        try:
            return self._clients[bound.server.name].call(bound.tool.name, arguments, token=token, key=key)
        except Unavailable as error:
            log.warning("a tool broke", extra={"fields": {"tool": bound.full, "reason": str(error)}})
            if bound.tool.risk == "read":  # nothing has happened, whatever became of it
                raise ToolFailed("it is not available now") from None
            raise

    def _built_in(self, name: str, arguments: Mapping[str, Any], who: OnBehalf) -> str:
        if name == ESCALATE:
            if self._escalated is None:
                raise ToolFailed("there is nobody who could be told")
            return self._escalated
        if name == SEARCH and self._search:
            return self._search(who.agent, str(arguments["query"]), who.user_id)
        raise ToolFailed(f"there is no tool {name}")


def searching(agents: Mapping[str, Any], knowledge: Knowledge) -> Callable[[str, str, UUID], str]:
    """Give the search of the knowledge bases of whoever asks, as text for a model."""

    def search(agent: str, query: str, user: UUID) -> str:
        passages = knowledge.search(agents[agent].knowledge, query, FOUND, reader=user)
        found = [f"{one.title}, {one.heading}:\n{one.text}" for one in passages]
        return "\n\n".join(found) or "Nothing was found."

    return search


def at(urls: Sequence[str]) -> dict[str, str]:
    """Read `name=url` words. Raises Misconfigured."""
    pairs = [one.partition("=") for one in urls]
    if any(not url.startswith(("http://", "https://")) for _, _, url in pairs):
        raise Misconfigured("MCP_URLS: expected name=http://…, comma separated")
    return {name: url for name, _, url in pairs}

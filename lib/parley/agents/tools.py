"""
Tools: what each is for, what it takes, how dangerous it is.

A tool's description and parameters stand in our own configuration, not in what its server says today: a server that
changes its words changes nothing here (`make tools` shows the difference), and no turn asks for a list.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from parley.agents.config import Agent, AgentSet, Invalid, Line, Name, Strict, first_fault
from parley.agents.loop import ESCALATE
from parley.domain.tools import Approval, Risk

SEPARATOR = "__"  # between server and tool, as models may name functions
SEARCH = "search_knowledge"

ToolName = Annotated[str, StringConstraints(pattern=re.compile(r"\A[a-z][a-z0-9_]*\Z"), max_length=40)]
Url = Annotated[str, StringConstraints(pattern=re.compile(r"\Ahttps?://[^\s]+\Z"), max_length=500)]
Schema = dict[str, Any]

NOTHING: Schema = {"type": "object", "properties": {}, "additionalProperties": False}


class Tool(Strict):
    """
    One tool. `again`: what may be done about a call whose outcome a crash has swallowed (see `ports.Tools`).

    `summary` is what a person is asked to approve, with `{argument}` of the call.
    """

    name: ToolName
    description: Line
    parameters: Schema = NOTHING
    risk: Risk
    approval: Approval = "always"
    again: Literal["repeat", "never"] = "repeat"
    summary: Line | None = None
    trusted: bool = False

    @model_validator(mode="after")
    def _is_an_object(self) -> "Tool":
        if self.parameters.get("type") != "object":
            raise ValueError("parameters must be a JSON schema of type object")
        if self.parameters.get("additionalProperties") is not False:
            raise ValueError("parameters must say additionalProperties: false: what is not named is not passed on")
        return self


class ToolServer(Strict):
    """An MCP server (streamable HTTP) and those of its tools that may be used. `seconds`: the longest call."""

    name: Name
    url: Url
    seconds: Annotated[float, Field(gt=0, le=60)] = 20
    trusted: bool = False  # its results are our own facts, not text of strangers
    tools: Annotated[tuple[Tool, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _each_once(self) -> "ToolServer":
        names = [tool.name for tool in self.tools]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"tool {twice!r} stands here twice")
        return self


class Bound(Strict):
    """A tool as agents and models know it: `full` name, and its server; None when it is built in."""

    full: str
    tool: Tool
    server: ToolServer | None = None

    @property
    def trusted(self) -> bool:
        """Whether its results may be believed."""
        return self.tool.trusted or bool(self.server and self.server.trusted)


BUILT_IN = (
    Tool(
        name=ESCALATE,
        description=(
            "Hand this conversation to a person of the service desk, who gets what was said so far. Use it when the "
            "person asks for a human, or when you cannot help and somebody must."
        ),
        parameters={
            "type": "object",
            "properties": {"reason": {"type": "string", "maxLength": 300}},
            "required": ["reason"],
            "additionalProperties": False,
        },
        risk="read",  # it reaches the one address that the operator has configured, once for a question
        trusted=True,
    ),
    Tool(
        name=SEARCH,
        description="Search the knowledge bases again, in other words than the question's.",
        parameters={
            "type": "object",
            "properties": {"query": {"type": "string", "minLength": 2, "maxLength": 300}},
            "required": ["query"],
            "additionalProperties": False,
        },
        risk="read",
    ),
)


class Toolbox(Strict):
    """Every tool that there is, by full name: `server__tool`, or the bare name of one that is built in."""

    servers: tuple[ToolServer, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Bound]:
        """Give each tool under the name that a model calls it by."""
        own = {tool.name: Bound(full=tool.name, tool=tool) for tool in BUILT_IN}
        for server in self.servers:
            for tool in server.tools:
                full = f"{server.name}{SEPARATOR}{tool.name}"
                own[full] = Bound(full=full, tool=tool, server=server)
        return own

    def of(self, agent: Agent) -> tuple[Bound, ...]:
        """Give what an agent may use: its `tools`, where `server.*` means all of a server's."""
        return tuple(bound for wanted in agent.tools for bound in self.matching(wanted))

    def matching(self, wanted: str) -> tuple[Bound, ...]:
        """Give the tools that one line of an agent's `tools` means; none when there are none."""
        server, dot, tool = wanted.partition(".")
        if not dot:
            return tuple(filter(None, (self.by_name.get(wanted),)))
        if tool == "*":
            return tuple(bound for bound in self.by_name.values() if bound.server and bound.server.name == server)
        return tuple(filter(None, (self.by_name.get(f"{server}{SEPARATOR}{tool}"),)))


def parse(mappings: Mapping[str, Any]) -> Toolbox:
    """Make tools of what their files hold: server's name → content. Raises Invalid, which says where."""
    return Toolbox(servers=tuple(_server(name, mappings[name]) for name in sorted(mappings)))


def unknown(agents: AgentSet, toolbox: Toolbox) -> Iterator[Invalid]:
    """Name every line of an agent's `tools` that means no tool."""
    for agent in agents.agents:
        for index, wanted in enumerate(agent.tools):
            if not toolbox.matching(wanted):
                yield Invalid(agent.name, ("tools", index), f"there is no tool {wanted!r}")


def _server(name: str, mapping: Any) -> ToolServer:
    if not isinstance(mapping, Mapping):
        raise Invalid(name, (), "must be a mapping of fields")
    try:
        server = ToolServer.model_validate(dict(mapping))
    except ValidationError as error:
        raise Invalid(name, *first_fault(error)) from None
    if server.name != name:
        raise Invalid(name, ("name",), f"must be {name!r}, like its file")
    return server

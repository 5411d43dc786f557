"""
Before a tool is called: whether this agent may use it, with these arguments, now, and whether a person must agree.

Nothing here trusts what a model says. Whatever it was talked into, it calls what its agent's file lists, with arguments
that fit the schema, and changes nothing without the approval that the tool's file demands.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from parley.agents.config import Agent, AgentSet
from parley.agents.loop import AskApproval, Call, Conversation, Refuse
from parley.agents.tools import Bound, Toolbox
from parley.domain.tools import verdict

LARGEST = 16_000  # characters of arguments
LONGEST = 300  # characters of an argument that a person is shown
NOT_YOURS = "There is no such tool."
TAINTED = "Not allowed: this conversation holds text of others. Tell the person how to do it themselves."

_PLACE = re.compile(r"\{(\w+)\}")
_UNSEEN = re.compile("[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")


class Guard:
    """A `loop.Policy` by the agents' and the tools' files."""

    def __init__(self, agents: AgentSet, toolbox: Toolbox) -> None:
        self._agents = agents
        self._of = {agent.name: {bound.full: bound for bound in toolbox.of(agent)} for agent in agents.agents}

    def __call__(self, conversation: Conversation, call: Call) -> AskApproval | Refuse | None:
        agent = self._agents.by_name[conversation.in_charge]
        bound = self._of[agent.name].get(call.name)
        if bound is None:
            return Refuse(call, NOT_YOURS)
        if fault := fault_of(bound.tool.parameters, call.arguments):
            return Refuse(call, f"The arguments are not valid: {fault}")
        return self._judged(agent, bound, call, tainted=conversation.tainted)

    def _judged(self, agent: Agent, bound: Bound, call: Call, *, tainted: bool) -> AskApproval | Refuse | None:
        tool = bound.tool
        match verdict(tool.risk, tool.approval, tainted=tainted, when_tainted=agent.when_tainted):
            case "refuse":
                return Refuse(call, TAINTED)
            case "approve":
                return AskApproval(call, shown(bound, call.arguments), tool.risk)
        return None


def fault_of(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """Say what is wrong with arguments, or nothing."""
    import fastjsonschema

    try:
        if len(json.dumps(arguments)) > LARGEST:
            return "they are too long"
        fastjsonschema.validate(dict(schema), dict(arguments))
    except fastjsonschema.JsonSchemaValueException as error:
        return str(error.message)[:LONGEST]
    except (TypeError, ValueError):
        return "they are no JSON"
    return ""


def shown(bound: Bound, arguments: Mapping[str, Any]) -> str:
    """
    Give what a person is asked: the sentence of the tool's file with the arguments in it, then those it leaves out.

    Nothing is hidden in an argument: it is one line, as long as can be read, without invisible characters.
    """
    template = bound.tool.summary or f"{bound.tool.name.replace('_', ' ').capitalize()}: {bound.tool.description}"
    named = set(_PLACE.findall(template)) & set(arguments)
    sentence = _PLACE.sub(lambda m: _plain(arguments[m[1]]) if m[1] in arguments else "?", template)
    others = [f"{name}: {_plain(value)}" for name, value in sorted(arguments.items()) if name not in named]
    return "\n".join([sentence, *others])


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = " ".join(_UNSEEN.sub(" ", text).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"

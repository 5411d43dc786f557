"""What tests of turns share: two agents, an engine that says what it is told, a broker that keeps what it gets."""

from pathlib import Path

from parley.adapters.files import load_defaults
from parley.agents.config import parse
from parley.agents.loop import Answer
from parley.domain.requests import SessionWanted
from parley.errors import Unavailable

DEFAULTS = load_defaults(Path(__file__).parents[2] / "config" / "integrations.yaml")
THREAD = SessionWanted(thread="slack:T1:C1:1.1")
ORIGIN = {"channel": "slack", "workspace": "T1", "conversation": "C1", "thread": "1.1", "user": "U1"}
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
CITATION = {"document": "vpn", "title": "VPN", "heading": "Access", "anchor": "access"}
AGENTS = parse(
    {
        name: {"name": name, "description": "Helps.", "instructions": "Help.", **fields}
        for name, fields in {
            "routing": {"entry": True, "hands_over_to": ["desk"]},
            "desk": {"hands_over_to": ["routing"]},
        }.items()
    }
)


class Died(BaseException):
    """The process ends here: nobody catches it, and nothing is given back."""


class Engine:
    """Says what it is told, in this order, then "Yes."; what it is told may also be an error, or something to do."""

    def __init__(self):
        self.script, self.asked = [], []

    def ask(self, agent, conversation, say):
        self.asked.append((agent.name, conversation.question, conversation.history))
        told = self.script.pop(0) if self.script else Answer("Yes.")
        said = told() if callable(told) else told
        if isinstance(said, BaseException):
            raise said
        return said


class Broker:
    """Keeps what is published; can be down."""

    def __init__(self):
        self.contracts = []
        self.is_down = False

    def publish(self, emit):
        if self.is_down:
            raise Unavailable("the broker cannot be reached")
        self.contracts.append(emit.contract)

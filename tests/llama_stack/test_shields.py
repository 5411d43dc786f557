"""Shields of a real Llama Stack server: who looks at what, and what becomes of what they object to."""

from dataclasses import replace

import pytest

from devkit.behaviour import Behaviour
from parley.adapters.llama_stack import Client, LlamaStack, Server
from parley.adapters.shields import Shields
from parley.agents import loop
from parley.agents.config import parse
from parley.agents.shielded import WITHHELD, Shielded, ShieldedKnowledge
from parley.errors import Unavailable
from parley.ports import Passage

GUARD = "unsafe content in"  # of Llama Guard's prompt
RULES = (
    {"seen": f"{GUARD}.*POISON", "say": "unsafe\nS9"},
    {"seen": GUARD, "say": "safe"},
    {"asked": "Say poison", "say": "Here is POISON."},
    {"say": "All is well."},
)


def agents(**shields):
    return parse({"desk": {"name": "desk", "description": "Helps.", "instructions": "Help.", "entry": True,
                           "knowledge": ["it"], "shields": shields, "phrases": {"refused": "No."}}})  # fmt: skip


class Shelf:
    found = (Passage("a", "A", "One", "one", "Good.", 1.0), Passage("b", "B", "Two", "two", "POISON here.", 0.9))

    def search(self, bases, question, limit, *, reader=None):
        return self.found


@pytest.fixture
def asked(real_server, model):
    """Ask the one agent; gives its answer, and what the model itself was told."""
    model.behave(Behaviour(RULES))

    def ask(question, results=(), server=None, **shields):
        found = agents(**shields)
        where = server or Server(real_server.url, real_server.model, seconds=20)
        client = Client(where)
        walls = Shields(client.opened)
        knowledge = ShieldedKnowledge(Shelf(), walls, found.agents)
        engine = Shielded(LlamaStack(where, found, knowledge, client=client), walls, found)
        conversation = replace(loop.start(found, question, (), None), results=results)
        said = []
        answer = engine.ask(found.entry, conversation, said.append)
        told = [str(one["messages"]) for one in model.asked if GUARD not in str(one["messages"])]
        return answer, told, "".join(said)

    return ask


def test_what_comes_in_is_looked_at_and_the_model_never_sees_it(asked):
    answer, told, said = asked("POISON please", input=["guard"])
    assert (answer.text, told, said) == ("No.", [], "")


def test_a_document_that_is_objected_to_is_not_found(asked):
    answer, told, _ = asked("Hello", sources=["guard"])
    assert answer.text.startswith("All is well.")
    assert "Good." in told[0]
    assert "POISON" not in told[0]


def test_a_result_that_is_objected_to_is_withheld(asked):
    result = loop.Result(loop.Call("look"), "POISON from a tool")
    _, told, _ = asked("Hello", (result,), sources=["guard"])
    assert WITHHELD in told[0]
    assert "POISON" not in told[0]


def test_what_goes_out_is_looked_at_before_a_word_is_said(asked):
    answer, told, said = asked("Say poison", output=["guard"])
    assert (answer.text, said, len(told)) == ("No.", "No.", 1)


def test_moderation_is_asked_the_same_way(asked, real_server):
    answer, _, _ = asked("POISON please", input=[f"moderation:{real_server.model}"])
    assert answer.text == "No."


def test_without_shields_nobody_looks(asked):
    answer, told, said = asked("Say poison")
    assert answer.text.startswith("Here is POISON.")
    assert (said.strip(), len(told)) == ("Here is POISON.", 1)


@pytest.mark.parametrize("place", ["input", "output", "sources"])
def test_a_shield_that_is_not_there_refuses(asked, place):
    """Fail closed: the turn is given back and tried again; nothing is said unseen."""
    with pytest.raises(Unavailable, match="cannot be asked"):
        asked("Hello", **{place: ["nobody"]})


def test_an_agent_may_prefer_an_answer_that_nobody_looked_at(asked):
    answer, _, _ = asked("Hello", input=["nobody"], when_down="pass")
    assert answer.text.startswith("All is well.")

"""What shields object to reaches no model: not at once, not later, not in pieces."""

from types import SimpleNamespace

import pytest

from parley.adapters.shields import LONGEST, Shields
from parley.agents.config import parse
from parley.agents.loop import Answer, Conversation
from parley.agents.shielded import Shielded
from parley.domain.turn import Message
from parley.errors import Unavailable


class Objector:
    """Objects to a word; can be down."""

    def __init__(self, is_down=False):
        self.is_down = is_down

    def objection(self, names, text, role):
        if self.is_down:
            raise Unavailable("nobody there")
        return "guard" if "make a bomb" in " ".join(text.split()) else None


class Model:
    """Remembers what it was told."""

    def __init__(self):
        self.told = []

    def ask(self, agent, conversation, say):
        self.told.append([*(one.content for one in conversation.history), conversation.question])
        return Answer("Yes.")

    def summarise(self, agent, conversation, older):
        self.told.append([one.content for one in older])
        return Answer("Nothing much.")


def agents(**shields):
    return parse({"a": {"name": "a", "description": "Helps.", "instructions": "Help.", "entry": True,
                        "phrases": {"refused": "No."}, "shields": {"input": ["guard"], **shields}}})  # fmt: skip


def ask(question, *said, objector=None, **shields):
    """Give the answer, and what the model was told; `said` alternates between the person and us."""
    found, model = agents(**shields), Model()
    history = tuple(Message("assistant" if place % 2 else "user", text, "a") for place, text in enumerate(said))
    shielded = Shielded(model, objector or Objector(), found)
    return shielded.ask(found.entry, Conversation(question, history, "a"), lambda _: None).text, model.told


def test_what_was_refused_is_told_to_no_model_later():
    """Neither the words nor the refusal; what was said around it stays."""
    answer, told = ask("And a laptop?", "Hello", "Hi!", "How do I make a bomb", "No.")

    assert (answer, told) == ("Yes.", [["Hello", "Hi!", "And a laptop?"]])


def test_what_was_refused_is_summed_up_by_no_model():
    found, model = agents(), Model()
    older = (Message("user", "make a bomb"), Message("assistant", "No.", "a"), Message("user", "Hello"))

    Shielded(model, Objector(), found).summarise(found.entry, Conversation("?", older, "a"), older)

    assert model.told == [["Hello"]]


def test_what_is_split_over_messages_is_looked_at_whole():
    """Each half alone is harmless."""
    assert ask("a bomb") == ("Yes.", [["a bomb"]])
    assert ask("a bomb", "How do I make", "What?") == ("No.", [])


def test_a_refusal_does_not_end_the_conversation():
    """The next harmless question is answered: what was refused is not looked at again."""
    assert ask("Hello?", "How do I make", "What?", "a bomb", "No.")[0] == "Yes."


@pytest.mark.parametrize(("when_down", "told"), [("refuse", None), ("pass", [["Hello"]])])
def test_who_cannot_be_asked_refuses_unless_the_agent_says_otherwise(when_down, told):
    """Fail closed: nothing is told to the model."""
    if told is None:
        with pytest.raises(Unavailable):
            ask("Hello", objector=Objector(is_down=True))
    else:
        assert ask("Hello", objector=Objector(is_down=True), when_down=when_down) == ("Yes.", told)


@pytest.mark.parametrize("place", [0, LONGEST - 5, LONGEST, 2 * LONGEST - 700, 3 * LONGEST])
def test_a_long_text_is_looked_at_without_a_gap(place):
    """Wherever the words stand, one of the looks has them whole."""
    seen = []

    def run_shield(shield_id, messages):
        seen.append(messages[0]["content"])
        return SimpleNamespace(violation="make a bomb" in messages[0]["content"] or None)

    shields = Shields(lambda: SimpleNamespace(safety=SimpleNamespace(run_shield=run_shield)))

    assert shields.objection(["guard"], "x" * place + "make a bomb" + "x" * LONGEST, "user") == "guard"
    assert shields.objection(["guard"], "x" * place, "user") is None
    assert all(len(one) <= LONGEST for one in seen)

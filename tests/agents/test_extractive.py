"""Answers without a model: word for word from the knowledge bases, with their source, or an honest no."""

from pathlib import Path

import pytest
import yaml
from shelves import Shelves

from parley.adapters.postgres.users import Users
from parley.agents import loop
from parley.agents.config import parse
from parley.agents.extractive import NOTE, Extractive
from parley.agents.load import load
from parley.agents.loop import Answer, Reply
from parley.domain.turn import Message

ROOT = Path(__file__).parents[2]
QUESTIONS = ROOT / "tests" / "domain" / "knowledge_questions.yaml"

NETWORK = {
    "vpn.md": (
        "# VPN\n\n## Set up on Windows\n\nInstall the **client**.\n\n## Set up on Linux\n\nUse the package.\n\n"
        "## Error 691\n\nThe password was rejected.\n"
    ),
    "wifi.md": "# Wi-Fi\n\n## Guests\n\nAsk the reception for a voucher.\n",
}
PAY = {"pay.md": "# Salary\n\n## Payday\n\nThe salary comes on the 25th.\n"}
AGENTS = {
    "routing": {
        "entry": True,
        "hands_over_to": ["network", "pay"],
        "examples": ["my chair squeaks"],
        "phrases": {"greeting": "Good day!", "unsure": "What about?"},
    },
    "network": {
        "knowledge": ["network"],
        "hands_over_to": ["routing"],
        "examples": ["I cannot connect to the internet"],
        "phrases": {"greeting": "Not said", "no_answer": "Nothing.", "answer_frame": "Look:\n\n{answer}\n\nHelpful?"},
    },
    "pay": {"knowledge": ["pay"], "examples": ["where is my money"]},
    "facilities": {"examples": ["my chair squeaks"]},
}


def said(*texts):
    """What was said before: each of these by the user, and an answer to it."""
    return tuple(m for text in texts for m in (Message("user", text), Message("assistant", "vpn 691", "network")))


def ignored(_):
    """Nobody listens while it is said."""


@pytest.fixture
def agents():
    base = {"description": "Helps.", "instructions": "Help."}
    return parse({name: {"name": name, **base, **fields} for name, fields in AGENTS.items()})


@pytest.fixture
def knowledge(database):
    """Two small bases."""
    found = Shelves(database)
    found.load("network", NETWORK)
    found.load("pay", PAY)
    return found


@pytest.fixture
def ask(agents, knowledge):
    """Ask one agent a question."""
    engine = Extractive(agents, knowledge)

    def make(name, question, history=()):
        return engine.ask(agents.by_name[name], loop.start(agents, question, history, name), ignored)

    return make


@pytest.mark.parametrize(
    "question", ["Hello", "hi there!", "Good morning", "HELP", "thank you", "", "???", "\N{WAVING HAND SIGN}"]
)
@pytest.mark.parametrize("name", ["routing", "network"])
def test_a_greeting_is_answered_in_the_name_of_the_house(agents, name, question):
    """Whoever is in charge, somebody who only says hello, or nothing, is greeted as at first; nothing is searched."""
    engine = Extractive(agents, None)

    assert engine.ask(agents.by_name[name], loop.start(agents, question, (), name), ignored) == Answer("Good day!")


def test_a_question_after_a_greeting_is_a_question(ask):
    """One word that is none of a greeting is enough."""
    assert ask("routing", "Hello, VPN!") == Answer("", hand_over_to="network")


@pytest.mark.parametrize(
    ("question", "target"),
    [
        ("I cannot connect to the internet", "network"),
        ("Connect to internet?", "network"),
        ("Where is my money?", "pay"),
        ("VPN error 691", "network"),
        ("When does the salary come?", "pay"),
    ],
)
def test_the_entry_agent_finds_who_can_help(ask, question, target):
    """By the examples of the specialists, and by what their documents say."""
    assert ask("routing", question) == Answer("", hand_over_to=target)


@pytest.mark.parametrize(
    "question",
    [
        "Bicycle",
        "Is there a voucher against dragons, unicorns or goblins?",  # one word of five
        "My chair squeaks",  # an example of its own, and of somebody it may not hand over to
        "How is it?",  # nothing but common words
    ],
)
def test_the_entry_agent_asks_when_it_is_not_sure(ask, question):
    """Less than half of the question's words is a guess, and guesses are not handed over."""
    assert ask("routing", question) == Answer("What about?")


def test_a_short_question_is_routed_by_the_one_before(ask):
    """What a follow-up leaves out was said before."""
    before = said("How do I set up the VPN on Windows?")

    assert ask("routing", "And Debian?") == Answer("What about?")
    assert ask("routing", "And Debian?", before) == Answer("", hand_over_to="network")


def test_an_answer_is_the_best_section_word_for_word(ask):
    """Heading, text and note within the agent's frame; the citation names document and section."""
    answer = ask("network", "What does error 691 mean?")

    assert answer.text == f"Look:\n\n**Error 691**\n\nThe password was rejected.\n\nHelpful?\n\n{NOTE}"
    assert answer.citations == ({"document": "vpn", "title": "VPN", "heading": "Error 691", "anchor": "error-691"},)
    assert answer.hand_over_to is None


def test_a_text_without_sections_goes_by_its_title(ask, knowledge):
    """What stands before the first heading has none of its own."""
    knowledge.load("network", {"badge.md": "# Badges\n\nAsk at the gate.\n"})

    answer = ask("network", "Badges at the gate?")

    assert answer.text.startswith("Look:\n\n**Badges**\n\nAsk at the gate.\n\n")


@pytest.mark.parametrize(
    "question",
    ["Bicycle", "Voucher against dragons, unicorns and goblins?", "How is it?", "When is the payday of the salary?"],
)
def test_no_answer_is_said_as_such(ask, question):
    """Nothing found, too little of the question found, nothing asked, or found in a base of somebody else's."""
    assert ask("network", question) == Answer("Nothing.")


def test_sections_that_fit_as_well_are_named(ask):
    """The others are listed and cited after the best one, in their order."""
    answer = ask("network", "How do I set up VPN?")

    assert [citation["anchor"] for citation in answer.citations] == ["set-up-on-linux", "set-up-on-windows"]
    assert "**Set up on Linux**\n\nUse the package.\n\nSee also:\n- VPN: Set up on Windows\n\nHelpful?" in answer.text


def test_sections_that_fit_less_well_are_not_named(ask):
    """Half as many of the question's words is another matter."""
    answer = ask("network", "How do I set up VPN on Linux?")

    assert [citation["anchor"] for citation in answer.citations] == ["set-up-on-linux"]
    assert "See also" not in answer.text


def test_two_further_sections_are_enough(ask, knowledge):
    """However many fit."""
    knowledge.load("network", {f"{name}.md": f"# Doc\n\n## Scanner {name}\n\nPress it.\n" for name in "abcde"})

    answer = ask("network", "Scanner")

    assert [citation["document"] for citation in answer.citations] == ["a", "b", "c"]
    assert answer.text.count("\n- ") == 2


def test_a_section_in_several_parts_is_not_its_own_reference(ask, knowledge):
    """A long section is found in each of its parts, and named once."""
    part = "Unplug the scanner first. " + "Wait a little more. " * 60
    knowledge.load("network", {"scan.md": f"# Scan\n\n## Scanner\n\n{part}\n\n{part}\n"})

    answer = ask("network", "Scanner")

    assert len(knowledge.search(["network"], "Scanner", 9)) == 2
    assert "See also" not in answer.text
    assert len(answer.citations) == 1


def test_a_short_question_is_read_with_the_one_before(ask):
    """“And on Linux?” is about what was asked before it; that one alone, and not what we said."""
    before = said("Where is the voucher?", "How do I set up the VPN on Windows?")

    answer = ask("network", "And on Linux?", before)

    assert answer.citations[0]["anchor"] == "set-up-on-linux"
    assert "See also:\n- VPN: Set up on Windows" in answer.text
    assert ask("network", "And Debian?") == Answer("Nothing.")


def test_a_whole_question_stands_alone(ask):
    """Three words of substance say enough: what was asked before is not mixed in."""
    alone = ask("network", "voucher for guests at reception")

    assert ask("network", "voucher for guests at reception", said("VPN error 691")) == alone


def test_a_turn_from_greeting_to_answer_needs_no_model(agents, knowledge):
    """The loop with this engine: handed over at the first question, and answered by the specialist."""
    engine = Extractive(agents, knowledge)
    conversation = loop.start(agents, "VPN error 691", (), None)

    while not isinstance(decision := loop.decide(agents, conversation), Reply):
        conversation = loop.after(agents, conversation, engine.ask(decision.agent, conversation, ignored))

    assert decision.agent == "network"
    assert decision.citations[0]["anchor"] == "error-691"


def test_whoever_is_handed_over_to_knows_what_was_found(agents, knowledge):
    """The router has searched the specialist's bases for this question: the answer costs no second search."""
    asked = []

    class Counted:
        def search(self, bases, question, limit, *, reader=None):
            asked.append((*bases, question))
            return knowledge.search(bases, question, limit, reader=reader)

    engine, conversation = Extractive(agents, Counted()), loop.start(agents, "VPN error 691", (), None)

    while not isinstance(decision := loop.decide(agents, conversation), Reply):
        conversation = loop.after(agents, conversation, engine.ask(decision.agent, conversation, ignored))

    assert decision.agent == "network"
    assert sorted(asked) == [("network", "VPN error 691"), ("pay", "VPN error 691")]


def test_what_ships_answers_every_question(database):
    """Shipped agents, shipped documents: each question reaches the desk, and the right section answers it."""
    shipped, knowledge = load(ROOT / "config" / "agents"), Shelves(database)
    knowledge.load_folder(ROOT / "config" / "knowledge" / "it-desk")
    engine = Extractive(shipped, knowledge)
    wanted = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))

    wrong = []
    for one in wanted:
        conversation = loop.start(shipped, one["question"], (), None)
        first = engine.ask(shipped.entry, conversation, ignored)
        then = engine.ask(shipped.by_name["it-desk"], conversation, ignored)
        best = then.citations[0] if then.citations else {"document": None, "anchor": None}
        found = (first.hand_over_to, best["document"], best["anchor"])
        if found != ("it-desk", one["document"], one["anchor"]):
            wrong.append((one["question"], found))

    assert wrong == []


def test_sections_of_the_same_name_are_named(ask, knowledge):
    """Two documents may have a section of the same heading: they are two sources."""
    knowledge.load("network", {f"{name}.md": f"# Doc\n\n## Scanner\n\nPress {name}.\n" for name in "ab"})

    assert [citation["document"] for citation in ask("network", "Scanner").citations] == ["a", "b"]


def test_a_further_section_in_several_parts_is_named_once(ask, knowledge):
    """A long section is one source."""
    part = "Unplug the scanner. " + "Wait a little more. " * 60
    long = f"# B\n\n## Scanner help\n\n{part}\n\n{part}\n"
    knowledge.load("network", {"a.md": "# A\n\n## Scanner\n\nPress scanner scanner.\n", "b.md": long})

    answer = ask("network", "Scanner")

    assert [citation["document"] for citation in answer.citations] == ["a", "b"]
    assert answer.text.count("\n- B: Scanner help") == 1


def test_a_further_text_without_a_section_goes_by_its_title(ask, knowledge):
    """No colon with nothing behind it."""
    knowledge.load("network", {"a.md": "# A\n\n## Scanner\n\nScanner.\n", "b.md": "# Bee\n\nThe scanner.\n"})

    assert "See also:\n- Bee\n" in ask("network", "Scanner").text


def test_a_frame_may_hold_braces(knowledge):
    """Written twice, as the check of the configuration wants them."""
    fields = {"name": "a", "description": "Helps.", "instructions": "Help.", "entry": True, "knowledge": ["network"]}
    among = parse({"a": {**fields, "phrases": {"answer_frame": "{{desk}} {answer}"}}})
    engine = Extractive(among, knowledge)

    answer = engine.ask(among.entry, loop.start(among, "VPN error {691}", (), None), ignored)

    assert answer.text.startswith("{desk} **Error 691**")


def test_what_is_for_a_group_answers_its_people_only(agents, knowledge, database):
    """The user of the turn is who reads; nobody in particular reads what is for everybody."""
    knowledge.load("network", {"vault.md": "---\ngroups: vault\n---\n# Vault\n\nThe combination is in the safe.\n"})
    user = Users(database).meet("api", "ann", email="ann@example.org", name="Ann", timezone=None)
    question = "What is the combination of the vault?"
    agent, engine = agents.by_name["network"], Extractive(agents, knowledge)

    assert engine.ask(agent, loop.start(agents, question, (), "network", reader=user), ignored).citations == ()
    with database.autocommit() as alone:
        alone._connection.execute("update users set groups = '{vault}'")
    [cited] = engine.ask(agent, loop.start(agents, question, (), "network", reader=user), ignored).citations
    assert cited["document"] == "vault"
    assert engine.ask(agent, loop.start(agents, question, (), "network"), ignored).citations == ()

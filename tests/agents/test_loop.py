"""The agent loop: who is asked, which hand-overs count, and that every turn ends."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.agents import loop
from parley.agents.config import parse
from parley.agents.loop import MOST_HANDOVERS, Answer, AskModel, Conversation, Reply
from parley.domain.turn import Message

SAID = (Message("user", "Hello"), Message("assistant", "Hello!", "routing"))


def agents(**hands_over_to):
    """Agents by name, each with those it may hand over to; the first is the entry."""
    first = next(iter(hands_over_to))
    return parse(
        {
            name: {
                "name": name,
                "description": "Helps.",
                "instructions": "Help.",
                "entry": name == first,
                "hands_over_to": targets,
            }
            for name, targets in hands_over_to.items()
        }
    )


DESKS = agents(routing=["desk"], desk=["routing"], pay=[])


def run(among, answers, in_charge=None):
    """Let a turn run with an engine that answers so; gives the reply and who was asked."""
    conversation = loop.start(among, "Why?", (), in_charge)
    asked = []
    while isinstance(decision := loop.decide(among, conversation), AskModel):
        asked.append(decision.agent.name)
        conversation = loop.after(among, conversation, answers[len(asked) - 1])
    return decision, asked


def over(target, text="I may not."):
    """An answer that hands over, with what is said if that is refused."""
    return Answer(text, hand_over_to=target)


@pytest.mark.parametrize(
    ("in_charge", "first"), [(None, "routing"), ("desk", "desk"), ("routing", "routing"), ("dismissed", "routing")]
)
def test_a_turn_begins_with_whoever_is_in_charge(in_charge, first):
    """The entry agent in a new session, and where the one in charge is not configured any more."""
    decision = loop.decide(DESKS, loop.start(DESKS, "Why?", SAID, in_charge))

    assert decision == AskModel(DESKS.by_name[first])


def test_a_turn_knows_its_question_and_what_was_said():
    """The engine gets both as they are."""
    assert loop.start(DESKS, "Why?", SAID, "desk") == Conversation("Why?", SAID, "desk", handovers=0, answer=None)


def test_an_answer_ends_the_turn():
    """With its text, its citations and the agent who gave it."""
    citation = {"document": "vpn", "title": "VPN", "heading": "", "anchor": ""}

    reply, asked = run(DESKS, [Answer("So.", (citation,))])

    assert (reply, asked) == (Reply("So.", (citation,), "routing"), ["routing"])


def test_a_hand_over_asks_the_other_agent():
    """What the first one said with it is not the answer."""
    reply, asked = run(DESKS, [over("desk", "One moment"), Answer("So.")])

    assert (reply, asked) == (Reply("So.", (), "desk"), ["routing", "desk"])


@pytest.mark.parametrize("target", ["pay", "routing", "nobody", ""])
def test_a_hand_over_that_is_not_allowed_is_none(target):
    """Neither to an agent that the configuration does not name for this one, nor to itself, nor to nobody."""
    reply, asked = run(DESKS, [over(target)])

    assert (reply, asked) == (Reply("I may not.", (), "routing"), ["routing"])


def test_hand_overs_are_allowed_by_the_agent_in_charge():
    """Who may hand over to whom is not symmetric: after one, the rules of the new agent hold."""
    among = agents(routing=["desk", "pay"], desk=[], pay=["desk"])

    refused = run(among, [over("desk"), over("pay")])
    allowed = run(among, [over("pay"), over("desk"), Answer("So.")])

    assert refused == (Reply("I may not.", (), "desk"), ["routing", "desk"])
    assert allowed == (Reply("So.", (), "desk"), ["routing", "pay", "desk"])


def test_a_turn_goes_round_three_times_at_most():
    """Two agents that send somebody to each other are stopped: the fourth hand-over is an answer."""
    reply, asked = run(DESKS, [over("desk"), over("routing")] * 5)

    assert asked == ["routing", "desk", "routing", "desk"]
    assert reply == Reply("I may not.", (), "desk")


@pytest.mark.parametrize(
    ("handovers", "in_charge", "targets"),
    [
        (0, "routing", ("desk",)),
        (MOST_HANDOVERS - 1, "desk", ("routing",)),
        (MOST_HANDOVERS, "desk", ()),
        (0, "pay", ()),
    ],
)
def test_an_engine_is_told_who_may_take_over(handovers, in_charge, targets):
    """Nobody, when it went round often enough: so that the engine does not try."""
    assert loop.may_hand_over_to(DESKS, Conversation("Why?", (), in_charge, handovers)) == targets


@pytest.mark.parametrize("answers", [[Answer("")], [over("nobody", "")], [over("desk", ""), over("routing", "")] * 2])
def test_nobody_is_answered_with_nothing(answers):
    """An engine that says nothing, or only wished to hand over: the agent in charge asks what it is about."""
    reply, asked = run(DESKS, answers)

    assert reply == Reply(DESKS.by_name[asked[-1]].phrases.unsure, (), asked[-1])


def test_the_journal_gives_an_answer_back_as_it_was():
    """Through JSON, citations and hand-over included."""
    given = Answer("So.", ({"document": "vpn", "title": "VPN", "heading": "", "anchor": ""},), "desk")

    assert Answer.of(json.loads(json.dumps(given.as_dict()))) == given


names = st.sampled_from(["a", "b", "c", "d"])
graphs = st.fixed_dictionaries({name: st.sets(names) for name in "abcd"}).map(
    lambda graph: agents(**{name: sorted(targets - {name}) for name, targets in graph.items()})
)


@given(
    among=graphs,
    in_charge=st.none() | names | st.just("gone"),
    targets=st.lists(st.none() | names | st.just("gone"), min_size=MOST_HANDOVERS + 1, max_size=MOST_HANDOVERS + 1),
)
def test_every_turn_ends_whatever_is_answered(among, in_charge, targets):
    """At most four questions to the engine, hand-overs along the configured arrows, and the last one answers."""
    reply, asked = run(among, [Answer(str(number), hand_over_to=to) for number, to in enumerate(targets)], in_charge)

    assert len(asked) <= MOST_HANDOVERS + 1
    assert all(to in among.by_name[who].hands_over_to for who, to in pairwise(asked))
    assert (reply.agent, reply.text) == (asked[-1], str(len(asked) - 1))

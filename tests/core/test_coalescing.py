"""Messages that wait next to each other are answered together: one turn, one answer, and each of them knows it."""

import pytest
from core.turning import AGENTS, ORIGIN, Died

from parley.adapters.postgres.ledger import Ledger
from parley.agents.loop import Answer
from parley.domain.overdue import Pace
from parley.turns import Turns

ELSEWHERE = {**ORIGIN, "conversation": "C2"}
THERE = {"type": "x", "title": "It was cancelled."}


@pytest.fixture
def turns(store, engine, broker, planner):
    """Make the handler; the store can be another."""

    def make(*, store=store):
        return Turns(store, AGENTS, engine, planner, broker, owner="me", revision="r1")

    return make


@pytest.fixture
def quick(ask):
    """Store messages that may be answered together."""
    return lambda *texts, **fields: [ask(text, **{"coalesce": True, **fields}) for text in texts]


def test_quick_messages_are_one_turn(turns, quick, engine, standing, rows):
    """The last one answers for all; the others end with it, with the same answer, and point to it."""
    first, second, last = quick("Hello", "my laptop is", "broken")

    reply = turns()(first)

    assert [question for _, question, _ in engine.asked] == ["Hello\n\nmy laptop is\n\nbroken"]
    assert reply.contract.request_id == last.request_id
    shown = [standing(one) for one in (first, second, last)]
    assert [row["state"] for row in shown] == ["completed"] * 3
    assert [row["answered_by"] for row in shown] == [last.request_id, last.request_id, None]
    assert shown[0]["result"] == shown[1]["result"] == shown[2]["result"]
    assert {row["request_id"] for row in rows("select request_id from deliveries")} == {last.request_id}
    said = rows("select role, content from messages order by seq, role desc")
    assert [row["content"] for row in said] == ["Hello", "my laptop is", "broken", "Yes."]
    ends = rows("select type, data from request_events where type = 'completed'")
    assert [end["data"]["result"]["text"] for end in ends] == ["Yes."] * 3


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_nudge_of_each_leads_to_the_turn_of_all(turns, quick, standing, engine, which):
    """Events come in any order; whoever is not first waits until the first is nudged, and then all end at once."""
    asked = quick("a", "b", "c")

    turns()(asked[which])
    turns()(asked[0])

    assert len(engine.asked) == 1
    assert [standing(one)["state"] for one in asked] == ["completed"] * 3


def test_what_comes_after_the_turn_has_begun_is_another_turn(turns, quick, engine, standing):
    """The set is fixed at the first claim."""
    asked = quick("a", "b")
    later = []
    engine.script = [lambda: later.extend(quick("c")) or Answer("One.")]

    turns()(asked[0])
    assert standing(later[0])["state"] == "queued"
    turns()(later[0])

    assert [question for _, question, _ in engine.asked] == ["a\n\nb", "c"]


@pytest.mark.parametrize("other", [{"coalesce": False}, {"origin": ELSEWHERE}, {"delivery": {"channels": ["email"]}}])
def test_only_what_waits_for_the_same_is_answered_together(turns, quick, ask, engine, other):
    """Neither what did not want it, nor what is to be answered elsewhere; and nothing from beyond that."""
    first, *_ = [*quick("a", "b"), ask("c", **{"coalesce": True, **other}), *quick("d")]

    turns()(first)

    assert [question for _, question, _ in engine.asked] == ["a\n\nb"]


def test_a_turn_that_is_taken_over_answers_the_same_set(turns, quick, engine, impatient, standing):
    """Who takes over asks the same question, also when more has come meanwhile."""
    asked = quick("a", "b")
    engine.script = [Died()]
    with pytest.raises(Died):
        turns(store=impatient)(asked[0])
    quick("c")

    turns()(asked[0])

    assert [question for _, question, _ in engine.asked] == ["a\n\nb"] * 2
    assert [standing(one)["state"] for one in asked] == ["completed"] * 2


def test_all_of_a_set_fail_and_their_user_is_told_once(turns, quick, rows, standing, engine, impatient):
    """One message about it, where the last one was asked."""
    asked = quick("a", "b")
    impatient.claim(asked[0].request_id, owner="dead", revision="r1")
    rows("update requests set deadline = now() - interval '1 second'")

    turns()(asked[0])

    assert [standing(one)["error"]["type"] for one in asked] == ["urn:parley:problem:deadline"] * 2
    assert {row["request_id"] for row in rows("select request_id from deliveries")} == {asked[1].request_id}
    assert engine.asked == []


def test_one_of_a_set_is_taken_back_alone(turns, quick, store, user, standing, engine):
    """Who deletes an earlier message takes it back; the answer to the others comes."""
    asked = quick("a", "b")
    engine.script = [lambda: (store.cancel(asked[0].request_id, user, THERE) and None) or Answer("Yes.")]

    turns()(asked[0])

    assert [standing(one)["state"] for one in asked] == ["cancelled", "completed"]


def test_who_stops_the_turn_stops_it_for_all(turns, quick, store, user, standing, engine, rows):
    """Nothing that was part of it is asked anew, and nothing is sent."""
    asked = quick("a", "b")
    engine.script = [lambda: store.cancel(asked[1].request_id, user, THERE) or Answer("Too late.")]

    turns()(asked[0])

    assert [standing(one)["state"] for one in asked] == ["cancelled"] * 2
    assert rows("select * from deliveries") == []


def test_a_set_that_nobody_can_answer_is_ended_by_recover(quick, store, impatient, rows, standing):
    """The one that is overdue leads to the one that answers for it, and both are ended."""
    asked = quick("a", "b")
    impatient.claim(asked[0].request_id, owner="dead", revision="r1")
    rows("update requests set deadline = now() - interval '1 second'")

    store.expire(asked[0].request_id)

    assert [standing(one)["state"] for one in asked] == ["failed"] * 2


def test_a_late_nudge_of_a_set_that_is_over_does_nothing(turns, quick, engine, broker):
    """Each of them is over: there is nothing to do, and nothing more to say."""
    asked = quick("a", "b")
    turns()(asked[0])

    assert turns()(asked[0]) is None
    assert (len(engine.asked), broker.contracts) == (1, [])


def test_alone_it_is_a_turn_like_any_other(turns, quick, standing, engine):
    """Nothing points anywhere."""
    [asked] = quick("a")

    turns()(asked)

    assert (standing(asked)["state"], standing(asked)["answered_by"]) == ("completed", None)


def test_what_is_answered_by_another_is_not_nudged(quick, database, impatient, rows):
    """However late it is: it ends with the one that answers, and that one has a nudge of its own."""
    first, last = quick("a", "b")
    impatient.claim(first.request_id, owner="dead", revision="r1")
    rows("update requests set due_at = now() - interval '1 second', deadline = now() - interval '1 second'")

    nudged = Ledger(database).take_overdue(10, Pace(), lambda: 0.5)

    assert [action.emit.contract.request_id for action in nudged] == [last.request_id]

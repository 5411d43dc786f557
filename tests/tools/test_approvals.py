"""What becomes of a call that a person must agree to: each case has one right outcome."""

import pytest

from devkit.behaviour import LAPTOP_REFRESH, Behaviour

ONE = [{"email": "ann@example.org", "kind": "laptop_refresh", "asset": "AF104712", "state": "open"}]


@pytest.fixture
def waiting(world):
    """An order that waits."""
    world.say("I need a new laptop")
    row = world.say("Order it, please")
    assert row["state"] == "requires_action"
    return row["created"]


def test_approved_it_is_done_once(world, waiting, tickets):
    decided = world.decide(waiting, approve=True)
    assert (decided.applied, tickets()) == (True, [])
    for _ in range(3):  # the event comes more than once
        world.handler()(waiting)
    assert world.standing(waiting)["result"]["text"].startswith("It is ordered: ticket REQ")
    assert tickets() == ONE


def test_denied_it_is_not_done(world, waiting, tickets):
    world.decide(waiting, approve=False)
    world.handler()(waiting)
    assert world.standing(waiting)["result"]["text"] == "All right, nothing was ordered."
    assert tickets() == []


def test_nobody_decides_and_it_is_not_done(world, tickets, rows):
    """The turn goes on at its expiry and says so; who agrees afterwards comes too late."""
    world.say("I need a new laptop")
    created = world.say("Order it, please")["created"]
    action = world.open_action(created)
    rows("update actions set expires_at = now() - interval '1 second'")
    rows("update requests set due_at = now() - interval '1 second' where state = 'requires_action'")
    world.handler()(created)
    assert world.standing(created)["result"]["text"] == "Nobody agreed in time."
    late = world.actions.decide(action.id, world.users["ann"], digest=action.digest, approve=True)
    assert (late.applied, late.state) == (False, "expired")
    world.handler()(created)
    assert tickets() == []


def test_an_old_approval_is_none_for_a_new_order(world, waiting, tickets):
    """Replayed, it changes nothing; the next order of the same thing asks anew."""
    action = world.open_action(waiting)
    world.decide(waiting, approve=False)
    world.handler()(waiting)
    again = world.say("Order it, please")["created"]
    replay = world.actions.decide(action.id, world.users["ann"], digest=action.digest, approve=True)
    assert (replay.applied, replay.state) == (False, "denied")
    assert world.standing(again)["state"] == "requires_action"
    assert tickets() == []


def test_other_arguments_than_those_shown_are_asked_about_anew(world, waiting, tickets):
    """Between approval and execution the agents were deployed anew, and the model now wants it sent elsewhere."""
    world.decide(waiting, approve=True)
    home = [{**rule, **({"arguments": {**rule["arguments"], "delivery": "home"}} if "delivery" in
             rule.get("arguments", {}) else {})} for rule in LAPTOP_REFRESH]  # fmt: skip
    world.engine.brain = Behaviour(home)
    world.handler(revision="another")(waiting)
    assert world.standing(waiting)["state"] == "requires_action"
    assert world.open_action(waiting).arguments["delivery"] == "home"
    assert tickets() == []


def test_a_digest_of_something_else_decides_nothing(world, waiting, tickets):
    decided = world.decide(waiting, approve=True, digest="0" * 64)
    assert (decided.applied, decided.state) == (False, "open")
    world.handler()(waiting)
    assert (world.standing(waiting)["state"], tickets()) == ("requires_action", [])


def test_nobody_else_decides(world, waiting, tickets):
    """It is not even told that there is something to decide."""
    assert world.decide(waiting, approve=True, user="bob") is None
    world.handler()(waiting)
    assert (world.standing(waiting)["state"], tickets()) == ("requires_action", [])


def test_a_restart_between_approval_and_execution_executes_once(world, waiting, tickets):
    """Whoever comes next finds approval and intent in the journal, also when the agents were deployed anew."""
    world.decide(waiting, approve=True)
    for revision in ("r2", "r3"):
        world.handler(revision=revision)(waiting)
    assert world.standing(waiting)["state"] == "completed"
    assert tickets() == ONE

"""What a session remembers and forgets, who is called, and what is told while a turn runs. PostgreSQL is real."""

from dataclasses import replace
from datetime import timedelta

import pytest

from devkit.behaviour import Behaviour
from parley.agents.config import AgentSet
from parley.domain.escalation import place, transcript
from parley.domain.plan import Rank
from parley.domain.turn import Message
from parley.errors import Misconfigured
from parley.ports import Passage
from parley.turns import Turns

TALK = (
    {"seen": "Sum up a conversation", "say": "They spoke of laptops; the tag is AF104712."},
    {"asked": "VPN", "offered": "hand_over_to_it-desk", "call": "hand_over_to_it-desk"},
    {"say": "As you say. " + "More words follow here. " * 40},
)


@pytest.fixture
def short(world):
    """The world with agents that are told little word for word."""
    few = AgentSet(
        agents=tuple(one.model_copy(update={"context_tokens": 800}) for one in world.configured.agents.agents)
    )
    world.configured = replace(world.configured, agents=few)
    world.engine._agents = few
    world.engine.brain = Behaviour(TALK)
    return world


def test_what_was_said_first_is_summed_up_once_and_told_from_then_on(short, rows):
    for number in range(6):
        short.say(f"Question {number}")
    session = rows("select summary, summary_seq from sessions")[0]
    assert session["summary"] == "They spoke of laptops; the tag is AF104712."
    assert session["summary_seq"] >= 1
    system, *said = short.engine.asked[-1]
    assert "AF104712" in system["content"]
    assert "Question 0" not in str(said)
    assert "Question 5" in str(said)
    kinds = [one["kind"] for one in rows("select kind from steps where kind = 'summary'")]
    assert 1 <= len(kinds) < 6
    assert len(rows("select * from messages")) == 12, "the originals are kept"


def test_start_over_forgets_what_was_said_and_who_is_in_charge(world, rows):
    world.engine.brain = Behaviour(TALK)
    world.say("My VPN is slow")
    assert rows("select agent from sessions") == [{"agent": "it-desk"}]
    row = world.say("Start over")
    assert row["result"]["text"] == world.configured.agents.entry.phrases.started_over
    assert rows("select agent, summary, tainted from sessions") == [
        {"agent": "routing", "summary": "", "tainted": False}
    ]
    world.engine.asked.clear()
    world.say("hello again")
    assert "My VPN is slow" not in str(world.engine.asked)


def test_who_has_read_a_document_stays_tainted_until_it_starts_over(world, shelf, rows):
    shelf.found = [Passage("a", "A", "B", "b", "Text of somebody.", 1.0)]
    world.engine.brain = Behaviour(TALK)
    world.say("My VPN is slow")
    assert rows("select tainted from sessions") == [{"tainted": True}]
    shelf.found = []
    world.say("and now")
    assert rows("select tainted from sessions") == [{"tainted": True}]
    world.say("start over")
    assert rows("select tainted from sessions") == [{"tainted": False}]


@pytest.fixture
def escalating(world):
    """A handler that tells people in a channel of the desk."""
    rank = place("email:desk@example.org")

    def take(created):
        made = world.handler()
        return Turns(
            world.store, world.configured.agents, world.engine, world._plan, world, owner="me", revision="r",
            tools=world.tools, policy=made._steps._policy, escalation=rank,
        )(created)  # fmt: skip

    return take


def test_a_person_is_told_once_with_what_was_said(world, escalating, rows):
    """A row on the list of open ones, and a delivery to the desk's channel, in the transaction that ends the turn."""
    world.engine.brain = Behaviour(TALK)
    world.say("My VPN is slow")
    created = world.accept("Talk to a person")
    emit = escalating(created)
    escalating(created)
    assert world.standing(created)["result"]["text"] == "A person was told."
    (open_one,) = rows("select reason, state from escalations")
    assert open_one == {"reason": "The person asked for somebody.", "state": "open"}
    (told,) = rows("select kind, channel, address, notice from deliveries")
    assert (told["kind"], told["channel"], told["address"]) == ("escalation", "email", {"to": "desk@example.org"})
    assert "My VPN is slow" in told["notice"]
    assert "Talk to a person" in told["notice"]
    assert emit.contract.kind == "escalation"


@pytest.mark.parametrize(
    ("setting", "channel", "address"),
    [
        ("email:a@example.org", "email", {"to": "a@example.org"}), ("sms:+491234567", "sms", {"to": "+491234567"}),
        ("slack:T1:C1", "slack", {"workspace": "T1", "conversation": "C1", "thread": None}), ("test", "test", {}),
    ],
)  # fmt: skip
def test_where_people_are_told(setting, channel, address):
    assert place(setting) == Rank(channel, 1, address, f"escalation:{setting.lower()}", timedelta(hours=72))
    assert place("") is None


@pytest.mark.parametrize("setting", ["email", "email:nobody", "slack:C1", "sms:123", "pigeon:home", "test:x"])
def test_a_place_that_is_none_is_named(setting):
    with pytest.raises(Misconfigured, match="ESCALATE_TO"):
        place(setting)


def test_a_transcript_that_is_too_long_loses_its_beginning():
    history = [Message("user", f"{n} " + "x" * 5000) for n in range(20)]
    text = transcript("Now?", history, reason="r", summary="before")
    assert len(text) < 36_000
    assert text.startswith("Reason: r")
    assert "19 x" in text
    assert "0 xxx" not in text.replace("10 xxx", "")
    assert text.endswith("**Person:** Now?")


def test_what_is_told_while_a_turn_runs(world, shelf, rows):
    """Steps, tools, words and sources in order, without a gap; words that led to a tool are taken back."""
    shelf.found = [Passage("laptops", "Laptops", "Refresh", "refresh", "Every 4 years.", 1.0)]
    row = world.say("I need a new laptop")
    told = rows("select seq, type, data from request_events order by seq")
    assert [one["seq"] for one in told] == list(range(1, len(told) + 1))
    names = [(one["data"]["name"], one["data"]["state"]) for one in told if one["type"] == "step"]
    assert names[:3] == [("routing", "started"), ("routing", "done"), ("it-desk", "done")]
    tools = [(one["data"]["tool"], one["data"]["state"]) for one in told if one["type"] == "tool_call"]
    assert tools == [
        ("service-desk__find_laptops", "started"), ("service-desk__find_laptops", "done"),
        ("service-desk__check_refresh", "started"), ("service-desk__check_refresh", "done"),
    ]  # fmt: skip
    said = "".join(one["data"]["delta"] for one in told if one["type"] == "text").strip()
    assert said == row["result"]["text"]
    cited = [one["data"] for one in told if one["type"] == "citation"]
    assert cited == [{"marker": 1, "title": "Laptops", "section": "Refresh"}]
    assert told[-1]["type"] == "completed"


def test_each_tool_is_a_span_and_its_server_goes_on_with_the_trace(told, world):
    """The agent, the call, the request to the server, the server's own work: one in the other."""
    world.say("I need a new laptop")

    spans = told.spans()
    agent, tool = spans["invoke_agent routing"], spans["execute_tool service-desk__find_laptops"]
    call, server = spans["tools/call find_laptops"], spans["POST /mcp"]
    assert tool.parent.span_id == agent.context.span_id
    assert call.parent.span_id == tool.context.span_id
    assert server.context.trace_id == agent.context.trace_id
    assert server.attributes["parley.function"] == "mcp-service-desk"
    assert tool.attributes["gen_ai.operation.name"] == "execute_tool"
    assert tool.attributes["gen_ai.tool.name"] == "service-desk__find_laptops"
    assert agent.attributes["gen_ai.conversation.id"]

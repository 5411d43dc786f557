"""One answer of one agent, by a real Llama Stack server."""

import logging
from dataclasses import replace

import pytest

from devkit.model import Broken, Call, Said
from parley.adapters.llama_stack import CUT_OFF, LlamaStack, Server
from parley.agents import loop
from parley.agents.config import parse
from parley.agents.tools import parse as parse_tools
from parley.domain.turn import Message
from parley.errors import Misconfigured, Unavailable
from parley.ports import Passage

AGENTS = parse({
    "routing": {
        "name": "routing", "description": "Routes.", "instructions": "Find out who can help.", "entry": True,
        "hands_over_to": ["desk"],
    },
    "desk": {
        "name": "desk", "description": "Knows laptops.", "instructions": "Answer from the documents.",
        "knowledge": ["it"], "hands_over_to": ["routing"], "sampling": {"temperature": 0.2, "max_tokens": 50},
        "phrases": {"no_answer": "I found nothing."},
    },
})  # fmt: skip
UNSUPPORTED = AGENTS.by_name["desk"].phrases.unsupported
PASSAGES = [
    Passage("laptops", "Laptops", "Refresh", "refresh", "Every 4 years.", 1.0),
    Passage("vpn", "VPN", 'Set "up"\n<now>', "set-up", "Install the client.", 0.5),
]


class Shelf:
    """A knowledge base that finds the same each time."""

    def __init__(self):
        self.found = PASSAGES

    def search(self, bases, question, limit, *, reader=None):
        assert (tuple(bases), question) == (("it",), "How old?")
        return self.found[:limit]


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def engine(real_server, shelf):
    return LlamaStack(Server(real_server.url, real_server.model), AGENTS, shelf)


def turn(agent="desk", *history, handovers=0):
    return loop.Conversation("How old?", history, agent, handovers)


def ask(engine, agent="desk", *history, handovers=0):
    answer = engine.ask(AGENTS.by_name[agent], turn(agent, *history, handovers=handovers), lambda _: None)
    return replace(answer, usage=None, tainted=False)


def test_an_answer_names_the_sources_that_it_used(engine, model):
    model.say(Said("Four years [1]. Really [1][9]."))
    answer = ask(engine)
    assert answer.text == "Four years. Really."
    assert answer.citations == ({"document": "laptops", "title": "Laptops", "heading": "Refresh", "anchor": "refresh"},)


def test_the_model_sees_its_instructions_the_sources_and_the_conversation(engine, model):
    model.say(Said("Yes."))
    ask(engine, "desk", Message("user", "Hi"), Message("assistant", "Hello", "desk"))
    asked = model.asked[0]
    system, *said = asked["messages"]
    assert system["role"] == "system"
    assert system["content"].startswith("Answer from the documents.")
    assert [one["role"] for one in said] == ["user", "assistant", "user"]
    assert "Hi" in str(said[0]["content"])
    question = str(said[2]["content"])
    assert '<source number="2" title="VPN" section="Set up now">' in question.replace("\\", "")
    assert "Every 4 years." in question
    assert question.rstrip("'}]").endswith("How old?")
    assert (asked["temperature"], asked.get("max_tokens") or asked.get("max_completion_tokens")) == (0.2, 50)


def test_without_a_source_it_is_told_so_and_nothing_is_cited(engine, model, shelf):
    shelf.found = []
    model.say(Said("I do not know [1]."))
    answer = ask(engine)
    assert "none was found" in str(model.asked[0]["messages"][-1]["content"])
    assert answer == loop.Answer(f"I do not know.\n\n{UNSUPPORTED}")


def test_a_question_back_needs_no_source(engine, model):
    model.say(Said("Which region are you in?"))
    assert ask(engine).text == "Which region are you in?"


def test_a_figure_that_no_source_has_is_not_cited(engine, model):
    model.say(Said("Every 7 years [1]."))
    assert ask(engine) == loop.Answer(f"Every 7 years.\n\n{UNSUPPORTED}")


def test_it_hands_over(engine, model):
    model.say(Said(calls=(Call("hand_over_to_desk"),)))
    assert ask(engine, "routing") == loop.Answer("", hand_over_to="desk")
    (tool,) = model.asked[0]["tools"]
    assert tool["function"]["name"] == "hand_over_to_desk"
    assert "Knows laptops." in tool["function"]["description"]


def test_several_tools_are_wanted_at_once_and_their_results_told(real_server, model, shelf):
    """In the model's order; a hand-over among them waits until it has read what they say."""
    looks = {"type": "object", "properties": {"what": {"type": "string"}}, "additionalProperties": False}
    kit = [{"name": name, "description": "Looks.", "risk": "read", "parameters": looks} for name in ("look", "read")]
    toolbox = parse_tools({"kit": {"name": "kit", "url": "http://127.0.0.1:1/", "tools": kit}})
    desk = AGENTS.by_name["desk"].model_copy(update={"tools": ("kit.*",)})
    agents = AGENTS.model_copy(update={"agents": (desk, AGENTS.by_name["routing"])})
    engine = LlamaStack(Server(real_server.url, real_server.model), agents, shelf, toolbox)
    wanted = Call("kit__look", '{"what": "a"}'), Call("hand_over_to_routing"), Call("kit__read", '{"what": "b"}')
    model.say(Said(calls=wanted), Said("Both [1]."))

    first = engine.ask(desk, turn(), lambda _: None)
    conversation = replace(turn(), answer=first)
    for said in ("said a", "said b"):
        conversation = loop.ran(conversation, said)
    second = engine.ask(desk, conversation, lambda _: None)

    assert first.call == loop.Call("kit__look", {"what": "a"})
    assert first.more == (loop.Call("kit__read", {"what": "b"}),)
    assert loop.Answer.of(first.as_dict()) == replace(first, usage=None)
    assert second.text == "Both."
    told = [(str(one["content"]), one["tool_call_id"]) for one in model.asked[-1]["messages"] if one["role"] == "tool"]
    assert [("said a" in text, "said b" in text) for text, _ in told] == [(True, False), (False, True)]
    assert len({number for _, number in told}) == 2


def test_after_three_hand_overs_it_must_answer(engine, model):
    model.say(Said("Well."))
    assert ask(engine, "routing", handovers=loop.MOST_HANDOVERS).text == "Well."
    assert not model.asked[0].get("tools")


def test_a_hand_over_to_nobody_is_no_answer_and_the_user_is_asked(engine, model):
    model.say(Said(calls=(Call("hand_over_to_mars"),)))
    begun = turn("routing")
    over = loop.after(AGENTS, begun, ask(engine, "routing"))
    assert loop.decide(AGENTS, over) == loop.Reply(AGENTS.by_name["routing"].phrases.unsure, (), "routing")


@pytest.mark.parametrize("said", [Said(""), Said("", finish="content_filter")])
def test_a_silent_or_filtered_model_has_no_answer(engine, model, said):
    model.say(said)
    assert ask(engine) == loop.Answer("I found nothing.")


def test_an_answer_that_was_cut_off_says_so(engine, model):
    model.say(Said("First [1], then", finish="length"))
    answer = ask(engine)
    assert answer.text == f"First, then\n\n{CUT_OFF}"
    assert len(answer.citations) == 1


@pytest.mark.parametrize("trouble", [Broken(500), Broken(429), Broken(401), Broken(breaks="reset")])
def test_a_model_that_stays_broken_may_work_later(real_server, engine, model, trouble):
    """The server itself tries a few times."""
    model.say(*[trouble] * 8)
    with pytest.raises(Unavailable):
        ask(engine)


def test_an_unknown_model_is_for_a_person_to_set_right(real_server, shelf):
    engine = LlamaStack(Server(real_server.url, "nobody"), AGENTS, shelf)
    with pytest.raises(Unavailable, match="404"):
        ask(engine)


def test_a_model_that_takes_too_long_is_left(real_server, model, shelf):
    model.say(Said("late", delay=3))
    engine = LlamaStack(Server(real_server.url, real_server.model, seconds=0.3), AGENTS, shelf)
    with pytest.raises(Unavailable, match="Timeout"):
        ask(engine)
    assert len(model.asked) == 1, "a call that took too long is not repeated"


def test_a_server_that_is_down_is_unavailable(shelf):
    engine = LlamaStack(Server("http://127.0.0.1:9", "m"), AGENTS, shelf)
    with pytest.raises(Unavailable, match="cannot be reached"):
        ask(engine)


def test_a_base_url_with_the_version_works_as_well(real_server, model, shelf):
    model.say(Said("Yes."))
    engine = LlamaStack(Server(f"{real_server.url}/v1/", real_server.model), AGENTS, shelf)
    assert ask(engine).text == f"Yes.\n\n{UNSUPPORTED}"


def test_nothing_of_the_conversation_is_logged(engine, model, caplog):
    model.say(Said("Four years."))
    with caplog.at_level(logging.DEBUG, logger="parley"):
        ask(engine)
    assert "Four years" not in caplog.text
    assert "How old" not in caplog.text
    assert logging.getLogger("httpx").getEffectiveLevel() >= logging.WARNING


@pytest.mark.parametrize(
    ("server", "named"),
    [(Server("http://x"), "LLAMA_STACK_MODEL"), (Server("x:8321", "m"), "LLAMA_STACK_URL")],
)
def test_what_is_missing_is_named(server, named, shelf):
    with pytest.raises(Misconfigured, match=f"^{named}: "):
        LlamaStack(server, AGENTS, shelf)

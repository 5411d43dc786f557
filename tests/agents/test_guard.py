"""Before a tool is called: whose it is, what it takes, who must agree, and what that person reads."""

import pytest

from parley.agents import loop
from parley.agents.config import parse
from parley.agents.guard import NOT_YOURS, TAINTED, Guard, shown
from parley.agents.loop import AskApproval, Call, Refuse
from parley.agents.tools import Toolbox
from parley.agents.tools import parse as parse_tools

STRING = {"type": "string", "maxLength": 20}


def tool(name, risk, **more):
    schema = {"type": "object", "properties": {"what": STRING}, "required": ["what"], "additionalProperties": False}
    return {"name": name, "description": "Does it.", "risk": risk, "parameters": schema, **more}


TOOLS = parse_tools({"desk": {"name": "desk", "url": "http://x/", "tools": [
    tool("look", "read"), tool("note", "write", approval="tainted"),
    tool("order", "write"), tool("wipe", "destructive"),
]}})  # fmt: skip


def agents(**more):
    return parse({"a": {"name": "a", "description": "Helps.", "instructions": "Help.", "entry": True,
                        "tools": ["desk.*"], **more}})  # fmt: skip


def judged(name, arguments=None, *, tainted=False, **more):
    found = agents(**more)
    conversation = loop.start(found, "?", (), None, tainted=tainted)
    return Guard(found, TOOLS)(conversation, Call(name, {"what": "x"} if arguments is None else arguments))


@pytest.mark.parametrize(
    ("name", "tainted", "asks"),
    [("look", False, False), ("look", True, False), ("note", False, False), ("note", True, True),
     ("order", False, True), ("wipe", False, True), ("wipe", True, True)],
)  # fmt: skip
def test_a_change_needs_a_person_as_its_file_says(name, tainted, asks):
    assert isinstance(judged(f"desk__{name}", tainted=tainted), AskApproval) is asks


@pytest.mark.parametrize("name", ["note", "order", "wipe"])
def test_an_agent_may_lose_its_changes_once_it_has_read_text_of_strangers(name):
    verdict = judged(f"desk__{name}", tainted=True, when_tainted="refuse")
    assert isinstance(verdict, Refuse)
    assert verdict.why == TAINTED


@pytest.mark.parametrize(
    "name", ["desk__nothing", "look", "other__look", "DESK__LOOK", "desk__look ", "search_knowledge"]
)
def test_what_is_not_on_its_list_is_not_there(name):
    assert judged(name).why == NOT_YOURS


@pytest.mark.parametrize(
    "arguments",
    [{}, {"what": 1}, {"what": "x", "more": 1}, {"what": "x" * 21}, {"what": None}, {"(not a JSON object)": "x"}],
)
def test_arguments_that_do_not_fit_go_no_further(arguments):
    assert judged("desk__look", arguments).why.startswith("The arguments are not valid")


def bound(summary=None):
    return parse_tools(
        {"d": {"name": "d", "url": "http://x/", "tools": [tool("t", "write", summary=summary)]}}
    ).by_name["d__t"]


def test_a_person_reads_the_files_sentence_and_every_argument():
    assert shown(bound("Order {what}"), {"what": "a laptop", "to": "home"}) == "Order a laptop\nto: home"
    assert shown(bound(), {"what": "x"}) == "T: Does it.\nwhat: x"


def test_nothing_is_hidden_in_what_a_person_reads():
    text = shown(bound("Order {what}"), {"what": "one\n\n\n\u202ereally two\u200b" + "x" * 500})
    assert "\u202e" not in text
    assert text.startswith("Order one really two")
    assert text.endswith("characters)")


def test_all_and_single_tools_of_a_server_are_meant():
    box = Toolbox(servers=TOOLS.servers)
    assert [one.full for one in box.of(agents(tools=["desk.look", "escalate"]).entry)] == ["desk__look", "escalate"]
    assert len(box.of(agents().entry)) == 4

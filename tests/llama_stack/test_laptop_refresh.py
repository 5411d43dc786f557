"""
The example's conversation, end to end through a real Llama Stack server: find out, check, propose, approve, ticket,
confirmation. One ticket, whatever is doubled or killed.
"""

import pytest
from llama_stack.conftest import desk as installed

from devkit.behaviour import LAPTOP_REFRESH, Behaviour
from devkit.slack import ALICE

ORDERED = [{"kind": "laptop_refresh", "asset": "AF104711", "model": "Standard 14", "email": "you@example.org",
            "state": "open", "opened_by": "it-desk"}]  # fmt: skip


@pytest.fixture
def desk(one_process, model):
    one_process.forget()
    model.behave(Behaviour(LAPTOP_REFRESH))
    return one_process


def proposed(desk):
    """Ask for a laptop; gives the session and the answer."""
    answer = desk.ask("I need a new laptop")
    assert answer["status"] == "completed", answer
    return answer["session_id"], answer["result"]


def open_action(desk, session):
    """Agree to the proposal; gives the request and what Parley asks to be confirmed."""
    waiting = desk.ask("Order it, please", session, Prefer="respond-async")
    found = desk.until(lambda: desk.call("GET", f"/requests/{waiting['request_id']}/status").json()["requires_action"])
    return waiting["request_id"], found[0]


def decide(desk, request, action, approve, **changed):
    body = {"decision": "approve" if approve else "deny", "digest": action["digest"], **changed}
    return desk.call("POST", f"/requests/{request}/actions/{action['action_id']}", body)


def employ_alice(desk):
    """Alice of Slack works there, and has an old laptop."""
    desk.rows("insert into desk_employees values ('alice@example.com', 'Alice', 'EMEA', 'France', 'support')"
              " on conflict do nothing")  # fmt: skip
    desk.rows("insert into desk_laptops values ('AF200001', 'alice@example.com', 'Standard 14', '2021-01-01')"
              " on conflict do nothing")  # fmt: skip


def ended(desk, request):
    """Wait for the end of a request; gives its text."""

    def result():
        answer = desk.call("GET", f"/requests/{request}/result")
        return answer.json() if answer.status_code == 200 else None

    return desk.until(result)["result"]["text"]


def test_over_the_api(desk, model):
    """Proposed with its source, confirmed once, one ticket in the name of who asked, and its number in the answer."""
    session, result = proposed(desk)
    assert (result["agent"], [one["document"] for one in result["citations"]]) == ("it-desk", ["laptop-refresh"])
    assert desk.tickets() == []

    request, action = open_action(desk, session)
    assert action["summary"] == "Order a Standard 14 in place of the laptop AF104711, delivered to your office"
    assert desk.tickets() == []
    assert decide(desk, request, action, True).status_code == 202

    assert ended(desk, request).startswith("It is ordered: ticket REQ")
    assert desk.tickets() == ORDERED
    told = [row["type"] for row in desk.rows("select type from request_events where request_id = %s", request)]
    assert {"step", "tool_call", "text", "requires_action", "completed"} <= set(told)


def test_denied_nothing_happens(desk):
    """The model is told, and says so."""
    session, _ = proposed(desk)
    request, action = open_action(desk, session)
    assert decide(desk, request, action, False).status_code == 202
    assert ended(desk, request) == "All right, nothing was ordered."
    assert desk.tickets() == []


def test_a_decision_counts_once_and_for_what_was_shown(desk):
    """Another digest decides nothing; the same decision again changes nothing; the opposite comes too late."""
    session, _ = proposed(desk)
    request, action = open_action(desk, session)
    assert decide(desk, request, action, True, digest="0" * 64).status_code in (409, 422)
    assert desk.tickets() == []
    assert decide(desk, request, action, True).status_code == 202
    assert ended(desk, request).startswith("It is ordered")
    assert decide(desk, request, action, True).status_code in (200, 202)
    assert decide(desk, request, action, False).status_code == 409
    assert desk.tickets() == ORDERED


def test_an_approval_of_one_request_is_none_of_another(desk):
    """The next order asks again: what was approved was that call of that request."""
    session, _ = proposed(desk)
    request, action = open_action(desk, session)
    decide(desk, request, action, False)
    ended(desk, request)
    second, other = open_action(desk, session)
    assert other["action_id"] != action["action_id"]
    assert desk.call("POST", f"/requests/{second}/actions/{action['action_id']}",
                     {"decision": "approve", "digest": action["digest"]}).status_code == 404  # fmt: skip
    assert desk.tickets() == []
    decide(desk, second, other, False)


def test_over_slack_with_every_event_doubled(desk):
    """In a thread, by words: the yes is the decision; Slack sends each event twice."""
    employ_alice(desk)
    thread = desk.say("I need a new laptop", ALICE, times=2)
    desk.until(lambda: any("Shall I order" in text for text in desk.posted(thread)))
    desk.say("Order it, please", ALICE, thread, times=2)
    desk.until(lambda: any("in place of the laptop AF200001" in text for text in desk.posted(thread)))
    assert desk.tickets() == []
    desk.say("yes", ALICE, thread, times=2)
    desk.until(lambda: any("It is ordered" in text for text in desk.posted(thread)))

    assert [(one["email"], one["asset"]) for one in desk.tickets()] == [("alice@example.com", "AF200001")]
    assert sum("It is ordered" in text for text in desk.posted(thread)) == 1


def test_with_every_event_of_the_broker_doubled(real_server, model, tmp_path):
    """Each event reaches its function twice, replies and nudges too, over Slack and over the API: one ticket each."""
    doubled = installed(tmp_path / "parley", real_server, BROKER_COPIES="2")
    with doubled.parley:
        model.behave(Behaviour(LAPTOP_REFRESH))
        session, _ = proposed(doubled)
        request, action = open_action(doubled, session)
        assert decide(doubled, request, action, True).status_code == 202
        assert ended(doubled, request).startswith("It is ordered")
        assert doubled.tickets() == ORDERED

        employ_alice(doubled)
        thread = doubled.say("I need a new laptop", ALICE)
        doubled.until(lambda: any("Shall I order" in text for text in doubled.posted(thread)))
        doubled.say("Order it, please", ALICE, thread)
        doubled.until(lambda: any("in place of the laptop AF200001" in text for text in doubled.posted(thread)))
        doubled.say("yes", ALICE, thread)
        doubled.until(lambda: any("It is ordered" in text for text in doubled.posted(thread)))
        assert [one["asset"] for one in doubled.tickets()] == ["AF104711", "AF200001"]
        assert sum("It is ordered" in text for text in doubled.posted(thread)) == 1
    doubled.slack.__exit__(None, None, None)


def test_with_agent_turn_killed_whenever_the_model_is_asked(real_server, model, tmp_path):
    """One process for each function; kill -9 in the midst of each step's first try, the next process goes on."""
    desk = installed(tmp_path / "parley", real_server, processes=True)
    struck: set[str] = set()

    def strike():
        prompt = str(model.asked[-1]["messages"])
        if prompt not in struck:
            struck.add(prompt)
            desk.parley.kill_function("agent-turn")

    with desk.parley:
        model.behave(Behaviour(LAPTOP_REFRESH), on_asked=strike)
        first = desk.ask("I need a new laptop", Prefer="respond-async")
        assert ended(desk, first["request_id"]).startswith("Your laptop may be replaced")
        request, action = open_action(desk, first["session_id"])
        assert decide(desk, request, action, True).status_code == 202
        assert ended(desk, request).startswith("It is ordered")
        assert desk.tickets() == ORDERED
        assert len(struck) == 7
        resets = desk.rows("select count(*) from request_events where type = 'reset'")
        assert resets[0]["count"] >= 1, "who follows the stream is told when words are said anew"
    desk.slack.__exit__(None, None, None)

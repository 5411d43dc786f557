"""A user asks for a person: they are told with the conversation, it waits in their list, and they close it."""

import pytest

from parley.domain.escalation import place

REQUESTS = "/api/v1/requests"


@pytest.fixture
def asked(ann, answer):
    """A question that was answered."""
    request_id = ann.ask("How old must my laptop be?").get_json()["request_id"]
    answer(request_id)
    return request_id


def test_people_are_told_with_the_conversation(ann, api, broker, rows, asked):
    """One delivery to where people are, with why, who and what was said; its event follows the commit."""
    api.desk.rules.people = place("email:desk@example.org")
    before = len(broker.published)

    got = ann("POST", f"{REQUESTS}/{asked}/escalate", {"reason": "It is broken."})

    assert (got.status_code, got.get_json()["state"], got.get_json()["reason"]) == (202, "open", "It is broken.")
    [told] = rows("select channel, address, notice, state from deliveries where kind = 'escalation'")
    assert (told["channel"], told["address"], told["state"]) == ("email", {"to": "desk@example.org"}, "queued")
    for part in ("It is broken.", "ann@example.org", "How old must my laptop be?", "Four years."):
        assert part in told["notice"]
    assert [emit.contract.kind for emit in broker.published[before:]] == ["escalation"]


def test_people_are_told_once(ann, api, rows, asked):
    """Asked again, it is the same row and the same delivery; what was closed is open again."""
    api.desk.rules.people = place("email:desk@example.org")

    first = ann("POST", f"{REQUESTS}/{asked}/escalate").get_json()
    rows("update escalations set state = 'closed', closed_at = now()")
    second = ann("POST", f"{REQUESTS}/{asked}/escalate", {"reason": "Still."}).get_json()

    assert (second["id"], second["state"], second["reason"]) == (first["id"], "open", "Still.")
    assert len(rows("select id from deliveries where kind = 'escalation'")) == 1


def test_without_a_place_it_waits_in_the_list(ann, caller, rows, asked):
    """Staff sees it there, the oldest first, and closes it, which is written down."""
    made = ann("POST", f"{REQUESTS}/{asked}/escalate").get_json()
    support = caller("support@example.org", role="support")

    listed = support.get("/api/v1/admin/escalations").get_json()["items"]
    closed = support("POST", f"/api/v1/admin/escalations/{made['id']}/close")
    again = support("POST", f"/api/v1/admin/escalations/{made['id']}/close")

    assert [one["id"] for one in listed] == [made["id"]]
    assert (closed.status_code, again.status_code) == (204, 404)
    assert support.get("/api/v1/admin/escalations").get_json()["items"] == []
    assert [row["action"] for row in rows("select action from audit_log")] == ["close escalation"]
    assert rows("select id from deliveries where kind = 'escalation'") == []


def test_question_without_an_answer_is_handed_over_too(ann, api, rows):
    """The question itself is what they read."""
    api.desk.rules.people = place("test")
    request_id = ann.ask("Who is there?").get_json()["request_id"]

    assert ann("POST", f"{REQUESTS}/{request_id}/escalate").status_code == 202

    [told] = rows("select notice from deliveries where kind = 'escalation'")
    assert "Who is there?" in told["notice"]

"""Sessions over the API: made, listed, changed by who has read them, begun anew."""

import uuid

import pytest

SESSIONS = "/api/v1/sessions"


@pytest.fixture
def session(ann):
    """A new session of Ann's, with its version."""
    got = ann("POST", SESSIONS, {"title": "VPN", "metadata": {"ticket": "7"}})
    assert got.status_code == 201
    return got


def test_session_comes_before_its_first_question(ann, session):
    """Made, found where Location says, and used by a question."""
    body = session.get_json()
    asked = ann("POST", "/api/v1/requests", {"content": "Hi", "session_id": body["session_id"]}, Prefer="wait=0")
    again = ann.get(session.headers["Location"])

    assert (body["title"], body["metadata"], body["status"], body["requests"]) == ("VPN", {"ticket": "7"}, "open", 0)
    assert asked.get_json()["session_id"] == body["session_id"]
    assert (again.get_json()["requests"], again.headers["ETag"]) == (1, session.headers["ETag"])


def test_change_needs_the_version_that_was_read(ann, session, problem):
    """Without If-Match 428, with an old one 412, with what is none 400; with the right one the next version."""
    path = session.headers["Location"]
    body = {"title": "Wi-Fi"}
    problem(ann("PATCH", path, body), "precondition-required", 428)
    problem(ann("PATCH", path, body, If_Match="v1"), "bad-request", 400)
    problem(ann("PATCH", path, body, If_Match='"other"'), "precondition-failed", 412)

    first = ann("PATCH", path, body, If_Match=session.headers["ETag"])
    late = ann("PATCH", path, {"title": "Phone"}, If_Match=session.headers["ETag"])
    forced = ann("PATCH", path, {"metadata": {}}, If_Match="*")

    assert (first.status_code, first.get_json()["title"], first.headers["ETag"]) == (200, "Wi-Fi", '"v2"')
    problem(late, "precondition-failed", 412)
    assert (forced.get_json()["title"], forced.get_json()["metadata"]) == ("Wi-Fi", {})


@pytest.mark.parametrize("field", ["user_id", "version", "expires_at", "agent", "input_tokens"])
def test_what_is_not_the_users_to_change_is_refused(ann, session, problem, field):
    """Unknown and internal fields are mistakes."""
    got = ann("PATCH", session.headers["Location"], {field: "x"}, If_Match="*")

    assert [one["pointer"] for one in problem(got, "invalid", 422)["errors"]] == [f"/{field}"]


def test_closed_session_takes_no_question(ann, session, problem):
    """Closed, a question is refused; opened, it is taken again."""
    path, body = session.headers["Location"], {"content": "Hi", "session_id": session.get_json()["session_id"]}

    ann("PATCH", path, {"status": "closed"}, If_Match="*")
    refused = ann("POST", "/api/v1/requests", body, Prefer="wait=0")
    ann("PATCH", path, {"status": "open"}, If_Match="*")
    taken = ann("POST", "/api/v1/requests", body, Prefer="wait=0")

    problem(refused, "not-found", 404)
    assert taken.status_code == 202


def test_reset_begins_anew(ann, session, answer):
    """The old one is closed and stays readable; the new one has its title and nothing of what was said."""
    old = session.get_json()["session_id"]
    asked = ann("POST", "/api/v1/requests", {"content": "Hi", "session_id": old}, Prefer="wait=0").get_json()
    answer(asked["request_id"])

    new = ann("POST", f"{SESSIONS}/{old}/reset")

    body = new.get_json()
    assert (new.status_code, body["previous_session_id"], body["title"], body["requests"]) == (201, old, "VPN", 0)
    assert ann.get(f"{SESSIONS}/{old}").get_json()["status"] == "closed"
    assert len(ann.get(f"{SESSIONS}/{old}/messages").get_json()["items"]) == 2
    assert ann.get(f"{new.headers['Location']}/messages").get_json()["items"] == []


def test_pages_hold_each_session_once(ann):
    """The latest used first, page by page, also while one is used in between."""
    made = [ann("POST", SESSIONS, {"title": str(number)}).get_json()["session_id"] for number in range(7)]

    seen, path = [], f"{SESSIONS}?limit=3"
    while path:
        got = ann.get(path)
        seen += [one["session_id"] for one in got.get_json()["items"]]
        link = got.headers.get("Link")
        path = link.partition(">")[0].removeprefix("<") if link else None

    assert seen == made[::-1]


def test_messages_are_told_in_order(ann, session, answer):
    """Question before answer; the other way round when asked for; page by page either way."""
    body = {"content": "Hi", "session_id": session.get_json()["session_id"]}
    for _ in range(3):
        answer(ann("POST", "/api/v1/requests", body, Prefer="wait=0").get_json()["request_id"])
    path = f"{session.headers['Location']}/messages"

    def pages(order):
        cursor, found = "", []
        while cursor is not None:
            got = ann.get(f"{path}?order={order}&limit=4" + (f"&cursor={cursor}" if cursor else "")).get_json()
            found += [(one["seq"], one["role"]) for one in got["items"]]
            cursor = got["next_cursor"]
        return found

    told = [(seq, role) for seq in (1, 2, 3) for role in ("user", "assistant")]
    assert pages("asc") == told
    assert pages("desc") == told[::-1]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=", "cursor=%00", "cursor=e30", "cursor=WyJ4Il0", "status=odd",
              "limit=1&limit=2"],
)  # fmt: skip
def test_page_that_is_none_is_refused(ann, problem, query):
    problem(ann.get(f"{SESSIONS}?{query}"), "bad-request", 400)


def test_list_of_requests_is_ones_own(ann, caller, answer):
    """The newest first, by session and state; somebody else's are not there, and not by asking for them."""
    first, second = (ann.ask(str(number)).get_json() for number in range(2))
    other = caller("bob@example.org").ask().get_json()
    answer(first["request_id"])

    def ids(query=""):
        return [one["request_id"] for one in ann.get(f"/api/v1/requests{query}").get_json()["items"]]

    assert ids() == [second["request_id"], first["request_id"]]
    assert ids("?status=completed") == [first["request_id"]]
    assert ids(f"?session_id={second['session_id']}") == [second["request_id"]]
    assert ids(f"?session_id={other['session_id']}") == []
    assert ann.get("/api/v1/requests?user_id=all").status_code == 403
    assert ann.get(f"/api/v1/requests?user_id={uuid.uuid4()}").status_code == 404
    staff = caller("support@example.org", role="support").get("/api/v1/requests?user_id=all").get_json()["items"]
    assert len(staff) == 3
    assert {one["content"] for one in staff} == {None}

"""Idempotency-Key for what makes something else than a request: once, and shown again to whoever lost the answer."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from api.matrix.things import made

SESSIONS, KEYS = "/api/v1/sessions", "/api/v1/keys"
KEY = {"Idempotency_Key": "k"}


@pytest.fixture
def owner(database, rows, caller):
    """Somebody with one of everything, who calls; `path` names their things."""
    things = made(database, rows)
    called = type(caller())(caller()._client, things.key)
    called.path = things.path
    return called


def test_a_conversation_is_begun_once_and_shown_as_it_is_now(ann, rows):
    """The second call makes nothing; what became of the first one's since is in its answer."""
    first = ann("POST", SESSIONS, {"title": "Laptop"}, **KEY)
    path = first.headers["Location"]
    ann("PATCH", path, {"title": "Laptops"}, If_Match=first.headers["ETag"])

    again = ann("POST", SESSIONS, {"title": "Laptop"}, **KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.headers["Location"], again.headers["Idempotency-Replayed"]) == (path, "true")
    assert again.get_json()["title"] == "Laptops"
    assert "Idempotency-Replayed" not in first.headers
    assert len(rows("select id from sessions")) == 1


def test_the_same_key_for_something_else_is_refused(ann, rows, problem):
    """Another body, or another thing on the same route."""
    one, other = (ann("POST", SESSIONS, {"title": title}).headers["Location"] for title in "ab")
    ann("POST", SESSIONS, {"title": "c"}, **KEY)
    ann("POST", f"{one}/reset", **KEY)

    problem(ann("POST", SESSIONS, {"title": "d"}, **KEY), "key-reused", 422)
    problem(ann("POST", f"{other}/reset", **KEY), "key-reused", 422)
    assert len(rows("select id from sessions")) == 4


def test_a_call_that_was_refused_leaves_its_key_free(owner, rows, problem):
    """What it was refused for may have gone; the key is not spent."""
    path = f"/api/v1/deliveries/{owner.path['delivery_id']}/redeliver"
    owner("POST", path)
    problem(owner("POST", path, **KEY), "conflict", 409)
    rows("update deliveries set state = 'delivered', due_at = null, finished_at = now()")

    assert owner("POST", path, **KEY).status_code == 202


def test_an_answer_is_sent_once_more_once(owner, broker, rows):
    """Of two calls with one key one makes it due; the nudge is published when that has committed."""
    path = f"/api/v1/deliveries/{owner.path['delivery_id']}/redeliver"
    states = []
    broker.then = lambda _: states.append(rows("select state from deliveries")[0]["state"])

    got = [owner("POST", path, **KEY) for _ in range(2)]

    assert [one.status_code for one in got] == [202, 202]
    assert got[1].get_json()["id"] == owner.path["delivery_id"]
    assert states == ["queued"]


def test_a_key_is_made_once_and_never_shown_again(ann, rows, problem):
    """It is stored as a digest: who lost the answer is told which key to revoke."""
    key = ann("POST", KEYS, {"name": "laptop"}, **KEY).get_json()

    again = problem(ann("POST", KEYS, {"name": "laptop"}, **KEY), "conflict", 409)

    assert key["prefix"] in again["detail"]
    assert key["key"].split("_", 2)[2] not in str(again)
    assert len(rows("select id from api_keys where name = 'laptop'")) == 1


def test_a_secret_is_rotated_once(owner, problem):
    """A second rotation would end the one that the receiver verifies with now; the same secret is shown instead."""
    path = "/api/v1/users/me/integrations/webhook/rotate"
    got = [owner("POST", path, {}, **KEY).get_json() for _ in range(2)]

    assert got[0] == got[1]
    assert owner.get(path.replace("rotate", "status")).get_json()["generation"] == 2
    owner("POST", path, {})
    problem(owner("POST", path, {}, **KEY), "conflict", 409)


def test_ten_at_once_make_one(ann, rows):
    """The others wait for it, and show it."""
    barrier = threading.Barrier(10)

    def post(_):
        barrier.wait()
        return ann("POST", SESSIONS, {"title": "t"}, **KEY)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(post, range(10)))

    assert {got.status_code for got in answers} == {201}
    assert len({got.get_json()["session_id"] for got in answers}) == 1
    assert len(rows("select id from sessions")) == 1


def test_what_staff_does_within_is_written_down_too(owner, caller, rows):
    """All of a call is one transaction, seen with several eyes: the admin's, the owner's, nobody's."""
    admin = caller("root@example.org", role="admin")

    got = admin("POST", f"/api/v1/users/{owner.path['user_id']}/integrations/webhook/rotate", {}, **KEY)

    assert got.status_code == 200
    assert [row["action"] for row in rows("select action from audit_log")] == ["change user"]


def test_keys_of_a_key_live_on_unless_all_are_revoked(ann, caller):
    """So a key makes its successor; whoever fears for one revokes all that it has led to."""
    first = ann("POST", KEYS, {"name": "first"}).get_json()
    one = type(ann)(ann._client, first["key"])
    second = one("POST", KEYS, {"name": "second"}).get_json()
    two = type(ann)(ann._client, second["key"])
    third = two("POST", KEYS, {"name": "third"}).get_json()
    three = type(ann)(ann._client, third["key"])

    assert (second["made_by"], third["made_by"]) == (first["prefix"], second["prefix"])
    ann("DELETE", f"{KEYS}/{first['prefix']}")
    assert [who.get(KEYS).status_code for who in (one, two, three)] == [401, 200, 200]
    ann("DELETE", f"{KEYS}/{first['prefix']}?all=true")
    assert [who.get(KEYS).status_code for who in (ann, two, three)] == [200, 401, 401]

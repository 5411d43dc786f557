"""Status and result: always answerable from the row, and worth asking for only when something has changed."""

import threading
import time
import uuid

import pytest

REQUESTS = "/api/v1/requests"


@pytest.fixture
def asked(ann):
    """The id of a request that is queued."""
    return ann.ask().get_json()["request_id"]


@pytest.fixture
def until():
    """Wait until a condition holds."""

    def wait(condition):
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, "the condition never held"
            threading.Event().wait(0.005)

    return wait


def test_status_tells_the_row(ann, asked, requests):
    """State, version and times follow the row."""
    before = ann.get(f"{REQUESTS}/{asked}/status").get_json()
    requests.claim(uuid.UUID(asked), owner="test", revision="1")
    after = ann.get(f"{REQUESTS}/{asked}/status").get_json()

    assert (before["status"], before["started_at"]) == ("queued", None)
    assert after["status"] == "running"
    assert after["started_at"]
    assert after["version"] > before["version"]
    assert after["links"] == before["links"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"v77", {}', "*"])
def test_unchanged_status_is_not_sent_again(ann, asked, form):
    """304 for the version that the caller has, however a proxy has written its tag."""
    etag = ann.get(f"{REQUESTS}/{asked}/status").headers["ETag"]

    got = ann.get(f"{REQUESTS}/{asked}/status", If_None_Match=form.format(etag))

    assert (got.status_code, got.data, got.headers["ETag"]) == (304, b"", etag)


@pytest.mark.parametrize("known", ['"v77"', 'W/"v"', "nonsense", ""])
def test_other_version_is_sent(ann, asked, known):
    """Whoever has another version, or none, gets this one."""
    got = ann.get(f"{REQUESTS}/{asked}/status", If_None_Match=known)

    assert got.status_code == 200
    assert got.get_json()["request_id"] == asked


@pytest.mark.parametrize("prefer", ["respond-async", "return=minimal", "wait=0"])
def test_only_who_wants_to_wait_waits(ann, api, asked, prefer):
    """Another preference than wait does not hold the caller."""
    waited = []
    api.desk.waiting.wait = lambda *arguments: waited.append(arguments[2]) and False
    etag = ann.get(f"{REQUESTS}/{asked}/status").headers["ETag"]

    got = ann.get(f"{REQUESTS}/{asked}/status", If_None_Match=etag, Prefer=prefer)

    assert got.status_code == 304
    assert sum(waited) == 0


def test_long_poll_ends_with_the_change(ann, api, asked, answer, until):
    """A caller with the newest version is held until there is a newer one, and gets it."""
    path = f"{REQUESTS}/{asked}/status"
    etag = ann.get(path).headers["ETag"]
    answers = []
    poll = threading.Thread(target=lambda: answers.append(ann.get(path, If_None_Match=etag, Prefer="wait=25")))

    poll.start()
    until(lambda: api.desk.waiting._waiters)
    answer(asked)
    poll.join(20)

    [got] = answers
    assert got.status_code == 200
    assert got.headers["ETag"] != etag
    assert got.headers["Preference-Applied"] == "wait=25"


def test_waiting_call_is_woken_by_the_answer(ann, api, broker, answer, until):
    """A caller that waits is told the result when it is there, not when the time is up."""
    answers = []
    call = threading.Thread(target=lambda: answers.append(ann.ask(Prefer="wait=25")))

    call.start()
    until(lambda: api.desk.waiting._waiters)
    answer(broker.published[0].contract.request_id)
    call.join(20)

    [got] = answers
    assert got.status_code == 200
    assert got.get_json()["status"] == "completed"


def test_result_is_there_when_the_request_is_over(ann, asked, answer):
    """202 with the status until then, 200 with the result from then on."""
    before = ann.get(f"{REQUESTS}/{asked}/result")
    answer(asked)
    after = ann.get(f"{REQUESTS}/{asked}/result")

    assert (before.status_code, before.get_json()["status"]) == (202, "queued")
    assert int(before.headers["Retry-After"]) >= 1
    assert (after.status_code, after.get_json()["result"]["text"]) == (200, "Four years.")


def test_result_of_a_failure_says_why(ann, asked, answer):
    """The read succeeded: the problem is its content."""
    answer(asked, failed=True)

    got = ann.get(f"{REQUESTS}/{asked}/result")

    body = got.get_json()
    assert (got.status_code, body["status"], body["result"]) == (200, "failed", None)
    assert body["error"]["type"] == "urn:parley:problem:deadline"


def test_owner_and_lease_are_nobodys_business(ann, asked):
    """What a caller sees holds no internal field."""
    got = ann.get(f"{REQUESTS}/{asked}/status").get_json()

    assert set(got) == {
        "request_id", "session_id", "status", "version", "attempt", "answered_by", "queue_position",
        "requires_action", "created_at", "started_at", "finished_at", "deadline", "links",
    }  # fmt: skip


def test_a_conversation_is_read_by_one_call(ann, answer, caller):
    """With `results` a list of one's own has what came of them, until it is erased; others' are nobody's to read so."""
    asked = [ann.ask().get_json()["request_id"] for _ in range(3)]
    answer(asked[0])
    answer(asked[1])
    ann("DELETE", f"/api/v1/requests/{asked[1]}")
    owner = ann.get("/api/v1/me").get_json()["user_id"]

    whole = ann.get("/api/v1/requests?results=true").get_json()["items"]
    bare = ann.get("/api/v1/requests").get_json()["items"]
    seen = caller("root@example.org", role="admin").get(f"/api/v1/requests?results=true&user_id={owner}").get_json()

    assert [one["result"] and one["result"]["text"] for one in whole] == [None, None, "Four years."]
    assert [one["result"] for one in bare] == [None] * 3
    assert [(one["content"], one["result"]) for one in seen["items"]] == [(None, None)] * 3

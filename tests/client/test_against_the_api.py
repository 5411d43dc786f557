"""The Python client against request-api: everything that a program does."""

import threading
import uuid

import pytest
from processes import until

from parley.adapters.postgres.requests import Requests
from parley.client import (
    Changed,
    Conflict,
    Draft,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Parley,
    TimedOut,
    Unauthenticated,
)


def asked(parley, content="How old must my laptop be?", **more):
    """Ask without waiting."""
    return parley.requests.ask(content, wait=0, **more)


def test_question_is_asked_and_its_answer_read(world, parley):
    """At first it stands, then it is over: text, sources, and how it was sent."""
    status = asked(parley, kind="cli", command="ask")
    assert (status.status, parley.requests.result(status.request_id)) == ("queued", None)

    due = world.complete(world.begin(str(status.request_id)))
    world.deliver(due)

    result = parley.requests.wait(status.request_id, seconds=10)
    assert (result.status, result.result.text) == ("completed", "Four years.")
    assert result.result.citations[0].heading == "Age"
    [sent] = parley.deliveries.list()
    assert [attempt.outcome for attempt in parley.deliveries.get(sent.id).attempts] == ["delivered"]


def test_answer_that_comes_while_one_waits_is_given_at_once(world, parley):
    """`wait` is woken by the answer, not by a clock of its own."""
    status = asked(parley)
    held = world.begin(str(status.request_id))
    threading.Timer(0.3, lambda: world.complete(held)).start()

    assert parley.requests.wait(status.request_id, seconds=20).result.text == "Four years."


def test_waiting_has_an_end(parley):
    """TimedOut; the question stays."""
    status = asked(parley)

    with pytest.raises(TimedOut):
        parley.requests.wait(status.request_id, seconds=1)
    assert parley.requests.status(status.request_id).status == "queued"


def test_same_key_is_the_same_question(parley):
    """Whoever is not sure asks again."""
    key = str(uuid.uuid4())

    first, again = asked(parley, key=key), asked(parley, key=key)

    assert first.request_id == again.request_id
    with pytest.raises(Invalid):
        asked(parley, "Something else?", key=key)


def test_answer_is_watched_as_it_grows(world, parley):
    """Every event once, in order; the text of a step that was begun anew counts from there."""
    status = asked(parley)
    events, draft = [], Draft()

    def watch():
        for event in parley.requests.stream(status.request_id):
            events.append(event)
            draft.take(event)

    watching = threading.Thread(target=watch)
    watching.start()
    held = world.begin(str(status.request_id))
    store = Requests(world.database)
    store.tell(held, ("text", {"step": 0, "delta": "Thr"}))
    until(lambda: draft.text == "Thr")
    store.tell(held, ("reset", {"step": 0}), ("text", {"step": 0, "delta": "Four"}))
    store.tell(held, ("text", {"step": 0, "delta": " years."}))
    world.complete(held)
    watching.join(20)

    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].type == draft.status == "completed"
    assert draft.text == "Four years."
    assert list(parley.requests.stream(status.request_id, after=events[-2].seq)) == events[-1:]


def test_question_is_taken_back(parley):
    """What waits ends at once; a second time nothing changes."""
    status = asked(parley)

    assert parley.requests.cancel(status.request_id).status == "cancelled"
    assert parley.requests.cancel(status.request_id).status == "cancelled"


def test_lists_come_page_by_page(parley):
    """All of them, the newest first, however small the pages."""
    made = [asked(parley, f"{number}?").request_id for number in range(5)]

    assert [one.request_id for one in parley.requests.list(limit=2)] == made[::-1]
    assert [one.request_id for one in parley.requests.list(limit=2, status="completed")] == []


def test_answer_is_judged_handed_over_shared_and_erased(world, parley):
    """What may follow an answer."""
    status = asked(parley)
    world.complete(world.begin(str(status.request_id)))

    parley.requests.feedback(status.request_id, "down", comment="Not mine.")
    assert parley.requests.escalate(status.request_id, "still broken").state == "open"
    assert "/r/" in parley.requests.link(status.request_id).url
    parley.requests.erase(status.request_id)

    with pytest.raises(Gone):
        parley.requests.result(status.request_id)


def test_sessions_are_begun_changed_left_and_erased(world, parley):
    """Whoever read an old version changes nothing."""
    session = parley.sessions.create("Laptops", {"room": "7"})
    status = asked(parley, session_id=session.session_id)
    world.complete(world.begin(str(status.request_id)))

    said = [message.content for message in parley.sessions.messages(session.session_id)]
    assert said == ["How old must my laptop be?", "Four years."]
    read = parley.sessions.get(session.session_id)
    renamed = parley.sessions.update(read, title="My laptop")
    assert renamed.title == "My laptop"
    with pytest.raises(Changed):
        parley.sessions.update(read, title="Late")
    fresh = parley.sessions.reset(session.session_id)
    assert fresh.previous_session_id == session.session_id
    assert fresh.session_id in {one.session_id for one in parley.sessions.list()}
    parley.sessions.delete(parley.sessions.get(session.session_id))
    assert list(parley.sessions.messages(session.session_id)) == []


def test_preferences_are_chosen_explained_and_dropped(parley):
    """Each field says where it comes from."""
    parley.preferences.put("email", enabled=False)

    assert [(one.channel, one.enabled) for one in parley.preferences.own()] == [("email", False)]
    email = next(one for one in parley.preferences.effective() if one.channel == "email")
    assert (email.enabled, email.origin["enabled"]) == (False, "user")
    parley.preferences.remove("email")
    assert parley.preferences.own() == []
    assert {one.channel for one in parley.preferences.defaults()} >= {"slack", "email", "sms", "webhook"}


def test_keys_are_made_used_and_ended(world, parley):
    """A key of one's own works until it is revoked."""
    made = parley.keys.create("laptop", scopes=["requests:read", "requests:write"], expires_days=7)
    with Parley(world.process.url, made.key) as other:
        assert asked(other).status == "queued"
        with pytest.raises(Forbidden):
            other.keys.list()
        parley.keys.revoke(made.prefix)
        with pytest.raises(Unauthenticated):
            other.me()


def test_service_asks_for_somebody(world):
    """With the name of whom it is for, on every call."""
    from parley.adapters.postgres.api import Keys

    key = Keys(world.database).create(email="bot@example.org", role="service", name="test")
    with Parley(world.process.url, key, acting_for="zoe@example.org") as service:
        status = asked(service)
        assert [one.request_id for one in service.requests.list(user_id="me")] == [status.request_id]


def test_administrators_see_and_mend(world, admin, parley):
    """Others may not."""
    assert admin.admin.stuck() is not None
    assert list(admin.admin.dead_letters()) == []
    with pytest.raises(NotFound):
        admin.admin.replay(uuid.uuid4())
    assert list(admin.admin.audit_log()) is not None
    with pytest.raises(Forbidden):
        parley.admin.stuck()


def test_data_of_a_person_is_given_and_erased(parley):
    """All of it, in one answer; afterwards there is none."""
    asked(parley, "A secret?")

    assert [one["content"] for one in parley.data.export().requests] == ["A secret?"]
    assert parley.data.erase().requests == 1


def test_errors_say_what_is_wrong_and_where(parley):
    """By what can be done about it."""
    with pytest.raises(Invalid, match="/content"):
        asked(parley, "")
    with pytest.raises(NotFound):
        parley.requests.status(uuid.uuid4())
    status = asked(parley)
    with pytest.raises((NotFound, Conflict)):
        parley.requests.decide(status.request_id, uuid.uuid4(), "0" * 64, approve=True)

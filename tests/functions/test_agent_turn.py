"""agent-turn from its folder, called as a broker calls it, with a broker behind it that listens for the rest."""

import importlib.util
import uuid
from pathlib import Path

import pytest
from databases import as_role
from shelves import Shelves

from parley import envelope, serve
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.domain import ids
from parley.domain.events import RequestCreated, ResponseReady
from parley.domain.requests import NewRequest, SessionWanted
from parley.errors import Misconfigured

ROOT = Path(__file__).parents[2]
ORIGIN = {"channel": "slack", "workspace": "T1", "conversation": "C1", "thread": "1.1", "user": "U1"}
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture
def function():
    """The function of the folder."""
    spec = importlib.util.spec_from_file_location("func", ROOT / "functions" / "agent-turn" / "func.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.function
    module.function.close()


@pytest.fixture
def settings(database_url, broker):
    return {"DATABASE_URL": as_role(database_url, "agent-turn"), "K_SINK": broker.url,
            "CONFIG_DIR": str(ROOT / "config"),
            "TOOL_SIGNING_KEY": "A" * 42 + "E"}  # fmt: skip


@pytest.fixture
def post(function, settings):
    """Post an event, of a contract or any other; gives status, headers and the event of the reply, if there is one."""
    clients = []  # built at the first event: a test may change settings before

    def client():
        if not clients:
            function.configure(settings)
            clients.append(serve.application(function).test_client())
        return clients[0]

    def run(what):
        event = what
        if isinstance(what, RequestCreated):
            event = envelope.Event(uuid.uuid4().hex, "/test", what.TYPE, body=what.model_dump_json().encode())
        headers, body = envelope.to_binary(event)
        answer = client().post("/", headers=headers, data=body)
        reply = envelope.parse(answer.headers, answer.data) if answer.status_code == 200 else None
        return answer.status_code, answer.headers, reply

    return run


@pytest.fixture
def ask(database):
    """Store a question of one session; gives the event that says so."""
    user = Users(database).meet("slack", "T1:U1", email="ann@example.org", name="Ann", timezone=None)
    store = Requests(database)
    Shelves(database).load_folder(ROOT / "config" / "knowledge" / "it-desk")

    def make(content="How can I reset my password?", **fields):
        values = {"source": "slack", "origin": ORIGIN, "traceparent": TRACE, **fields}
        new = NewRequest(
            id=ids.new(), user_id=user, session=SessionWanted(thread="slack:T1:C1:1.1"), content=content,
            principal="test", route="test", **values,
        )  # fmt: skip
        accepted = store.accept(new)
        return RequestCreated(request_id=accepted.request_id, session_id=accepted.session_id)

    return make


def test_a_question_becomes_an_answer_and_the_event_of_its_delivery(post, ask, row, broker):
    """With what ships: handed over, answered from the documents, planned, and said to whoever delivers."""
    created = ask()

    status, _, reply = post(created)

    stored = row("select * from requests")
    ready = ResponseReady.model_validate(reply.data)
    assert status == 200
    assert (stored["state"], stored["result"]["agent"]) == ("completed", "it-desk")
    assert stored["result"]["citations"][0]["document"] == "passwords"
    assert (reply.type, reply.source, reply.subject) == (ready.TYPE, "/parley/agent-turn", str(ready.delivery_id))
    assert ready.extensions().items() <= reply.extensions.items()
    assert (reply.extensions["traceparent"], ready.channel, nudges(broker)) == (TRACE, "slack", [])


def test_the_same_event_again_is_the_same_delivery(post, ask, row):
    """The answer stays as it was, however often the broker comes."""
    created = ask()
    (_, _, first), before = post(created), row("select * from requests")

    status, _, again = post(created)

    assert (status, again.data) == (200, first.data)
    assert row("select * from requests") == before


def test_a_polled_question_has_no_reply(post, ask, row):
    """Answered, and an empty 202."""
    status, _, reply = post(ask("Hello!", source="cli", origin=None))

    assert (status, reply) == (202, None)
    assert row("select result->>'agent' as agent from requests") == {"agent": "routing"}


def test_the_next_question_is_nudged_through_the_broker(post, ask, row, broker):
    """As a valid event, which this function answers."""
    first, second = ask(), ask("And the rules for it?")

    post(first)
    (nudge,) = nudges(broker)
    status, _, reply = post(nudge)

    assert (nudge.type, nudge.source, nudge.data) == (second.TYPE, "/parley/agent-turn", second.model_dump(mode="json"))
    assert nudge.extensions["partitionkey"] == str(second.session_id)
    assert (status, reply.data["request_id"]) == (200, str(second.request_id))
    assert row("select count(*) from requests where state = 'completed'") == {"count": 2}


def test_while_recover_is_silent_a_turn_looks_after_the_others(function, post, ask, row, broker):
    """A question whose event was lost is nudged after this one is answered; the reply does not wait for it."""
    lost, created = ask(origin=None), ask()
    row("update requests set session_id = %s, seq = 1 where id = %s", _session(row), lost.request_id)
    row("update requests set due_at = now() - interval '1 second' where id = %s", lost.request_id)
    row("insert into heartbeats (name, beat_at) values ('recover', now() - interval '4 minutes')")

    status, _, _ = post(created)
    function.close()

    assert status == 200
    assert str(lost.request_id) in [event.subject for event in broker.events]


def test_while_recover_is_alive_a_turn_minds_its_own_business(function, post, ask, row, broker):
    """Nothing is nudged, however overdue."""
    created = ask()
    row("update requests set due_at = now() - interval '1 hour'")
    row("insert into heartbeats (name) values ('recover')")

    post(created)
    function.close()

    assert nudges(broker) == []


@pytest.mark.parametrize("status", [413, 500, 503])
def test_a_broker_that_refuses_does_not_undo_the_answer(post, ask, broker, row, status):
    """The answer is committed; the question after it has a row, which is nudged when its time has passed."""
    created = ask()
    ask()
    broker.status = status

    assert post(created)[0] == 200
    assert row("select count(*) from requests where state = 'queued' and due_at is not null") == {"count": 1}


def test_a_bug_is_500_and_leaves_the_turn_to_the_next(post, ask, row):
    """Nothing of it leaves in the answer; the turn was given back, and is taken as soon as the cause is gone."""
    created = ask()
    row("alter table knowledge_chunks rename to mislaid")

    status, headers, _ = post(created)
    after = row("select state, attempt, lease_until from requests")
    row("alter table mislaid rename to knowledge_chunks")

    assert (status, headers["kne-reason"]) == (500, "internal error")
    assert after == {"state": "queued", "attempt": 1, "lease_until": None}
    assert post(created)[0] == 200


def test_a_setting_says_how_often_it_is_tried(post, ask, row, settings):
    """TURN_ATTEMPTS: after so many failures the user is told."""
    settings["TURN_ATTEMPTS"] = "1"
    created = ask()
    row("update requests set attempt = 1")

    _, _, reply = post(created)

    assert (reply.data["kind"], row("select state from requests")) == ("failure", {"state": "failed"})


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("parley.request.created", b'{"request_id": "0197-no", "session_id": "x"}', 422),
        ("parley.request.created", b"not JSON", 422),
        ("parley.response.ready", b"{}", 422),
    ],
)
def test_what_is_not_for_it_is_never_tried_again(post, kind, body, status):
    """Wrong data and wrong types go to the dead letters at once."""
    assert post(envelope.Event("1", "/test", kind, body=body))[0] == status


def test_a_request_that_does_not_exist_is_a_dead_letter(post, database):
    """With our words for it, which stay with the letter."""
    status, headers, _ = post(RequestCreated(request_id=ids.new(), session_id=ids.new()))

    assert (status, headers["kne-reason"]) == (422, "no such request")


@pytest.mark.parametrize(
    ("setting", "value"), [("DATABASE_URL", ""), ("K_SINK", ""), ("CONFIG_DIR", "/nowhere"), ("TURN_ATTEMPTS", "x")]
)
def test_it_does_not_start_with_a_wrong_setting(function, settings, setting, value):
    """One line that names what is wrong."""
    function.configure({**settings, setting: value})

    with pytest.raises(Misconfigured, match=setting if setting != "CONFIG_DIR" else "/nowhere"):
        function.ready()


def test_it_is_ready_with_database_and_agents(function, settings):
    """The broker is not needed to be ready."""
    function.configure({**settings, "K_SINK": "http://127.0.0.1:1/"})

    function.ready()


def nudges(broker):
    """What was published but the sign of life, which says that a turn has begun."""
    return [event for event in broker.events if event.type != "parley.turn.started"]


def _session(row):
    """Make another session of the same user."""
    session_id = ids.new()
    row("insert into sessions (id, user_id, expires_at) select %s, id, now() from users", session_id)
    return session_id

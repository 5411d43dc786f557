"""A turn that waits for a person: answered, expired or superseded, and the effect once, whatever restarts."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from parley.adapters.postgres.actions import Actions
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.ledger import Ledger
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.agents.config import parse
from parley.agents.loop import Answer, AskApproval, Call
from parley.channels.outcome import Delivered
from parley.domain import ids
from parley.domain.events import RequestCreated, ResponseReady
from parley.domain.overdue import Pace
from parley.domain.plan import Plan
from parley.domain.requests import NewRequest, SessionBusy, SessionWanted
from parley.turns import Turns

AGENTS = parse({"desk": {"name": "desk", "description": "Helps.", "instructions": "Help.", "entry": True}})
ORDER = Call("order", {"what": "laptop"})


class Engine:
    """Orders what it is asked for, then says what came of it; `revision` may change what it says."""

    def ask(self, agent, conversation, say):
        calls = {"Order a laptop": (ORDER,), "Order both": (ORDER, Call("order", {"what": "phone"}))}
        wanted = calls.get(conversation.question, ())[len(conversation.results) :]
        if wanted:
            return Answer("", call=wanted[0])
        said = [f"{m.role}: {m.content}" for m in conversation.history]
        return Answer(" | ".join([*said, *(result.output for result in conversation.results)]) or "Hello.")


class Tools:
    """Counts what it did; can die in the middle."""

    def __init__(self):
        self.keys, self.dies = [], False

    def again(self, name):
        return "look_up"

    def run(self, name, arguments, key, who):
        self.keys.append(key)
        if self.dies:
            raise Died
        return "ordered"

    def trusts(self, _):
        return False

    def reads(self, _):
        return False

    def look_up(self, name, key):
        return "ordered" if key in self.keys else None


class Died(BaseException):
    """The process ends here."""


@pytest.fixture
def user(database):
    return Users(database).meet("slack", "T1:U1", email="ann@example.org", name="Ann", timezone=None)


@pytest.fixture
def store(database):
    return Requests(database)


@pytest.fixture
def actions(database):
    return Actions(database)


@pytest.fixture
def say(store, user):
    """Say something in the one session; gives what became of it."""

    def make(text, **fields):
        values = {"user_id": user, "session": SessionWanted(thread="t"), "source": "slack", **fields}
        return store.accept(NewRequest(id=ids.new(), content=text, principal="p", route="r", **values))

    return make


@pytest.fixture
def tools():
    return Tools()


@pytest.fixture
def published():
    return []


@pytest.fixture
def turn(store, tools, published, rank):
    """Let agent-turn take an event; gives its reply."""

    class Broker:
        def publish(self, emit):
            published.append(emit.contract)

    def planner(held):
        return Plan("first", (rank("test", place="here"), rank("email", 2, to="a@example.org")), (), datetime.now(UTC))

    def take(created, *, revision="1", patience=3600.0):
        handler = Turns(
            store, AGENTS, Engine(), planner, Broker(), owner="me", revision=revision, tools=tools,
            policy=lambda _, call: AskApproval(call, "Order a laptop?", "write"), patience=patience,
        )  # fmt: skip
        emit = handler(created)
        return emit.contract if emit else None

    return take


@pytest.fixture
def shown(database):
    """Let the question arrive."""

    def send(ready):
        deliveries = Deliveries(database, owner="me")
        job = deliveries.claim(ready.delivery_id, ready.channel).job
        deliveries.record(job, Delivered("1"))
        return job

    return send


@pytest.fixture
def asked(say, turn, shown, actions):
    """A request that waits for a decision which its user has been asked for; gives it and the action."""
    accepted = say("Order a laptop")
    job = shown(turn(accepted.created()))
    [action] = actions.of_request(accepted.request_id)
    assert job.action.id == action.id
    return accepted, action


@pytest.fixture
def standing(rows):
    return lambda accepted: rows("select * from requests where id = %s", accepted.request_id)[0]


@pytest.fixture
def log(rows):
    """The progress log of a request: types and states, in order; its numbers have no gap."""

    def read(accepted):
        found = rows("select * from request_events where request_id = %s order by seq", accepted.request_id)
        assert [row["seq"] for row in found] == list(range(1, len(found) + 1))
        told = ("status", "requires_action", "completed", "failed", "cancelled")
        return [row["data"].get("status", row["type"]) for row in found if row["type"] in told]

    return read


# --- asking ----------------------------------------------------------------------------------------------------------


def test_a_turn_that_needs_a_decision_waits_and_asks_for_it(asked, standing, tools, log, turn):
    """Lease given back, slot kept, due at its expiry; the question says what will be done, and nothing is done."""
    accepted, action = asked

    row = standing(accepted)
    assert (row["state"], row["lease_until"], row["due_at"]) == ("requires_action", None, action.expires_at)
    assert (action.tool, action.arguments, action.summary, action.risk) == (
        "order", {"what": "laptop"}, "Order a laptop?", "write",
    )  # fmt: skip
    assert tools.keys == []
    assert log(accepted) == ["queued", "running", "requires_action", "requires_action"]
    assert turn(accepted.created()) is None, "a nudge does not hurry anybody"


def test_the_time_that_a_person_takes_is_not_the_turns(asked, standing, say, rows, actions, user):
    """The deadline is put off while the turn waits, and taken back by what was not used."""
    _accepted, action = asked
    before = rows("select deadline - created_at as left from requests")[0]["left"]

    actions.decide(action.id, user, digest=action.digest, approve=True)

    after = rows("select deadline - created_at as left from requests")[0]["left"]
    assert before.total_seconds() == pytest.approx(900 + 3600, abs=5)
    assert after.total_seconds() == pytest.approx(900, abs=60)


# --- deciding --------------------------------------------------------------------------------------------------------


def test_an_approved_action_is_done_once_and_the_turn_goes_on(asked, actions, user, turn, tools, standing, log):
    """The decision makes the request claimable and gives the nudge."""
    accepted, action = asked

    decided = actions.decide(action.id, user, digest=action.digest, approve=True)
    ready = turn(decided.emit.contract)

    assert (decided.state, decided.applied) == ("approved", True)
    assert isinstance(ready, ResponseReady)
    assert len(tools.keys) == 1
    assert standing(accepted)["result"]["text"] == "ordered"
    assert log(accepted)[4:] == ["queued", "running", "completed"]
    assert turn(decided.emit.contract).kind == "answer", "doubled: points to what is due"
    assert len(tools.keys) == 1


def test_a_denied_action_is_not_done(asked, actions, user, turn, tools, standing):
    """The model is told, and the user gets an answer all the same."""
    accepted, action = asked

    decided = actions.decide(action.id, user, digest=action.digest, approve=False)
    turn(decided.emit.contract)

    assert tools.keys == []
    assert "decided against it" in standing(accepted)["result"]["text"]


def test_only_the_first_decision_counts(asked, actions, user, turn, tools):
    """A replay of the same decision changes nothing, another one is told what was decided."""
    _accepted, action = asked
    decided = actions.decide(action.id, user, digest=action.digest, approve=True)

    again = actions.decide(action.id, user, digest=action.digest, approve=True)
    other = actions.decide(action.id, user, digest=action.digest, approve=False)
    turn(decided.emit.contract)
    late = actions.decide(action.id, user, digest=action.digest, approve=True)

    assert [(d.state, d.applied, d.emit) for d in (again, other, late)] == [("approved", False, None)] * 3
    assert len(tools.keys) == 1


def test_what_was_not_shown_is_not_decided(asked, actions, user, standing):
    """The digest is of tool and arguments: a decision about others decides nothing."""
    accepted, action = asked

    decided = actions.decide(action.id, user, digest="0" * 64, approve=True)

    assert (decided.state, decided.applied) == ("open", False)
    assert standing(accepted)["state"] == "requires_action"


def test_nobody_decides_for_somebody_else(asked, actions, database):
    """Foreign and unknown actions look the same."""
    _accepted, action = asked
    other = Users(database).meet("slack", "T1:U2", email="bob@example.org", name="Bob", timezone=None)

    assert actions.decide(action.id, other, digest=action.digest, approve=True) is None
    assert actions.decide(UUID(int=1), other, digest=action.digest, approve=True) is None


def test_an_action_that_nobody_decides_expires_and_the_turn_goes_on_without_it(
    say, turn, actions, user, tools, standing, database, rows, log
):
    """The clock is a nudge like any other: the turn is taken, and the user is told."""
    accepted = say("Order a laptop")
    turn(accepted.created(), patience=0)
    [action] = actions.of_request(accepted.request_id)

    late = actions.decide(action.id, user, digest=action.digest, approve=True)
    [nudge, *_] = Ledger(database).take_overdue(10, Pace(), lambda: 0.0)
    turn(nudge.emit.contract)

    assert (late.state, late.applied) == ("expired", False)
    assert nudge.emit.contract == accepted.created()
    assert tools.keys == []
    assert "nobody has decided" in standing(accepted)["result"]["text"]
    assert actions.of_request(accepted.request_id)[0].state == "expired"


def test_a_question_that_is_decided_is_not_asked_any_more(say, turn, actions, user, rows, database):
    """What still waited to be sent is cancelled; what is being sent finds out before it is sent again."""
    accepted = say("Order a laptop")
    ready = turn(accepted.created())
    deliveries = Deliveries(database, owner="me")
    deliveries.claim(ready.delivery_id, "test")
    [action] = actions.of_request(accepted.request_id)

    actions.decide(action.id, user, digest=action.digest, approve=True)
    rows("update deliveries set lease_until = now() - interval '1 s' where state = 'sending'")
    claimed = deliveries.claim(ready.delivery_id, "test")

    assert claimed.job is None
    states = rows("select channel, state from deliveries order by rank")
    assert [(row["channel"], row["state"]) for row in states] == [("test", "unknown"), ("email", "cancelled")]


@pytest.mark.parametrize("revision", ["1", "2"])
def test_a_restart_between_the_decision_and_the_call_does_it_once(asked, actions, user, turn, tools, revision, rows):
    """Before the call nothing has happened, after it the tool is asked: also when the agents have changed meanwhile."""
    _accepted, action = asked
    decided = actions.decide(action.id, user, digest=action.digest, approve=True)
    tools.dies = True
    with pytest.raises(Died):
        turn(decided.emit.contract)
    rows("update requests set lease_until = now() - interval '1 s'")
    tools.dies = False

    turn(decided.emit.contract, revision=revision)

    assert len(tools.keys) == 1


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "state", "calls"), [("Yes, please!", "approved", 1), ("no", "denied", 0)])
def test_a_yes_or_no_in_the_session_is_the_decision(asked, say, turn, tools, word, state, calls, actions, rows):
    """It is no question of its own: its key belongs to the request that goes on, also when it comes twice."""
    accepted, _action = asked

    answer = say(word, key="m2")
    turn(answer.created())
    again = say(word, key="m2")

    assert (answer.request_id, answer.decided) == (accepted.request_id, state)
    assert (again.request_id, again.replayed, again.state) == (accepted.request_id, True, "completed")
    assert len(tools.keys) == calls
    assert actions.of_request(accepted.request_id)[0].state == state
    assert len(rows("select id from requests")) == 1


def test_anything_else_supersedes_the_action(asked, say, turn, tools, standing, actions, log, user):
    """The turn ends, the new one begins, and knows what was proposed."""
    accepted, action = asked

    other = say("How is the weather?")
    turn(other.created())

    row = standing(accepted)
    assert (row["state"], row["error"]["type"]) == ("cancelled", "urn:parley:problem:superseded")
    assert log(accepted)[-1] == "cancelled"
    assert actions.of_request(accepted.request_id)[0].state == "superseded"
    assert "user: Order a laptop | assistant: Order a laptop?" in standing(other)["result"]["text"]
    late = actions.decide(action.id, user, digest=action.digest, approve=True)
    assert (late.state, late.applied) == ("superseded", False)
    assert tools.keys == []


def test_what_is_said_before_the_question_was_shown_waits_its_turn(say, turn, shown, standing, actions):
    """A yes to something else decides nothing, and nothing is thrown away that its user has not seen."""
    accepted = say("Order a laptop")
    ready = turn(accepted.created())

    early = say("yes")

    assert early.decided is None
    assert standing(accepted)["state"] == "requires_action"
    shown(ready)
    assert say("yes").decided == "approved"


def test_who_waited_already_comes_first_when_an_action_is_superseded(say, turn, shown):
    """The nudge is for the request whose turn it is."""
    accepted = say("Order a laptop")
    ready = turn(accepted.created())
    early = say("Is it Friday?")
    shown(ready)

    other = say("How is the weather?")

    assert other.created() == RequestCreated(request_id=early.request_id, session_id=early.session_id)


def test_who_does_not_want_to_wait_supersedes_nothing(asked, say, standing):
    """The session is busy."""
    accepted, _ = asked

    with pytest.raises(SessionBusy):
        say("How is the weather?", unless_busy=True)

    assert standing(accepted)["state"] == "requires_action"


def test_a_request_that_waits_for_a_decision_is_cancelled_at_once(asked, store, user, actions, standing, log, say):
    """Nobody holds it: it ends, its action with it, and the next one is nudged."""
    accepted, action = asked
    store.cancel(accepted.request_id, user, {"type": "t", "title": "t"})

    assert standing(accepted)["state"] == "cancelled"
    assert actions.of_request(accepted.request_id)[0].state == "superseded"
    assert log(accepted)[-1] == "cancelled"
    assert not actions.decide(action.id, user, digest=action.digest, approve=True).applied


def test_a_turn_may_ask_more_than_once(say, turn, shown, actions, user, tools, standing):
    """Each action has deliveries of its own, on the same channels."""
    accepted = say("Order both")
    shown(turn(accepted.created()))
    [first] = actions.of_request(accepted.request_id)
    decided = actions.decide(first.id, user, digest=first.digest, approve=True)

    job = shown(turn(decided.emit.contract))
    [_, second] = actions.of_request(accepted.request_id)
    decided = actions.decide(second.id, user, digest=second.digest, approve=False)
    turn(decided.emit.contract)

    assert (job.action.id, job.text) == (second.id, "Order a laptop?")
    assert len(tools.keys) == 1
    assert standing(accepted)["result"]["text"].startswith("ordered | It was not done")

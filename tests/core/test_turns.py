"""agent-turn on a real PostgreSQL: one turn at a time, journaled and fenced. Engine and broker are scripted."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest
from core.turning import AGENTS, CITATION, TRACE, Died

from parley.adapters.postgres.api import Views
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.agents.loop import Answer
from parley.channels.outcome import Delivered
from parley.domain import ids
from parley.domain.events import RequestCreated, ResponseReady
from parley.domain.plan import Plan
from parley.domain.requests import SessionWanted
from parley.errors import Rejected, Unavailable
from parley.turns import Turns


@pytest.fixture
def turns(store, engine, broker, planner):
    """Make the handler; any part of it can be another."""

    def make(*, store=store, planner=planner, owner="me", revision="r1"):
        return Turns(store, AGENTS, engine, planner, broker, owner=owner, revision=revision)

    return make


# --- a turn ----------------------------------------------------------------------------------------------------------


def test_a_question_is_answered_where_it_was_asked(turns, ask, standing, rows, broker, engine):
    """Result, agent and plan are on the row; the reply names the delivery that is due; nothing is published."""
    engine.script = [Answer("So.", (CITATION,))]
    created = ask("Why?")

    reply = turns()(created)

    row, (first, *_) = standing(created), rows("select * from deliveries order by rank")
    assert (row["state"], row["lease_until"], row["due_at"], row["agent_revision"]) == ("completed", None, None, "r1")
    assert row["result"] == {"text": "So.", "citations": [CITATION], "agent": "routing"}
    assert [rank["channel"] for rank in row["plan"]["ranks"]] == ["slack", "slack", "email"]
    assert reply.contract == ResponseReady(
        request_id=created.request_id, delivery_id=first["id"], session_id=created.session_id, channel="slack"
    )
    assert (reply.traceparent, broker.contracts) == (TRACE, [])
    assert [(name, question) for name, question, _ in engine.asked] == [("routing", "Why?")]


def test_an_answer_that_is_polled_is_sent_nowhere(turns, ask, standing, rows):
    """Without an address and without a wish there is no delivery, and so no reply."""
    created = ask(source="cli", origin=None)

    assert turns()(created) is None
    assert standing(created)["result"]["text"] == "Yes."
    assert rows("select * from deliveries") == []


def test_a_request_that_does_not_exist_is_rejected(turns, engine):
    """An event without a row carries nothing that could be answered."""
    with pytest.raises(Rejected):
        turns()(RequestCreated(request_id=ids.new(), session_id=ids.new()))

    assert engine.asked == []


def test_all_deliveries_that_are_due_are_nudged(turns, ask, broker, rank):
    """The first is the reply; the others, and the next question of the session, are published."""
    created, following = ask(), ask()
    both = (rank("email", 1, to="a"), rank("sms", 1, to="+4912345678"), rank("webhook", 2, url="https://x.example"))

    reply = turns(planner=lambda _: Plan("first", both, (), _now()))(created)

    assert reply.contract.channel == "email"
    assert [getattr(contract, "channel", None) for contract in broker.contracts] == ["sms", None]
    assert broker.contracts[1] == following


def test_the_next_question_is_the_reply_when_nothing_is_sent(turns, ask, broker):
    """One event can be returned, so none needs to be published."""
    created = ask(source="cli", origin=None)
    following = ask()

    reply = turns()(created)

    assert (reply.contract, reply.traceparent, broker.contracts) == (following, TRACE, [])


def test_a_broker_that_is_down_loses_nothing(turns, ask, broker, standing):
    """What could not be published has a row that is due; the reply goes out all the same."""
    created, following = ask(), ask()
    broker.is_down = True

    reply = turns()(created)

    assert isinstance(reply.contract, ResponseReady)
    assert standing(following)["due_at"]


# --- whose turn it is ------------------------------------------------------------------------------------------------


def test_a_turn_of_somebody_else_is_left_alone(turns, ask, store, engine, standing):
    """Leased and alive: nothing to do, and nothing to say."""
    created = ask()
    store.claim(created.request_id, owner="another", revision="r1")

    assert turns()(created) is None
    assert engine.asked == []
    assert (standing(created)["lease_owner"], standing(created)["epoch"]) == ("another", 1)


def test_one_event_many_times_at_once_is_one_turn(turns, ask, engine, rows):
    """Eight deliveries of the same event: the engine is asked once, the answer is stored once."""
    created, barrier = ask(), threading.Barrier(8)

    def run(number):
        barrier.wait()
        return turns(owner=str(number))(created)

    with ThreadPoolExecutor(8) as pool:
        replies = [reply for reply in pool.map(run, range(8)) if reply]

    assert len(engine.asked) == 1
    assert len({reply.contract for reply in replies}) == 1
    assert rows("select count(*) from messages") == [{"count": 2}]


def test_questions_of_a_session_are_answered_in_their_order(turns, ask, engine, broker):
    """A later one waits without a word, and is nudged by the end of the one before."""
    first, second = ask("one"), ask("two")

    early = turns()(second)
    turns()(first)
    (nudge,) = broker.contracts
    then = turns()(nudge)

    assert early is None
    assert then.contract.request_id == second.request_id
    assert [question for _, question, _ in engine.asked] == ["one", "two"]


def test_an_answered_question_nudges_its_delivery_again(turns, ask, engine):
    """The event came twice, or the reply was lost: the delivery that is due is named again, nothing is asked."""
    created = ask()
    first = turns()(created)

    again = turns()(created)

    assert again.contract == first.contract
    assert (again.traceparent, len(engine.asked)) == (TRACE, 1)


def test_an_answered_question_that_has_arrived_is_over(turns, ask, database):
    """Nothing is due any more, so there is no reply."""
    created = ask()
    reply = turns()(created)
    deliveries = Deliveries(database, owner="test")
    job = deliveries.claim(reply.contract.delivery_id, "slack").job
    deliveries.record(job, Delivered("ts"))

    assert turns()(created) is None


def test_a_turn_that_was_never_given_back_is_taken_over(turns, ask, impatient, standing):
    """Whoever held it has died: the lease ends, the next nudge answers, and it counts as an attempt until a step."""
    created = ask()
    impatient.claim(created.request_id, owner="dead", revision="r1")

    reply = turns()(created)

    assert isinstance(reply.contract, ResponseReady)
    assert (standing(created)["state"], standing(created)["epoch"]) == ("completed", 2)


# --- ends without an answer ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "state", "problem"),
    [
        ("cancel_requested = true", "cancelled", "cancelled"),
        ("deadline = now() - interval '1 second'", "failed", "deadline"),
        ("attempt = 6", "failed", "attempts"),
    ],
)
def test_a_question_that_cannot_be_answered_is_ended(
    turns, ask, engine, standing, rows, broker, change, state, problem
):
    """Nobody is asked; the row says why, the user is told where they asked, and the session goes on."""
    created, following = ask(), ask()
    rows(f"update requests set {change} where id = %s", created.request_id)

    reply = turns()(created)

    row = standing(created)
    assert (row["state"], row["result"], row["error"]["type"]) == (state, None, f"urn:parley:problem:{problem}")
    assert row["error"]["title"]
    if state == "cancelled":  # who has cancelled it knows
        assert (reply.contract, broker.contracts) == (following, [])
    else:
        told = (reply.contract.kind, reply.contract.channel, reply.contract.request_id)
        assert (told, broker.contracts) == (("failure", "slack", row["id"]), [following])
    assert (engine.asked, rows("select * from messages")) == ([], [])


def test_one_failure_less_is_not_too_many(turns, ask, rows, standing):
    """The last attempt counts."""
    created = ask()
    rows("update requests set attempt = 5")

    turns()(created)

    assert standing(created)["state"] == "completed"


def test_a_question_that_fails_each_time_is_given_up(turns, ask, engine, database, standing):
    """As often as allowed, then the user is told."""
    handle = turns(store=Requests(database, max_attempts=2))
    engine.script = [ValueError("bug")] * 9
    created = ask()

    for _ in range(2):
        with pytest.raises(ValueError, match="bug"):
            handle(created)
    reply = handle(created)

    assert reply.contract.kind == "failure"
    assert len(engine.asked) == 2
    assert standing(created)["error"]["type"] == "urn:parley:problem:attempts"


@pytest.mark.parametrize("moment", ["answering", "committing"])
def test_a_cancel_during_the_turn_wins_over_its_answer(turns, ask, engine, planner, rows, standing, moment):
    """Seen at the next step, or at the commit: the answer is dropped, and nothing is sent."""
    created, handle = ask(), turns()

    def cancels():
        rows("update requests set cancel_requested = true")
        return Answer("Too late.")

    if moment == "answering":
        engine.script = [cancels]
    else:
        handle = turns(planner=lambda held: cancels() and planner(held))
    reply = handle(created)

    assert (standing(created)["state"], standing(created)["result"]) == ("cancelled", None)
    assert reply is None
    assert (rows("select * from messages"), rows("select * from deliveries")) == ([], [])


def test_a_bug_in_the_planner_does_not_keep_a_request_open_for_ever(turns, ask, database_url, standing):
    """It ends without being told by any channel, and can be polled."""
    created = ask()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update requests set deadline = now() - interval '1 second'")

    def bug(_):
        raise ValueError("bug")

    assert turns(planner=bug)(created) is None
    assert standing(created)["state"] == "failed"


# --- given back, lost, taken over ------------------------------------------------------------------------------------


def test_a_model_that_is_down_gives_the_turn_back(turns, ask, engine, standing):
    """The broker hears of it, the row is free and due, no attempt is counted; the next nudge answers."""
    engine.script = [Unavailable("the model cannot be reached")]
    created = ask()

    with pytest.raises(Unavailable):
        turns()(created)
    row = standing(created)
    reply = turns()(created)

    assert (row["state"], row["attempt"], row["lease_until"], row["lease_owner"]) == ("queued", 0, None, None)
    assert row["due_at"]
    assert isinstance(reply.contract, ResponseReady)


def test_a_bug_gives_the_turn_back_as_a_failed_attempt(turns, ask, engine, standing):
    """It is raised, so that it is seen; the row is free and due, and the attempt counts."""
    engine.script = [ValueError("bug")]
    created = ask()

    with pytest.raises(ValueError, match="bug"):
        turns()(created)

    row = standing(created)
    assert (row["state"], row["attempt"], row["lease_until"]) == ("queued", 1, None)
    assert row["due_at"]


def test_a_step_that_succeeds_forgets_the_failures_before_it(turns, ask, engine, standing):
    """Attempts are counted since the last journaled step: a turn that gets on is not given up."""
    engine.script = [ValueError("bug"), Answer("", hand_over_to="desk"), ValueError("bug")]
    created = ask()

    for _ in range(2):
        with pytest.raises(ValueError, match="bug"):
            turns()(created)

    assert (standing(created)["attempt"], standing(created)["step"]) == (1, 1)


@pytest.mark.parametrize("said", [Answer("Mine."), Unavailable("down"), ValueError("bug")])
def test_who_lost_the_turn_while_answering_writes_nothing(turns, ask, engine, impatient, store, standing, rows, said):
    """No step, no answer, no end, and it does not give back what is another's; that one ends it with its own answer."""
    created, heirs = ask(), []

    def loses():
        heirs.append(store.claim(created.request_id, owner="heir", revision="r1"))
        return said

    engine.script = [loses]
    if isinstance(said, Exception):
        with pytest.raises(type(said)):
            turns(store=impatient)(created)
    else:
        assert turns(store=impatient)(created) is None

    row = standing(created)
    assert (row["state"], row["lease_owner"], row["epoch"], row["attempt"]) == ("running", "heir", 2, 1)
    assert [rows(f"select * from {table}") for table in ("steps", "messages", "deliveries")] == [[], [], []]
    store.complete(heirs[0], {"text": "His.", "citations": [], "agent": "desk"}, Plan("first", (), (), _now()))
    assert standing(created)["result"]["text"] == "His."


def test_who_lost_the_turn_before_the_commit_writes_no_answer(turns, ask, impatient, store, planner, standing, broker):
    """The step was journaled in time, the answer was not."""
    created, following = ask(), ask()

    def loses(held):
        store.claim(created.request_id, owner="heir", revision="r1")
        return planner(held)

    assert turns(store=impatient, planner=loses)(created) is None

    assert (standing(created)["state"], standing(created)["lease_owner"]) == ("running", "heir")
    assert (standing(following)["state"], broker.contracts) == ("queued", [])


# --- the journal -----------------------------------------------------------------------------------------------------


@pytest.fixture
def dies(impatient, turns):
    """A worker that dies between its last step and its commit, with its lease at an end."""

    def die(_):
        raise Died

    def run(created, **changes):
        with pytest.raises(Died):
            turns(store=impatient, planner=die, **changes)(created)

    return run


def test_a_journaled_step_is_not_done_again(turns, ask, engine, dies, standing):
    """After a crash the heir commits what the model had said, with its citations."""
    engine.script = [Answer("Once.", (CITATION,)), Answer("Twice.")]
    created = ask()

    dies(created)
    turns()(created)

    assert len(engine.asked) == 1
    assert standing(created)["result"] == {"text": "Once.", "citations": [CITATION], "agent": "routing"}


def test_all_journaled_steps_are_found_again(turns, ask, engine, dies, standing):
    """The hand-over and the answer after it."""
    engine.script = [Answer("", hand_over_to="desk"), Answer("Once."), Answer("Twice.")]
    created = ask()

    dies(created)
    turns()(created)

    assert len(engine.asked) == 2
    assert standing(created)["result"] == {"text": "Once.", "citations": [], "agent": "desk"}


def test_a_journaled_hand_over_is_not_done_again(turns, ask, engine, standing):
    """The heir goes on with the agent that was handed to."""
    engine.script = [Answer("", hand_over_to="desk"), Unavailable("down"), Answer("So.")]
    created = ask()

    with pytest.raises(Unavailable):
        turns()(created)
    turns()(created)

    assert [name for name, _, _ in engine.asked] == ["routing", "desk", "desk"]
    assert standing(created)["result"] == {"text": "So.", "citations": [], "agent": "desk"}


def test_another_configuration_decides_anew(turns, ask, engine, dies, standing):
    """What agents of another revision have said does not count."""
    engine.script = [Answer("Old."), Answer("New.")]
    created = ask()

    dies(created, revision="r1")
    turns(revision="r2")(created)

    assert len(engine.asked) == 2
    assert standing(created)["result"]["text"] == "New."


def test_a_journal_is_of_one_question(turns, ask, engine, dies, standing):
    """The next question of the session is asked, though agent and configuration are the same."""
    engine.script = [Answer("One."), Answer("Two.")]
    first, second = ask("one"), ask("two")

    dies(first)
    turns()(first)
    turns()(second)

    assert [standing(created)["result"]["text"] for created in (first, second)] == ["One.", "Two."]


def test_what_another_configuration_decided_is_found_again(turns, ask, engine, dies, standing):
    """The journal of a turn may hold steps of two revisions: each finds its own."""
    engine.script = [Answer("Old."), Answer("New."), Answer("Again.")]
    created = ask()

    dies(created, revision="r1")
    dies(created, revision="r2")
    turns(revision="r2")(created)

    assert len(engine.asked) == 2
    assert standing(created)["result"]["text"] == "New."


def test_a_bug_after_the_step_is_given_up_under_another_configuration_too(turns, ask, engine, dies, database, standing):
    """A step that is done is not journaled anew, so failures after it add up."""
    created = ask()
    dies(created, revision="r1")

    def bug(_):
        raise ValueError("bug")

    handle = turns(store=Requests(database, max_attempts=3), planner=bug, revision="r2")
    for _ in range(3):
        with pytest.raises(ValueError, match="bug"):
            handle(created)

    assert len(engine.asked) == 2
    assert standing(created)["attempt"] == 3


# --- the session -----------------------------------------------------------------------------------------------------


def test_who_was_handed_to_stays_in_charge(turns, ask, engine, rows):
    """The next question of the session begins with that agent; it may hand back."""
    engine.script = [Answer("", hand_over_to="desk"), Answer("So."), Answer("", hand_over_to="routing"), Answer("Hm.")]

    turns()(ask("one"))
    after_one = rows("select agent from sessions")
    turns()(ask("two"))

    assert [name for name, _, _ in engine.asked] == ["routing", "desk", "desk", "routing"]
    assert (after_one, rows("select agent from sessions")) == ([{"agent": "desk"}], [{"agent": "routing"}])


def test_a_turn_knows_what_was_said_before(turns, ask, engine):
    """Question and answer of each turn of the session, in order, with who answered; not those of other sessions."""
    elsewhere = SessionWanted(thread="slack:T1:C1:2.2")
    engine.script = [
        Answer("A."),
        Answer("", hand_over_to="desk"),
        *(Answer(text) for text in ("B.", "C.", "X.", "Y.")),
    ]

    turns()(ask("one"))
    turns()(ask("two"))
    turns()(ask("three"))
    turns()(ask("ex", session=elsewhere))
    turns()(ask("why", session=elsewhere))

    histories = [[(m.role, m.content, m.agent) for m in history] for _, _, history in engine.asked]
    one = [("user", "one", None), ("assistant", "A.", "routing")]
    ex = [("user", "ex", None), ("assistant", "X.", "routing")]
    assert histories == [[], one, one, [*one, ("user", "two", None), ("assistant", "B.", "desk")], [], ex]


def test_a_question_without_an_answer_is_not_told_later(turns, ask, engine, rows):
    """What failed was never said, so the next turn does not hear of it."""
    failing, then = ask("one"), ask("two")
    rows("update requests set attempt = 6 where id = %s", failing.request_id)

    turns()(failing)
    turns()(then)

    assert [(question, history) for _, question, history in engine.asked] == [("two", ())]


# --- where it goes ---------------------------------------------------------------------------------------------------


THREAD_KEY, DIRECT_KEY, MAIL_KEY = "slack:T1:C1:1.1", "slack:T1:U1", "email:ann@example.org"
NUMBER = {"sms": {"config": {"number": "+4912345678"}}}


@pytest.mark.parametrize(
    ("own", "fields", "places"),
    [
        ({}, {}, [THREAD_KEY, DIRECT_KEY, MAIL_KEY]),
        ({"slack": {"enabled": False}}, {}, [MAIL_KEY]),
        ({"email": {"config": {"address": "b@x.org"}, "rank": 1}}, {}, [THREAD_KEY, "email:b@x.org", DIRECT_KEY]),
        (NUMBER, {"origin": None, "delivery": {"channels": ["sms"]}}, ["sms:+4912345678"]),
        ({}, {"origin": None, "delivery": {"channels": ["sms"]}}, []),
        ({}, {"origin": None, "delivery": {"mode": "first"}}, [DIRECT_KEY, MAIL_KEY]),
    ],
    ids=["defaults", "no slack", "own address and rank", "own number", "no number", "ranks"],
)
def test_the_plan_is_the_users_own(turns, ask, database, user, rows, own, fields, places):
    """Defaults, the user's settings and the request's wish; the settings of others have no part in it."""
    other = Users(database).meet("slack", "T1:U2", email="bob@example.org", name="Bob", timezone=None)
    Views(database).put_integration(other, "email", {"enabled": False, "rank": None, "config": {}})
    for channel, values in own.items():
        setting = {"enabled": None, "rank": None, "config": {}, **values}
        Views(database).put_integration(user, channel, setting)

    turns()(ask(**fields))

    tried = rows("select address_key from deliveries where rank > 0 order by rank")
    assert [row["address_key"] for row in tried] == places


def _now():
    return datetime.now(UTC)


def test_turns_are_counted_and_a_takeover_is_linked_to_the_turn_before(turns, ask, impatient, engine, told):
    """The claim leaves its trace on the row, so that who takes over from a crash says from whom."""
    engine.script = [Died, Answer("So.")]
    created = ask("Why?", into=impatient)
    with pytest.raises(Died):
        turns(store=impatient)(created)

    turns(store=impatient)(created)

    outcomes = {point.attributes["parley.outcome"]: point.value for point in told.points("parley.turns")}
    claims = told.all("claim")
    [link] = told.all("invoke_agent routing")[-1].links
    assert outcomes == {"completed": 1}
    assert link.context.span_id == claims[0].context.span_id

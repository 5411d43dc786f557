"""How deliveries wait, end and follow each other, on a real PostgreSQL."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from parley.adapters.files import load_defaults
from parley.adapters.postgres.circuits import Circuits
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.endpoints import Endpoints, Notices
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.channels.outcome import Delivered, Failed, Parked, Retry
from parley.domain import ids
from parley.domain.plan import Plan, Skip
from parley.domain.quiet import Quiet
from parley.domain.requests import NewRequest, SessionWanted

DEFAULTS = load_defaults(Path(__file__).parents[2] / "config" / "integrations.yaml")
NOW = "update deliveries set not_before = null, due_at = now() where due_at is not null and state <> 'sending'"


@pytest.fixture
def sql(database_url):
    """Run one statement, past the store; gives its rows, if any."""

    def run(statement, *values):
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def states(sql):
    """The states of all deliveries, in their order."""
    return lambda: [row["state"] for row in sql("select state from deliveries order by created_at, rank")]


@pytest.fixture
def store(database):
    """The store."""
    return Deliveries(database, owner="one", tell=Notices(lambda: DEFAULTS), chance=lambda: 0.5)


@pytest.fixture
def user(database):
    """Somebody with an e-mail address and a Slack account."""
    return Users(database).meet("slack", "T1:U1", email="ann@example.org", name="Ann", timezone=None)


@pytest.fixture
def planned(database, user):
    """End a request with a plan; gives what is due."""

    def make(*ranks, mode="first", skipped=()):
        requests = Requests(database)
        new = NewRequest(
            id=ids.new(), user_id=user, session=SessionWanted(thread="t"), source="slack", content="How?",
            principal="test", route="test",
        )  # fmt: skip
        requests.accept(new)
        held = requests.claim(new.id, owner="test", revision="1")
        plan = Plan(mode, ranks, skipped, datetime.now(UTC))
        return requests.complete(held, {"text": "So.", "citations": [], "agent": "desk"}, plan)[0]

    return make


@pytest.fixture
def go(store):
    """Claim a delivery and record an outcome; gives what is due then."""

    def run(due, outcome):
        job = store.claim(due.delivery_id, due.channel).job
        return store.record(job, outcome)

    return run


# --- modes and levels ------------------------------------------------------------------------------------------------


def test_in_mode_all_every_rank_is_due_and_none_ends_another(planned, rank, go, states):
    """Three at once: one arrives, one fails, and the third is still sent."""
    first, second, third = planned(
        rank("slack", 1), rank("email", 2, to="a@x.org"), rank("sms", 3, to="+1"), mode="all"
    )

    assert go(first, Delivered("1")) is None
    assert go(second, Failed("no")) is None
    assert states() == ["delivered", "failed", "queued"]
    go(third, Delivered("3"))
    assert states() == ["delivered", "failed", "delivered"]


def test_accepted_is_enough_where_no_more_is_wanted(planned, rank, go, states):
    """The vendor took it: the next rank is not needed."""
    (due,) = planned(rank("email", 1, to="a@x.org"), rank("sms", 2, to="+1"))

    go(due, Delivered("m-1", level="accepted"))

    assert states() == ["accepted", "cancelled"]


def test_more_than_accepted_is_awaited_and_then_confirmed(planned, rank, go, store, states):
    """It stays open until the vendor says that it is there; then the next rank is not needed."""
    wanted = replace(rank("email", 1, to="a@x.org"), level="delivered")
    (due,) = planned(wanted, rank("sms", 2, to="+1"))

    go(due, Delivered("m-1", level="accepted"))
    before, verdict = states(), store.claim(due.delivery_id, "email").verdict

    assert (before, verdict) == (["accepted", "planned"], "awaiting")
    assert store.confirm("email", "m-1", "delivered")
    assert not store.confirm("email", "m-1", "delivered"), "once"
    assert not store.confirm("email", "m-2", "delivered"), "unknown"
    assert states() == ["delivered", "cancelled"]
    assert store.confirm("email", "m-1", "seen")
    assert states()[0] == "seen"


def test_what_is_not_confirmed_in_time_makes_the_next_rank_due(planned, rank, go, store, states, sql):
    """The next one says that it may also have arrived by e-mail; a confirmation that comes late ends it."""
    wanted = replace(rank("email", 1, to="a@x.org"), level="delivered")
    (due,) = planned(wanted, rank("sms", 2, to="+1"))
    go(due, Delivered("m-1", level="accepted"))
    sql("update deliveries set deadline = now() - interval '1 s' where rank = 1")

    claimed = store.claim(due.delivery_id, "email")

    assert (claimed.verdict, claimed.due.channel) == ("unconfirmed", "sms")
    assert sql("select also_by from deliveries where rank = 2") == [{"also_by": ["email"]}]
    store.confirm("email", "m-1", "delivered")
    assert states() == ["delivered", "cancelled"]


# --- quiet hours -----------------------------------------------------------------------------------------------------


def all_day(fresh=timedelta(0)):
    """Quiet hours that it is always in, but for a minute a day."""
    now = datetime.now(UTC)
    end = (now - timedelta(minutes=2)).time().replace(second=0, microsecond=0)
    return Quiet((now - timedelta(minutes=1)).time().replace(second=0, microsecond=0), end, "UTC", fresh)


def test_what_interrupts_is_deferred_and_loses_no_patience(planned, rank, store, states, sql):
    """Not sent before, due then, and its patience begins then."""
    until = datetime.now(UTC) + timedelta(hours=8)
    due = planned(replace(rank("sms", 1, to="+1", patience=600), not_before=until, quiet=Quiet(time(22), time(7))))

    [row] = sql("select id, deadline - due_at as left, due_at = not_before as waits from deliveries")
    assert (due, states()) == ([], ["deferred"])
    assert (row["left"], row["waits"]) == (timedelta(seconds=600), True)
    assert store.claim(row["id"], "sms").verdict == "early"
    sql(NOW)
    assert store.claim(row["id"], "sms").verdict == "take"


def test_a_later_rank_is_deferred_when_its_turn_comes(planned, rank, go, states):
    """Quiet hours are looked at then and not before, and nobody is nudged."""
    (due,) = planned(rank("email", 1, to="a@x.org"), replace(rank("sms", 2, to="+1"), quiet=all_day()))

    assert go(due, Failed("no")) is None
    assert states() == ["failed", "deferred"]


def test_a_later_rank_of_a_fresh_question_is_not(planned, rank, go, states):
    """Who has just asked is waiting."""
    quiet = all_day(fresh=timedelta(minutes=15))
    (due,) = planned(rank("email", 1, to="a@x.org"), replace(rank("sms", 2, to="+1"), quiet=quiet))

    assert go(due, Failed("no")).channel == "sms"


def test_a_deferred_one_holds_up_nobody(planned, rank, store):
    """An answer to something just asked overtakes one that waits for the morning."""
    until = datetime.now(UTC) + timedelta(hours=8)
    planned(replace(rank("sms", 1, to="+1"), not_before=until, quiet=all_day()))

    (fresh,) = planned(rank("sms", 1, to="+1"))

    assert store.claim(fresh.delivery_id, "sms").verdict == "take"


# --- what may not be used any more -----------------------------------------------------------------------------------


def test_who_turns_a_channel_off_meanwhile_gets_nothing_there(planned, rank, store, states, sql, user):
    """Off is never, also for what was planned before: skipped, with the reason, and the next rank is due."""
    (due,) = planned(rank("sms", 1, to="+1"), rank("email", 2, to="a@x.org"))
    sql("insert into user_integrations (id, user_id, channel, enabled) values (%s, %s, 'sms', false)", ids.new(), user)

    claimed = store.claim(due.delivery_id, "sms")

    assert (claimed.verdict, claimed.job, claimed.due.channel) == ("skipped", None, "email")
    assert states() == ["skipped", "queued"]
    assert sql("select reason from deliveries where rank = 1") == [{"reason": "the user has turned it off"}]


def test_what_is_locked_cannot_be_turned_off(planned, rank, store, sql, user):
    """The plan has ignored the user's wish, and so does the claim."""
    (due,) = planned(replace(rank("sms", 1, to="+1"), locked=True))
    sql("insert into user_integrations (id, user_id, channel, enabled) values (%s, %s, 'sms', false)", ids.new(), user)

    assert store.claim(due.delivery_id, "sms").verdict == "take"


def test_nothing_left_is_undeliverable(planned, rank, go, states):
    """The last rank that fails says so; one that may have arrived does not."""
    (due,) = planned(rank("sms", 1, to="+1"), rank("email", 2, to="a@x.org"))

    go(go(due, Failed("no")), Failed("no"))

    assert states() == ["failed", "undeliverable"]


def test_nothing_to_try_is_undeliverable(planned, states, sql):
    """All of it was skipped: a row says why."""
    planned(skipped=(Skip("sms", "no telephone number is known"),))

    assert states() == ["undeliverable"]
    assert sql("select reason from deliveries") == [{"reason": "no telephone number is known"}]


# --- growing pauses --------------------------------------------------------------------------------------------------


def test_pauses_grow_by_the_channels_own_schedule(planned, rank, go, sql):
    """The first are the broker's, which come after a lease; then five minutes, thirty, two hours; success resets."""
    (due,) = planned(replace(rank("webhook", 1, patience=90_000, url="u"), retry=(5.0, 300.0, 1800.0, 7200.0)))
    pauses = []

    for _ in range(5):
        go(due, Retry("down"))
        [row] = sql("select extract(epoch from due_at - updated_at) as pause, not_before from deliveries")
        pauses.append((round(row["pause"]), row["not_before"] is not None))
        sql(NOW)

    assert pauses == [(60, False), (300, True), (1800, True), (7200, True), (7200, True)]


# --- circuits --------------------------------------------------------------------------------------------------------


@pytest.fixture
def parked(planned, rank, go):
    """A delivery by Slack that was parked, and the one that became due instead."""
    place = replace(rank("slack", 1), circuit="slack:T1")
    (due,) = planned(place, rank("email", 2, to="a@x.org"))
    return due, go(due, Parked("the token was revoked", "token_revoked"))


def test_parked_is_kept_and_the_next_rank_is_due(parked, states, database):
    """The person gets it by e-mail now, the message is not failed, and operators see why."""
    _, following = parked

    assert (following.channel, states()) == ("email", ["parked", "queued"])
    [alert] = Circuits(database).open()
    assert (alert["name"], alert["code"], alert["parked"]) == ("slack:T1", "token_revoked", 1)


def test_others_of_the_same_workspace_are_parked_without_being_tried(parked, planned, rank, store, states, sql):
    """Nobody asks again with a key that was refused; another workspace goes on."""
    same = replace(rank("slack", 1, workspace="T1", conversation="C2"), circuit="slack:T1")
    other = replace(rank("slack", 1, workspace="T2", conversation="C1"), circuit="slack:T2")
    (second,), (third,) = planned(same), planned(other)

    assert store.claim(second.delivery_id, "slack").verdict == "tripped"
    assert store.claim(third.delivery_id, "slack").verdict == "take"
    assert states() == ["parked", "queued", "parked", "sending"]


def test_one_tries_and_success_releases_all(parked, planned, rank, store, states, sql):
    """After the pause the first one is sent, others wait for it; when it arrives, all that is parked is due."""
    same = replace(rank("slack", 1, workspace="T1", conversation="C2"), circuit="slack:T1")
    (second,) = planned(same)
    store.claim(second.delivery_id, "slack")
    sql(NOW)
    sql("update circuits set until = now()")

    job = store.claim(second.delivery_id, "slack").job
    waiting = store.claim(parked[0].delivery_id, "slack").verdict
    store.record(job, Delivered("1"))

    assert (job is not None, waiting) == (True, "tripped")
    assert states() == ["queued", "queued", "delivered"]
    assert sql("select * from circuits") == []


def test_when_the_fallback_arrived_the_parked_one_is_not_needed(parked, go, states):
    """Once is enough."""
    go(parked[1], Delivered("m"))

    assert states() == ["cancelled", "delivered"]


def test_somebody_who_knows_closes_it(parked, database, states):
    """Operators need not wait for the next trial."""
    assert Circuits(database).cured("slack:T1") == 1
    assert states() == ["queued", "queued"]


# --- receivers -------------------------------------------------------------------------------------------------------


@pytest.fixture
def hook(sql, user):
    """A registered receiver; gives its id."""
    id_ = ids.new()
    sql(
        "insert into user_integrations (id, user_id, channel, config) values (%s, %s, 'webhook', '{\"url\": \"https://x.example\"}')",
        id_, user,
    )  # fmt: skip
    return id_


@pytest.fixture
def hooked(planned, rank, hook):
    """Plan an answer to the receiver."""
    place = rank("webhook", 1, url="https://x.example", integration=str(hook), patience=90_000)
    return lambda: planned(replace(place, circuit=f"webhook:{hook}"))[0]


def test_gone_disables_the_receiver_and_its_owner_is_told_elsewhere(hooked, go, sql, database, hook, store):
    """410: not called again, and a message says so by another channel; later answers skip it."""
    due = hooked()

    go(due, Failed("the receiver is gone", "410", disables=True))

    [notice] = sql("select channel, notice, state, address from deliveries where kind = 'notice' and rank = 1")
    assert (notice["channel"], notice["state"]) == ("slack", "queued")
    assert notice["notice"].startswith("Your webhook https://x.example is in trouble: the receiver is gone")
    later = hooked()
    assert store.claim(later.delivery_id, "webhook").verdict == "skipped"
    Endpoints(database).enable(hook, "webhook")
    assert store.claim(hooked().delivery_id, "webhook").verdict == "take"


def test_an_hour_without_success_opens_it_once_and_tells_once(hooked, go, sql, hook):
    """Five failures over more than an hour: parked from then on, and one notice."""
    due = hooked()
    for _ in range(4):
        go(due, Retry("no answer"))
        sql(NOW)
    sql("update circuits set failing_since = failing_since - interval '2 hours'")

    go(due, Retry("no answer"))

    assert sql("select state from deliveries where kind = 'answer'") == [{"state": "parked"}]
    for _ in range(2):
        sql(NOW)
        sql("update circuits set until = now()")
        go(due, Retry("no answer"))
    assert sql("select count(*) as n from deliveries where kind = 'notice' and rank = 1") == [{"n": 1}]


def test_five_days_without_success_disable_it(hooked, go, sql, states):
    """Nobody burns on a receiver that is not there; its owner is told what to do."""
    due = hooked()
    go(due, Retry("no answer"))
    sql(NOW)
    sql("update circuits set failing_since = now() - interval '6 days', failures = 9, trips = 3, until = now()")

    go(due, Retry("no answer"))

    [row] = sql("select disabled_reason from endpoints")
    assert row["disabled_reason"].startswith("nothing has arrived there since")
    assert "not called any more" in sql("select notice from deliveries where kind = 'notice' and rank = 1")[0]["notice"]


def test_a_rate_that_was_agreed_is_kept(hooked, sql, store, database, hook):
    """Two in a minute: the second one waits for half of it."""
    Endpoints(database).consented(str(hook), 2.0)
    first = store.claim(hooked().delivery_id, "webhook").verdict
    sql("update deliveries set state = 'delivered', due_at = null, lease_until = null")

    second = store.claim(hooked().delivery_id, "webhook")

    assert (first, second.verdict) == ("take", "early")
    assert 20 < second.pause <= 30


def test_a_new_secret_overlaps_with_the_one_before(database, hook):
    """Each rotation is a new generation; until when both sign is said."""
    endpoints = Endpoints(database)

    (second, until), (third, _) = endpoints.rotate(hook, 3600), endpoints.rotate(hook, 3600)

    assert (second, third, endpoints.of(hook)["generation"]) == (2, 3, 3)
    assert 3500 < (until - datetime.now(UTC)).total_seconds() <= 3600


def test_a_range_is_replayed_in_order(hooked, go, database, hook, user, states):
    """What failed is due once more, the oldest first; what arrived only when it is asked for."""
    first, second, third = hooked(), hooked(), hooked()
    go(first, Failed("no"))
    go(second, Delivered("2"))
    go(third, Failed("no"))
    now = datetime.now(UTC)
    span = (now - timedelta(hours=1), now + timedelta(hours=1))

    failed = Endpoints(database).replay(user, "webhook", hook, *span, only_failed=True)

    assert [one.delivery_id for one in failed] == [first.delivery_id, third.delivery_id]
    assert states() == ["queued", "delivered", "queued"]
    assert [one.delivery_id for one in Endpoints(database).replay(user, "webhook", hook, *span, only_failed=False)] == [
        second.delivery_id
    ]
    assert not Endpoints(database).replay(ids.new(), "webhook", hook, *span, only_failed=False), "of others nothing"

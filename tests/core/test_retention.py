"""Purging on a real PostgreSQL: what is old enough goes, what is open or needed stays, in short batches."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from parley import envelope
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.ledger import Ledger
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.sign_ins import SignIns
from parley.adapters.postgres.users import Users
from parley.channels.outcome import Delivered
from parley.domain import ids
from parley.domain.overdue import Pace
from parley.domain.requests import NewRequest, SessionWanted
from parley.domain.retention import KEPT, PURGED, Retention
from parley.errors import Unavailable
from parley.recovery import Recovery

TICK = envelope.Event("1", "/ping", "dev.knative.sources.ping", body=b"{}")
NEVER = {field.name: 100_000 for field in fields(Retention)}


class Broker:
    def publish(self, emit):
        """Take it."""


@pytest.fixture
def recovery(database):
    """Make the handler; settings as it ships, or others."""

    def make(**changes):
        return Recovery(Ledger(database), Broker(), **{"pace": Pace(), **changes})

    return make


@pytest.fixture
def user(database):
    return Users(database).meet("slack", "T1:U1", email="ann@example.org", name="Ann", timezone=None)


@pytest.fixture
def ask(database, user):
    """Store a question, by default in a session of its own; gives its id."""

    def make(session=None, key=None):
        new = NewRequest(
            id=ids.new(), user_id=user, session=SessionWanted(thread=session), source="cli", content="Why?",
            principal="test", route="test", key=key, fingerprint="f",
        )  # fmt: skip
        return Requests(database).accept(new).request_id

    return make


@pytest.fixture
def old(database_url):
    """Let days pass for everything that is stored."""

    def make(days):
        with psycopg.connect(database_url, autocommit=True) as connection:
            columns = connection.execute(
                "select p.tablename, array_agg(c.column_name::text) from pg_tables p join information_schema.columns c"
                " on c.table_name = p.tablename and c.table_schema = p.schemaname"
                " where p.schemaname = 'public' and c.data_type = 'timestamp with time zone' group by 1"
            ).fetchall()
            for table, names in columns:
                moved = sql.SQL(", ").join(
                    sql.SQL("{0} = {0} - {1}").format(sql.Identifier(name), timedelta(days=days)) for name in names
                )
                connection.execute(sql.SQL("update {} set {}").format(sql.Identifier(table), moved))

    return make


@pytest.fixture
def counts(rows):
    """Give the number of rows of these tables, those that have none left out."""

    def count(tables):
        found = {table: rows(sql.SQL("select count(*) as n from {}").format(sql.Identifier(table)))[0]["n"]
                 for table in tables}  # fmt: skip
        return {table: n for table, n in found.items() if n}

    return count


@pytest.fixture
def everything(database, answered, rank, rows, recovery, user):
    """A row in every table, of things that are over."""
    (due,) = answered(rank("email", 1, to="a@example.org"), rank("sms", 2, to="+4912345678"))
    store = Deliveries(database, owner="test")
    store.record(store.claim(due.delivery_id, "email").job, Delivered())
    rows(
        "insert into steps (request_id, step, kind, fingerprint, state, epoch) select id, 0, 'model', 'f', 'done', 1"
        " from requests"
    )
    rows(
        "insert into idempotency_keys (principal, route, key, fingerprint, request_id)"
        " select 'p', 'r', 'k', 'f', id from requests"
    )
    rows(
        "insert into actions (id, request_id, step, fingerprint, tool, arguments, digest, risk, summary, state,"
        " decided_at, expires_at) select gen_random_uuid(), id, 1, 'f', 't', '{}', 'd', 'write', 's', 'denied', now(),"
        " now() from requests"
    )
    recovery()(envelope.Event("1", "/x", "x", extensions={"knativeerrordest": "http://x/"}))
    recovery()(envelope.Event("2", "/x", "x", extensions={"knativeerrordest": "http://x/"}))
    rows("update dead_letters set replayed_at = now() where event_id = '2'")
    Keys(database).create(email="ann@example.org", role="user", name="one", days=1)
    SignIns(database).link(user, "user")
    rows("insert into audit_log (actor, action, object) values ('ann', 'replay', 'x')")
    rows("insert into sessions (id, user_id, expires_at) values (%s, %s, now())", ids.new(), user)
    rows("insert into user_integrations (id, user_id, channel) values (%s, %s, 'email')", ids.new(), user)
    rows("insert into endpoints (integration_id) select id from user_integrations")
    rows("insert into circuits (name, failing_since, failures, trips) values ('email', now(), 1, 0)")
    rows("insert into spool (source, id, event) values ('s', '1', '{}')")
    rows("insert into slack_installations (workspace, bot_token, installed_by) values ('T1', 'x', %s)", user)
    rows("insert into knowledge_documents (id, base, slug, title, digest) values (%s, 'b', 's', 't', 'd')", ids.new())
    rows(
        "insert into knowledge_chunks (document_id, ordinal, heading, anchor, content, search)"
        " select id, 1, 'h', 'a', 'c', '' from knowledge_documents"
    )
    rows("insert into token_usage (user_id, day) values (%s, now()::date)", user)
    rows("insert into desk_employees values ('ann@example.org', 'Ann', 'EMEA', 'France', 'design')")
    rows("insert into desk_laptops values ('AF100001', 'ann@example.org', 'Mac 14', '2024-01-01')")
    rows(
        "insert into desk_tickets (email, kind, summary, effect_key, opened_by)"
        " values ('ann@example.org', 'request', 's', gen_random_uuid(), 'desk')"
    )
    rows("insert into desk_effects (effect_key, number, outcome) select effect_key, number, 'x' from desk_tickets")
    rows(
        "insert into slack_messages (request_id, kind, part, conversation, state)"
        " select id, 'answer', 0, 'C1', 'starting' from requests"
    )
    rows("insert into paces (key, next_at) values ('slack:T1:C1', now())")
    rows("insert into suppressions (kind, address, reason) values ('email', 'gone@example.org', 'bounce')")
    rows("insert into knowledge_bases (name) values ('b')")
    rows("insert into knowledge_models (name, dimension) values ('m', 1)")
    rows("insert into knowledge_embeddings (model, digest, embedding) select id, 'd', '[1]' from knowledge_models")
    rows("insert into knowledge_words (base, language, lexeme, chunks) values ('b', 'english', 'l', 1)")
    rows("insert into knowledge_quarantine (base, source, reason) values ('b', 's', 'r')")
    rows("insert into heartbeats (name) values ('recover')")
    rows("insert into request_feedback (request_id, user_id, rating) select id, user_id, 'up' from requests")
    rows(
        "insert into escalations (id, request_id, session_id, user_id)"
        " select gen_random_uuid(), id, session_id, user_id from requests"
    )
    rows("insert into rate_limits (principal, tokens, allowed, taken_at) values ('user:1', 1, true, now())")


# --- what goes and what stays ----------------------------------------------------------------------------------------


def test_nothing_that_is_purged_is_there_after_a_year_and_all_that_is_kept_is(everything, recovery, old, counts):
    """Every table that has a rule is emptied by it; every other one is as it was."""
    before = counts([*PURGED, *KEPT])
    assert set(before) == set(PURGED) | set(KEPT), "the test has a row of each"
    old(400)

    recovery().purge()

    after = counts([*PURGED, *KEPT])
    assert set(after) == set(KEPT)
    assert {table: n for table, n in after.items() if table != "heartbeats"} == {
        table: n for table, n in before.items() if table in KEPT and table != "heartbeats"
    }


def test_nothing_goes_before_its_time(everything, recovery, old, counts):
    """Most of a day is within every rule."""
    before = counts(PURGED)
    old(0.9)

    assert recovery().purge() == 0
    assert counts(PURGED) == before


@pytest.mark.parametrize(
    ("days", "gone"),
    [
        (2, {"api_keys": 1, "paces": 1}),
        (8, {"idempotency_keys": 1, "sessions": 1, "rate_limits": 1, "api_keys": 1, "paces": 1}),
        (31, {"idempotency_keys": 1, "sessions": 1, "rate_limits": 1, "api_keys": 1, "paces": 1, "dead_letters": 1}),
        (89, {"idempotency_keys": 1, "sessions": 1, "rate_limits": 1, "api_keys": 1, "paces": 1, "dead_letters": 1}),
        (92, {"idempotency_keys": 1, "sessions": 2, "rate_limits": 1, "dead_letters": 2, "requests": 1, "messages": 2,
              "steps": 1, "request_events": 3, "actions": 1, "deliveries": 2, "delivery_attempts": 1, "api_keys": 2,
              "paces": 1, "request_feedback": 1, "escalations": 1, "slack_messages": 1}),
    ],
)  # fmt: skip
def test_each_has_its_own_time(everything, recovery, old, counts, days, gone):
    """As it ships: a day, a week, a month, a quarter, a year."""
    before = counts(PURGED)
    old(days)

    recovery().purge()

    after = counts(PURGED)
    assert {table: before[table] - after.get(table, 0) for table in before if before[table] != after.get(table)} == gone


@pytest.mark.parametrize("rule", [field.name for field in fields(Retention)])
def test_each_rule_is_a_setting(everything, recovery, old, counts, rule):
    """What it says goes, and nothing else."""
    old(2)
    before = counts(PURGED)

    recovery(retention=Retention(**{**NEVER, rule: 0.5})).purge()

    after = counts(PURGED)
    changed = {table for table in before if before[table] != after.get(table)}
    assert changed <= {table for table, rules in PURGED.items() if rule in rules}
    assert changed


def test_a_huge_number_of_days_means_never(everything, recovery, old, counts):
    """And breaks nothing."""
    before = counts(PURGED)
    old(400)

    assert recovery(retention=Retention(**{field.name: 1e15 for field in fields(Retention)})).purge() == 0
    assert counts(PURGED) == before


# --- what is open, and what it needs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["queued", "running", "requires_action"])
def test_an_open_request_and_what_was_said_before_it_stay(answered, rank, database, rows, recovery, old, counts, state):
    """A turn reads the history of its session, however old that is."""
    for _ in range(3):
        answered()
    rows(
        "update requests set state = %s, due_at = now(), result = null,"
        " lease_until = case when %s = 'running' then now() end where seq = 3",
        state, state,
    )  # fmt: skip
    before = counts(PURGED)
    old(400)

    assert recovery().purge() == 0
    assert counts(PURGED) == before


def test_an_old_request_goes_when_what_needed_it_has_ended(answered, rows, recovery, old, counts):
    """Then each has its own time."""
    answered()
    old(400)
    answered()
    rows("update requests set state = 'queued', due_at = now(), result = null where seq = 2")
    assert recovery().purge() == 0
    rows("update requests set state = 'failed', due_at = null where seq = 2")
    rows("delete from heartbeats")

    assert recovery().purge() == 1
    assert rows("select seq from requests") == [{"seq": 2}]
    assert counts(["sessions", "messages"]) == {"sessions": 1, "messages": 2}


@pytest.mark.parametrize("state", ["queued", "sending", "parked"])
def test_an_answer_that_is_still_to_be_delivered_stays(answered, rank, rows, recovery, old, state):
    """The channel tells what the request's row says."""
    answered(rank("email", 1, to="a@example.org"), rank("sms", 2, to="+4912345678"))
    rows(
        "update deliveries set state = %s, lease_until = case when %s = 'sending' then now() end where rank = 1",
        state, state,
    )  # fmt: skip
    old(400)

    assert recovery().purge() == 0


def test_a_key_of_an_open_request_stays(ask, rows, recovery, old):
    """The same call again is the same request as long as that is not answered."""
    ask(key="k")
    old(400)

    assert recovery().purge() == 0
    assert rows("select key from idempotency_keys") == [{"key": "k"}]


def test_keys_that_are_valid_stay(database, recovery, old, rows):
    """However old they are."""
    Keys(database).create(email="ann@example.org", role="user", name="forever")
    Keys(database).create(email="ann@example.org", role="user", name="long", days=500)
    old(400)

    assert recovery().purge() == 0
    assert rows("select count(*) from api_keys") == [{"count": 2}]


def test_a_session_that_somebody_works_in_is_left_to_the_next_time(answered, recovery, old, rows, database):
    """Nobody waits for the purge, and the purge for nobody."""
    answered()
    old(400)
    with database.transaction() as tx:
        (row,) = rows("select id from requests")
        tx.row("lock_session_of", id=row["id"])
        assert recovery().purge() == 0
    rows("delete from heartbeats")

    assert recovery().purge() == 1


def test_a_question_that_comes_while_its_session_is_purged_is_kept_with_it(
    answered, ask, recovery, old, rows, database
):
    """Whoever is first has the session: the question finds its history, or none, and is never lost."""
    for _ in range(10):
        answered()
        old(400)
        barrier = threading.Barrier(2)

        def accept(barrier=barrier):
            barrier.wait()
            try:
                return ask(session="slack:T1:C1:1700000000.000100")
            except Unavailable:
                return ask(session="slack:T1:C1:1700000000.000100")

        def purge(barrier=barrier):
            barrier.wait()
            recovery().purge()

        with ThreadPoolExecutor(2) as pool:
            asked, purged = pool.submit(accept), pool.submit(purge)
            request = asked.result()
            purged.result()
        (row,) = rows("select state from requests where id = %s", request)
        assert row == {"state": "queued"}
        rows("update requests set state = 'failed', due_at = null, finished_at = now() where id = %s", request)
        rows("delete from heartbeats")


# --- how -------------------------------------------------------------------------------------------------------------


def test_a_purge_goes_in_batches_until_nothing_is_left(answered, recovery, old, counts):
    """Each is a transaction of its own."""
    for _ in range(7):
        answered()
    old(400)

    assert recovery(batch=2).purge() == 7
    assert counts(PURGED) == {}


def test_a_purge_ends_when_its_time_is_up_and_the_next_one_goes_on(answered, recovery, old, rows):
    """After 45 s no batch is begun."""
    for _ in range(3):
        answered()
    old(400)
    clock = iter([0.0, 0.0, 1.0, 44.9, *[45.0] * 20]).__next__

    assert recovery(batch=1, clock=clock).purge() == 2
    rows("delete from heartbeats")
    assert recovery(batch=1).purge() == 1


def test_a_tick_purges_at_most_once_an_hour(answered, recovery, rows, old):
    """By the database's clock, whichever instance ticks."""
    answered()
    old(400)
    recovery()(TICK)
    answered()
    old(400)
    rows("update heartbeats set beat_at = now() - interval '59 minutes'")
    recovery()(TICK)
    between = rows("select count(*) from requests")
    rows("update heartbeats set beat_at = now() - interval '60 minutes' where name = 'purge'")
    recovery()(TICK)

    assert between == [{"count": 1}]
    assert rows("select count(*) from requests") == [{"count": 0}]


def test_of_many_at_once_one_purges(recovery, database):
    """The heartbeat is taken by one statement."""
    barrier = threading.Barrier(8)

    def may(_):
        barrier.wait()
        return Ledger(database).may_purge(3600)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(may, range(8))) == 1


def test_purges_at_once_share_the_work(answered, database, old, counts):
    """Nothing is in the way of anything."""
    for _ in range(12):
        answered()
    old(400)
    barrier = threading.Barrier(4)

    def purge(_):
        barrier.wait()
        return sum(Ledger(database).purge("requests", 86_400, 2) for _ in range(12))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(purge, range(4)))
    Ledger(database).purge("requests", 86_400, 100)

    assert counts(PURGED) == {}


def test_a_sweep_that_took_all_the_time_leaves_the_purge_to_the_next_tick(recovery, rows):
    """Nobody has taken the hour's turn."""
    clock = iter([0.0, 0.0, 45.0]).__next__

    recovery(clock=clock)(TICK)

    assert rows("select name from heartbeats") == [{"name": "recover"}]


def test_a_purge_that_failed_is_whole_the_next_hour(answered, recovery, old, rows, counts):
    """What is gone is gone, the rest is there; nothing is half deleted."""
    for _ in range(3):
        answered()
    old(400)
    rows("alter table audit_log rename to mislaid")
    with pytest.raises(psycopg.errors.UndefinedTable):
        recovery(batch=1).purge()
    rows("alter table mislaid rename to audit_log")
    rows("delete from heartbeats")

    assert recovery().purge() == 0
    assert counts(PURGED) == {}

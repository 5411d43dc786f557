"""Row-level security on a real PostgreSQL: what a forgotten check in the API would show, the database does not."""

import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from parley.adapters.postgres.database import also_seeing, seeing
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.channels.outcome import Delivered
from parley.domain import ids
from parley.domain.plan import Plan, Rank
from parley.domain.requests import NewRequest, SessionWanted

# Without policies, and why that is right.
OPEN = {
    "schema_migrations": "what the schema is",
    "heartbeats": "who is alive",
    "rate_limits": "counters of callers, without content",
    "idempotency_keys": "hashes: a key is looked up by its owner's id",
    "knowledge_bases": "what there is to know",
    "knowledge_models": "by what it is found",
    "knowledge_words": "the words that there are",
}
OWNERS = {
    "users": "id", "user_identities": "user_id", "sessions": "user_id", "requests": "user_id", "deliveries": "user_id",
    "token_usage": "user_id", "user_integrations": "user_id", "api_keys": "user_id", "request_feedback": "user_id",
    "escalations": "user_id",
}  # fmt: skip
PARTS = {
    "messages": "request_id", "steps": "request_id", "request_events": "request_id", "actions": "request_id",
    "delivery_attempts": "delivery_id",
}  # fmt: skip


@pytest.fixture
def person(database, rows):
    """Somebody with an answer that was delivered, and with a row in every table that has owners."""

    def make():
        email = f"{uuid.uuid4().hex}@example.org"
        user_id = Users(database).meet("email", email, email=email, name="Ann", timezone=None)
        store = Requests(database)
        new = NewRequest(
            id=ids.new(),
            user_id=user_id,
            session=SessionWanted(),
            source="cli",
            content="Why?",
            principal="p",
            route="r",
        )
        store.accept(new)
        turn = store.claim(new.id, owner="t", revision="1")
        store.journal(turn, kind="model", fingerprint="f", output={})
        rank = Rank("test", 1, {"to": "a"}, f"test:{user_id}", timedelta(minutes=30))
        result = {"text": "So.", "citations": [], "agent": "desk"}
        [due], _ = store.complete(turn, result, Plan("first", (rank,), (), datetime.now(UTC)))
        sent = Deliveries(database, owner="t")
        sent.record(sent.claim(due.delivery_id, "test").job, Delivered("id"))
        values = (user_id, new.id)
        rows("insert into user_integrations (id, user_id, channel) values (gen_random_uuid(), %s, 'email')", user_id)
        rows("insert into token_usage (user_id, day) values (%s, now())", user_id)
        rows("insert into request_feedback (user_id, request_id, rating) values (%s, %s, 'up')", *values)
        rows(
            "insert into escalations (id, request_id, session_id, user_id)"
            " select gen_random_uuid(), id, session_id, user_id from requests where id = %s", new.id,
        )  # fmt: skip
        rows(
            "insert into actions (id, request_id, step, fingerprint, tool, arguments, digest, risk, summary, state,"
            " decided_at, expires_at) values (gen_random_uuid(), %s, 1, 'f', 't', '{}', 'd', 'r', 's', 'denied', now(),"
            " now())", new.id,
        )  # fmt: skip
        rows(
            "insert into api_keys (id, prefix, digest, user_id, role, name)"
            " values (gen_random_uuid(), %s, 'x', %s, 'user', 'k')", uuid.uuid4().hex[:8], user_id,
        )  # fmt: skip
        return user_id

    return make


@pytest.fixture
def rows(database_url):
    def read(query, *values):
        with psycopg.connect(database_url, autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    return read


@pytest.fixture
def count(database):
    """How many rows of a table are seen here and now."""

    def look(table):
        with database.transaction() as tx:
            found = tx._connection.execute(sql.SQL("select count(*) as n from {}").format(sql.Identifier(table)))
            return found.fetchone()["n"]

    return look


def test_every_table_has_a_wall_or_a_reason(rows):
    """A new table is closed to the API's role, or is on the list with why it need not be."""
    tables = dict(rows("select relname, relrowsecurity from pg_class where relkind in ('r', 'p')"
                       " and relnamespace = 'public'::regnamespace"))  # fmt: skip

    assert {name for name, has_wall in tables.items() if not has_wall} == set(OPEN)


@pytest.mark.parametrize("table", [*OWNERS, *PARTS])
def test_each_sees_only_their_own(person, count, rows, table):
    """Of every table exactly one's own rows; of nobody's, none; without a wall, all, also on the same connection."""
    ann, bob = person(), person()
    everything = count(table)

    seen = []
    for people in ((ann,), (bob,), (ann, bob), (), (uuid.uuid4(),)):
        with seeing(people):
            seen.append(count(table))

    assert seen[0] > 0
    assert seen[1] > 0
    assert seen == [seen[0], seen[1], everything, 0, 0]
    assert count(table) == everything


@pytest.mark.parametrize("table", [*OWNERS, *PARTS])
def test_what_is_not_seen_is_not_changed(person, database, rows, table):
    """Update and delete of everything touch one's own at most."""
    ann, bob = person(), person()
    column = OWNERS.get(table) or PARTS[table]
    of_bob = "select t.* from {t} t where t.{c} in (select id from deliveries where user_id = %s union"
    of_bob += " select id from requests where user_id = %s union select %s::uuid)"
    query = sql.SQL(of_bob).format(t=sql.Identifier(table), c=sql.Identifier(column)).as_string(None)
    before = rows(query, bob, bob, bob)

    with seeing((ann,)), database.transaction() as tx:
        name = sql.Identifier(table)
        tx._connection.execute(sql.SQL("update {t} set {c} = {c}").format(t=name, c=sql.Identifier(column)))
        # Of one's own, something may refer to it.
        with suppress(psycopg.errors.ForeignKeyViolation), tx._connection.transaction():
            tx._connection.execute(sql.SQL("delete from {}").format(name))

    assert rows(query, bob, bob, bob) == before != []


def test_nobody_writes_in_the_name_of_another(person, database):
    """A row for somebody else is refused by the database itself."""
    ann, bob = person(), person()

    with seeing((ann,)), pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction() as tx:
        tx.run("create_session", id=ids.new(), user_id=bob, title=None, metadata={}, idle=60)


@pytest.mark.parametrize("table", ["dead_letters", "slack_installations", "spool", "desk_tickets", "suppressions"])
def test_what_is_nobodys_is_closed(person, count, rows, table):
    """Events, tokens and letters are not for the API's role at all."""
    ann = person()
    rows("insert into dead_letters (id, event, source, event_id, type, destination)"
         " values (gen_random_uuid(), '{}', 's', '1', 't', 'd')")  # fmt: skip

    with seeing((ann,)):
        assert count(table) == 0


def test_schema_is_not_the_apis_to_change(person, database):
    with seeing((person(),)), pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction() as tx:
        tx._connection.execute("alter table users disable row level security")


def test_wall_can_be_widened_for_the_rest_of_a_call(person, count):
    """Who asked for somebody else works with that person's session too, until the call is over."""
    ann, bob = person(), person()

    with seeing((ann,)):
        also_seeing(bob)
        widened = count("users")
        with seeing((ann,)):
            assert count("users") == 1
    with seeing((ann,)):
        assert count("users") == 1
    assert widened == 2


def test_wall_costs_one_round_trip(person, database):
    """The role and whose rows it sees are set by one statement, for the whole transaction."""
    ann = person()
    said = []

    with seeing((ann,)), database.transaction() as tx:
        said = tx._connection.execute(
            "select current_user as role, current_setting('parley.people') as people"
        ).fetchone()
    with database.transaction() as tx:
        after = tx._connection.execute("select current_user as role").fetchone()["role"]

    assert said == {"role": "parley_api", "people": f"{{{ann}}}"}
    assert after != "parley_api"

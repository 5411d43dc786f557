"""What holds for the schema as a whole: references have indexes, and every table says how long its rows stay."""

import json
import shutil

import psycopg
import pytest

from parley.adapters.postgres import migrate
from parley.domain.retention import KEPT, PURGED, Retention


@pytest.fixture
def rows(database_url):
    """Read past the store."""

    def run(query):
        with psycopg.connect(database_url, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    return run


def test_every_table_has_a_stated_retention(rows):
    """A new table belongs to PURGED, with the rules by which its rows go, or to KEPT, with the reason why they stay."""
    tables = {name for (name,) in rows("select tablename from pg_tables where schemaname = 'public'")}

    assert tables == set(PURGED) | set(KEPT)
    assert not set(PURGED) & set(KEPT)
    assert all(KEPT.values())


def test_every_rule_has_its_tables_and_every_table_its_rule():
    """No rule is for nothing, none is missing."""
    assert {rule for rules in PURGED.values() for rule in rules} == set(Retention().seconds())


def test_what_goes_with_its_request_is_what_refers_to_it(rows):
    """The database takes it along: no reference to a request is left that would keep it from going."""
    found = rows(
        "select conrelid::regclass::text, confrelid::regclass::text from pg_constraint"
        " where contype = 'f' and confdeltype = 'c' and confrelid in ('requests'::regclass, 'deliveries'::regclass)"
    )
    goes = {"requests"}
    while more := {table for table, to in found if to in goes} - goes:
        goes |= more

    assert goes == {table for table, rules in PURGED.items() if "requests" in rules} - {"sessions"}
    stays = rows(
        "select conrelid::regclass::text from pg_constraint where contype = 'f' and confdeltype not in ('c', 'n')"
        " and confrelid in ('requests'::regclass, 'deliveries'::regclass)"
    )
    assert stays == []


def test_every_reference_has_an_index(rows):
    """
    Whoever deletes a row would read the whole of each table that refers to it otherwise.

    Rows that refer to nothing may be left out of it.
    """
    bare = rows(
        "select c.conrelid::regclass::text, c.conname from pg_constraint c"
        " join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]"
        " where c.contype = 'f' and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indisvalid"
        " and coalesce(pg_get_expr(i.indpred, i.indrelid), '')"
        " in ('', '(' || quote_ident(a.attname) || ' IS NOT NULL)')"
        " and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] = c.conkey)"
    )
    assert bare == []


ID = "0197a4f0-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("kind", "data", "about"),
    [
        ("parley.request.created", {"request_id": ID, "session_id": "x"}, ID),
        ("parley.response.ready", {"request_id": "x", "delivery_id": ID.upper()}, ID),
        ("parley.request.created", {"request_id": "7"}, None),
        ("parley.request.created", ["x"], None),
        ("parley.message.received", {"request_id": ID}, None),
    ],
)
def test_letters_from_before_are_about_their_rows_too(empty_url, tmp_path, kind, data, about):
    """0002: an event names its row, or it does not; nothing in a letter stops the migration."""
    shutil.copy(migrate.FOLDER / "0001_init.sql", tmp_path)
    migrate.apply(empty_url, tmp_path)
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute(
            "insert into dead_letters (id, event, source, event_id, type, destination)"
            " values (%s, %s, '/x', '1', %s, 'http://x/')",
            (ID, json.dumps({"type": kind, "data": data}), kind),
        )

        migrate.apply(empty_url)

        assert connection.execute("select about::text, body from dead_letters").fetchall() == [(about, None)]

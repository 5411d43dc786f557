"""Migrations on a real PostgreSQL: each once, all of it or nothing, whoever else does the same, whoever is killed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from databases import run
from processes import ROOT, environment, python, until

from parley.adapters.postgres import migrate
from parley.errors import Misconfigured

COMMAND = ("-m", "parley.adapters.postgres.migrate")
TABLES = "select table_name from information_schema.tables where table_schema = 'public' order by 1"
WAITING = """
select count(*) from pg_locks l join pg_database d on d.oid = l.database
 where d.datname = current_database() and l.locktype = 'advisory' and not l.granted
"""
# It has done the work of a migration and has not committed it: where a kill hurts most.
STOPPED_HALF_WAY = """
import sys
from pathlib import Path
from parley.adapters.postgres import migrate

work = migrate._apply_one

def stop(*given):
    work(*given)
    print("half way", flush=True)
    sys.stdin.read()

migrate._apply_one = stop
migrate.apply(sys.argv[1], Path(sys.argv[2]))
"""


@pytest.fixture
def folder(tmp_path):
    """Two migrations: one makes the table `a`, the other the table `b`."""
    (tmp_path / "0001_a.sql").write_text("create table a (id int);", encoding="utf-8")
    (tmp_path / "0002_b.sql").write_text("create table b (id int); insert into b values (1);", encoding="utf-8")
    return tmp_path


@pytest.fixture
def tables(empty_url):
    """The names of all tables."""
    return lambda: [name for (name,) in run(empty_url, TABLES)]


@pytest.fixture
def versions(empty_url):
    """The numbers of the migrations that the database has."""
    return lambda: [n for (n,) in run(empty_url, "select version from schema_migrations order by version")]


def test_what_is_missing_is_applied_once(empty_url):
    """The command makes the whole schema; the second time there is nothing to do."""
    first, second = python(*COMMAND, DATABASE_URL=empty_url), python(*COMMAND, DATABASE_URL=empty_url)

    names = [migration.name for migration in migrate.migrations()]
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [*(f"applied {name}" for name in names), f"{len(names)} applied"]
    assert (second.returncode, second.stdout) == (0, "nothing to apply\n")
    assert run(empty_url, "select name from schema_migrations order by version") == [(name,) for name in names]
    assert run(empty_url, "select count(*) from requests") == [(0,)]


def test_two_at_the_same_time_both_succeed(empty_url):
    """Two processes that have begun together share the work: each migration is applied by one of them."""
    with psycopg.connect(empty_url) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (migrate._LOCK,))
        both = [
            subprocess.Popen(
                [sys.executable, *COMMAND], env=environment(DATABASE_URL=empty_url), cwd=ROOT,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for _ in range(2)
        ]  # fmt: skip
        until(lambda: run(empty_url, WAITING) == [(2,)])
    said = [process.communicate(timeout=30)[0].splitlines()[-1] for process in both]

    count = len(migrate.migrations())
    assert [process.returncode for process in both] == [0, 0]
    assert sum(0 if line == "nothing to apply" else int(line.removesuffix(" applied")) for line in said) == count
    assert run(empty_url, "select count(*), count(distinct version) from schema_migrations") == [(count, count)]


def test_migrating_gives_way_to_who_works_with_its_tables(empty_url, folder):
    """While somebody reads a table, its change waits, and others who read it do not wait behind the change."""
    migrate.apply(empty_url, folder)
    (folder / "0003_c.sql").write_text("alter table a add column more int", encoding="utf-8")
    waits = (
        "select count(*) from pg_stat_activity where application_name = 'parley-migrate' and wait_event_type = 'Lock'"
    )
    with psycopg.connect(empty_url) as reader, ThreadPoolExecutor(1) as other:
        reader.execute("select * from a")  # and the transaction stays open
        migrating = other.submit(migrate.apply, empty_url, folder)
        until(lambda: run(empty_url, waits) == [(1,)])

        with psycopg.connect(empty_url, options="-c statement_timeout=20s") as second:
            found = second.execute("select * from a").fetchall()
        reader.rollback()

        assert found == []
        assert migrating.result(30) == 1


def test_later_migration_is_added(empty_url, folder, tables, versions):
    """Only what is new is applied, on top of what is there."""
    later = folder / "0002_b.sql"
    text = later.read_text(encoding="utf-8")
    later.unlink()
    before = migrate.apply(empty_url, folder)
    later.write_text(text, encoding="utf-8")

    after = migrate.apply(empty_url, folder)

    assert (before, after) == (1, 1)
    assert tables() == ["a", "b", "schema_migrations"]
    assert versions() == [1, 2]


def test_list_tells_what_is_applied_and_changes_nothing(empty_url, tables):
    """Before and after; looking makes no table."""
    before = python(*COMMAND, "--list", DATABASE_URL=empty_url)
    made = tables()
    migrate.apply(empty_url)
    after = python(*COMMAND, "--list", DATABASE_URL=empty_url)

    names = [migration.name for migration in migrate.migrations()]
    assert made == []
    assert [line.split()[0] for line in before.stdout.splitlines()] == ["missing"] * len(names)
    assert [line.split()[0] for line in after.stdout.splitlines()] == ["applied"] * len(names)
    assert [line.split()[-1] for line in after.stdout.splitlines()] == names
    assert (before.returncode, after.returncode) == (0, 0)


def test_list_tells_each_by_itself(empty_url, folder):
    """One is there and the next is not."""
    (folder / "0002_b.sql").rename(folder / "later")
    migrate.apply(empty_url, folder)
    (folder / "later").rename(folder / "0002_b.sql")

    found = [(migration.name, at is not None) for migration, at in migrate.status(empty_url, folder)]

    assert found == [("0001_a", True), ("0002_b", False)]


def test_file_that_was_changed_later_is_refused(empty_url, folder, tables):
    """What ran elsewhere is not what the file says: nothing more is applied, and the file is named."""
    (folder / "0002_b.sql").rename(folder / "later")
    migrate.apply(empty_url, folder)
    (folder / "later").rename(folder / "0002_b.sql")
    (folder / "0001_a.sql").write_text("create table a (id bigint);", encoding="utf-8")

    with pytest.raises(Misconfigured, match="0001_a: was changed after it was applied"):
        migrate.apply(empty_url, folder)

    assert tables() == ["a", "schema_migrations"]


def test_command_refuses_a_changed_file_in_one_line(empty_url):
    """Exit status 2, no traceback."""
    migrate.apply(empty_url)
    run(empty_url, "update schema_migrations set digest = 'other' where version = 1")

    done = python(*COMMAND, DATABASE_URL=empty_url)

    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("migrate: 0001_init: was changed")


def test_newer_schema_is_left_alone(empty_url):
    """After a step back to older code, the schema of the newer one stays as it is."""
    migrate.apply(empty_url)
    run(empty_url, "insert into schema_migrations (version, name, digest) values (9999, '9999_later', 'x')")

    done = python(*COMMAND, DATABASE_URL=empty_url)

    assert (done.returncode, done.stdout) == (0, "nothing to apply\n")
    assert run(empty_url, "select max(version) from schema_migrations") == [(9999,)]


@pytest.mark.parametrize(
    "text",
    [
        "create table b (id int); insert into b values (1); select 1 / 0;",
        "create table b (id int); create tabel c (id int);",
        "create table b (id int unique deferrable initially deferred); insert into b values (1), (1);",
    ],
    ids=["at its end", "in its syntax", "at its commit"],
)
def test_migration_that_fails_leaves_nothing(empty_url, folder, tables, versions, text):
    """What came before it stays, of itself nothing does nor is said, and when it is mended it is applied."""
    file = folder / "0002_b.sql"
    good = file.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")

    said = []

    with pytest.raises(psycopg.Error):
        migrate.apply(empty_url, folder, say=said.append)

    assert (tables(), versions(), said) == (["a", "schema_migrations"], [1], ["applied 0001_a"])
    file.write_text(good, encoding="utf-8")
    assert migrate.apply(empty_url, folder) == 1
    assert (tables(), versions()) == (["a", "b", "schema_migrations"], [1, 2])


def test_killed_process_blocks_nobody(empty_url, folder, tables, versions):
    """kill -9 between the work and its commit: the work is undone, the lock is gone, the next process does it all."""
    command = [sys.executable, "-c", STOPPED_HALF_WAY, empty_url, str(folder)]
    killed = subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    assert killed.stdout.readline() == "half way\n"
    half_way = tables()
    killed.kill()
    killed.communicate(timeout=30)

    applied = migrate.apply(empty_url, folder)

    assert half_way == []
    assert applied == 2
    assert versions() == [1, 2]


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (["0002_b.sql"], "0002_b.sql"),
        (["0001_a.sql", "0003_c.sql"], "0003_c.sql"),
        (["0001_a.sql", "0001_b.sql"], "0001_b.sql"),
        (["0001_a.sql", "2_b.sql"], "2_b.sql"),
        (["0001-a.sql"], "0001-a.sql"),
        (["0001_A.sql"], "0001_A.sql"),
    ],
)
def test_numbers_have_no_gap_and_no_double(tmp_path, names, wrong):
    """Two people who both wrote number 7 are told before anything is applied."""
    for name in names:
        (tmp_path / name).write_text("select 1", encoding="utf-8")

    with pytest.raises(Misconfigured, match=wrong):
        migrate.migrations(tmp_path)


@pytest.mark.parametrize(("arguments", "status"), [(("--help",), 0), (("--lst",), 2), (("--list", "all"), 2)])
def test_whatever_else_is_said_applies_nothing(empty_url, tables, arguments, status):
    """Help is help, and what nobody knows is told."""
    done = python(*COMMAND, *arguments, DATABASE_URL=empty_url)

    assert done.returncode == status
    assert "usage: migrate" in done.stdout + done.stderr
    assert tables() == []


@pytest.mark.parametrize("arguments", [(), ("--list",)])
def test_malformed_url_is_one_line_without_the_password(arguments):
    """Exit status 2; what is malformed may be the password."""
    done = python(*COMMAND, *arguments, DATABASE_URL="postgresql://parley:pa/hunter2@127.0.0.1:9/parley")

    assert (done.returncode, done.stdout, done.stderr) == (2, "", "migrate: DATABASE_URL: is no PostgreSQL URL\n")


@pytest.mark.parametrize("arguments", [(), ("--list",)])
def test_without_a_url_it_says_so(arguments):
    """Exit status 2 and the variable's name."""
    done = python(*COMMAND, *arguments)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", "DATABASE_URL: required, not set\n")


@pytest.mark.parametrize("arguments", [(), ("--list",)])
def test_dead_server_is_one_line(arguments):
    """Exit status 2, no traceback, and no password."""
    done = python(*COMMAND, *arguments, DATABASE_URL="postgresql://parley:hunter2@127.0.0.1:9/parley")

    [line] = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith("migrate: ")
    assert "hunter2" not in line

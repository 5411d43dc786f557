"""
Migrations: numbered SQL files, forward only, each applied once in a transaction of its own.

    python -m parley.adapters.postgres.migrate           apply what is missing
    python -m parley.adapters.postgres.migrate --list    show what is applied and what is not

Own code, forty lines, since none of the libraries fits: alembic brings SQLAlchemy, and yoyo keeps its lock in a table,
where a killed process leaves it behind. Here two processes at the same time wait for each other on an advisory lock
that ends with its transaction. A file that was changed after it was applied is refused. Afterwards the functions' roles
get what they may do with the tables: see `roles`.
"""

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import LiteralString

import psycopg

from parley.adapters.postgres import roles
from parley.adapters.postgres.database import checked
from parley.adapters.postgres.locks import patiently
from parley.errors import Misconfigured

FOLDER = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 7_233_917_001  # any number that nobody else on this database uses

_TABLE: LiteralString = """
create table if not exists schema_migrations (
    version    int primary key,
    name       text not null,
    digest     text not null,
    applied_at timestamptz not null default now()
)
"""


@dataclass(frozen=True)
class Migration:
    """One file. `digest` is the SHA-256 of its text."""

    version: int
    name: str
    text: LiteralString

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """Every migration in order. Raises Misconfigured for a misnamed file, a gap or a double number."""
    found = []
    for expected, file in enumerate(sorted(folder.glob("*.sql")), start=1):
        match = _NAME.fullmatch(file.name)
        if not match or int(match[1]) != expected:
            raise Misconfigured(f"{file.name}: expected a name like {expected:04d}_what.sql")
        found.append(Migration(expected, file.stem, file.read_text(encoding="utf-8")))
    return found


def apply(url: str, folder: Path = FOLDER, *, say: Callable[[str], object] = lambda _: None) -> int:
    """Apply what is missing; safe for any number of processes at once. Returns how many this one applied."""
    applied = 0
    with psycopg.connect(checked(url), connect_timeout=10, application_name="parley-migrate") as connection:
        for migration in migrations(folder):
            if patiently(connection, partial(_apply_one, connection, migration)):
                applied += 1
                say(f"applied {migration.name}")
    return applied


def status(url: str, folder: Path = FOLDER) -> Iterator[tuple[Migration, str | None]]:
    """Each migration with the time at which it was applied, or None."""
    with psycopg.connect(checked(url), connect_timeout=10, autocommit=True) as connection:
        known = connection.execute("select to_regclass('schema_migrations')").fetchone()
        times: dict[int, str] = {}
        if known and known[0]:
            times = dict(connection.execute("select version, applied_at::text from schema_migrations").fetchall())
    for migration in migrations(folder):
        yield migration, times.get(migration.version)


def _apply_one(connection: psycopg.Connection, migration: Migration) -> bool:
    connection.execute("set local lock_timeout = 0")  # for another who migrates now
    connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
    connection.execute("set local lock_timeout = '800ms'")
    connection.execute(_TABLE)
    row = connection.execute("select digest from schema_migrations where version = %s", (migration.version,)).fetchone()
    if row:
        if row[0] != migration.digest:
            raise Misconfigured(f"{migration.name}: was changed after it was applied; write a new migration")
        return False
    connection.execute(migration.text)
    connection.execute(
        "insert into schema_migrations (version, name, digest) values (%s, %s, %s)",
        (migration.version, migration.name, migration.digest),
    )
    return True


def main(arguments: list[str], url: str | None) -> int:
    """Run the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="migrate", description="Bring the database to the newest schema.")
    parser.add_argument("--list", action="store_true", help="only show what is applied and what is not")
    options = parser.parse_args(arguments)
    if not url:
        print("DATABASE_URL: required, not set", file=sys.stderr)
        return 2
    try:
        if options.list:
            for migration, at in status(url):
                print(f"{'applied ' + at[:19] if at else 'missing':28} {migration.name}")
            return 0
        count = apply(url, say=print)
        roles.apply(url)
    except (Misconfigured, psycopg.OperationalError) as error:
        print(f"migrate: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    print(f"{count} applied" if count else "nothing to apply")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ.get("DATABASE_URL")))

"""What all worlds of one process stand on: a database with a clock of its own, and ids that are the same each time."""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from parley.adapters.postgres.database import Database
from parley.domain import ids

CLOCK = """
create schema sim;
create table sim.clock (seconds float8 not null);
insert into sim.clock values (0);
create function sim.clock_timestamp() returns timestamptz language sql stable
    as $$ select '2026-01-01'::timestamptz + make_interval(secs => (select seconds from sim.clock)) $$;
create function sim.now() returns timestamptz language sql stable as $$ select sim.clock_timestamp() $$;
create function sim.statement_timestamp() returns timestamptz language sql stable as $$ select sim.clock_timestamp() $$;
create table sim.stolen (what text not null, id uuid not null);
create function sim.steal() returns trigger language plpgsql as $$ begin
    insert into sim.stolen values (tg_table_name, new.id);
    return null;
end $$;
create trigger sim_stolen after update of epoch on public.requests for each row
    when (new.epoch > old.epoch and old.lease_until > sim.clock_timestamp()) execute function sim.steal();
create trigger sim_stolen after update of epoch on public.deliveries for each row
    when (new.epoch > old.epoch and old.lease_until > sim.clock_timestamp()) execute function sim.steal();
"""


class Ground:
    """The database under all worlds of one process, and its clock."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._direct = psycopg.connect(url, autocommit=True)
        if not self._direct.execute("select 1 from pg_namespace where nspname = 'sim'").fetchone():
            self._direct.execute(CLOCK)
            self._direct.execute(
                f'alter database "{self._direct.info.dbname}" set search_path = sim, pg_catalog, public'
            )
        self.database = Database(url, name="simulation", max_connections=12)
        self.seconds = float(self.rows("select seconds from sim.clock")[0][0])
        self.worlds = 0

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Look, past the store."""
        return self._direct.execute(query, values).fetchall()  # type: ignore[arg-type]

    def clear(self) -> None:
        """Forget every row: nothing of a world that went wrong must reach the next one."""
        self._direct.execute("truncate public.users, public.sessions, public.requests, sim.stolen cascade")

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self._direct.execute("update sim.clock set seconds = %s", (self.seconds,))

    def close(self) -> None:
        """Give back connections."""
        self.database.close()
        self._direct.close()


@contextmanager
def same_ids(seed: int) -> Iterator[None]:
    """Make ids the same in each run of the same world."""
    chance, count, original = random.Random(seed), itertools.count(), ids.new

    def new() -> UUID:
        return UUID(int=seed << 96 | next(count) << 80 | 7 << 76 | 2 << 62 | chance.getrandbits(60))

    ids.new = new
    try:
        yield
    finally:
        ids.new = original

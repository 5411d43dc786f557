"""
The one door to PostgreSQL: named queries from `sql/*.sql`, short transactions, errors translated.

A pool of at most two connections, opened on first use; nothing is held across a network call. A transaction-mode pooler
may stand in between: statements are prepared only where PostgreSQL itself answers.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb, set_json_dumps
from psycopg_pool import ConnectionPool, PoolTimeout

from parley.envelope import dumps
from parley.errors import Misconfigured, Unavailable

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

PREPARED_FROM = 2  # uses of a statement on one connection

_HERE = Path(__file__).parent
_OPTIONS = (
    "-c statement_timeout=15000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=20000 -c TimeZone=UTC"
)


# Whose rows are seen, while somebody's call is answered: see `seeing`.
_people: ContextVar[tuple[UUID, ...] | None] = ContextVar("people", default=None)


@contextmanager
def seeing(people: tuple[UUID, ...] | None) -> Iterator[None]:
    """
    Let PostgreSQL itself hide all rows but those of these people from whatever is done inside, in this thread.

    Each transaction takes the role `parley_api`, for which the policies of migration 0004 hold; the functions' own role
    owns the tables and is not bound by them. None: no wall.
    """
    token = _people.set(people)
    try:
        yield
    finally:
        _people.reset(token)


# The transaction that all of a call is done in: see `Database.whole`.
_whole: ContextVar["tuple[Database, Transaction] | None"] = ContextVar("whole", default=None)


def also_seeing(user_id: UUID) -> None:
    """Let the rest of what is done within `seeing` see the rows of this person, too. Without a wall all are seen."""
    people = _people.get()
    if people is not None and user_id not in people:
        _people.set((*people, user_id))


def _wall(connection: "Connection") -> None:
    if (people := _people.get()) is not None:
        connection.execute(_WALL, (list(people),))


_WALL = "select set_config('role', 'parley_api', true), set_config('parley.people', %s::uuid[]::text, true)"


@cache
def queries() -> Mapping[str, LiteralString]:
    """Every query of `sql/*.sql`, by the name in its `-- name: …` line."""
    found: dict[str, LiteralString] = {}
    for file in sorted((_HERE / "sql").glob("*.sql")):
        for part in file.read_text(encoding="utf-8").split("-- name: ")[1:]:
            name, _, text = part.partition("\n")
            assert name.strip() not in found, f"{file.name}: {name} is there twice"
            found[name.strip()] = text.strip()
    return found


def checked(url: str) -> str:
    """
    Give the URL, when it is one. Raises Misconfigured.

    Nothing of it is told: where a password is not quoted, its parts are taken for something else, even for a place.
    """
    with suppress(psycopg.ProgrammingError, ValueError):
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
        ports = parts.get("port", "").replace(",", "")
        if (not ports or ports.isdecimal()) and "@" not in parts.get("host", "") + parts.get("dbname", ""):
            return url
    raise Misconfigured("DATABASE_URL: is no PostgreSQL URL")


class Transaction:
    """
    Named queries on one connection, all or nothing.

    With a `pipeline`, what gives nothing is not waited for: it travels with the next query that gives something.
    """

    def __init__(self, connection: Connection, pipeline: psycopg.Pipeline | None = None) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def rows(self, query: str, /, **values: Any) -> list[Row]:
        """Run a query and give all its rows."""
        return self._connection.execute(queries()[query], _adapted(values)).fetchall()

    def select(self, statement: sql.Composed, /, **values: Any) -> list[Row]:
        """Run a query that was completed with a number of ours, and give all its rows."""
        return self._connection.execute(statement, _adapted(values)).fetchall()

    def change(self, statement: sql.Composed) -> None:
        """Run a statement that was completed with names and numbers of ours."""
        self._connection.execute(statement)

    def row(self, query: str, /, **values: Any) -> Row | None:
        """Run a query and give its first row."""
        return self._connection.execute(queries()[query], _adapted(values)).fetchone()

    def last(self, query: str, /, **values: Any) -> Callable[[], Row | None]:
        """Run a query that travels with the end of the transaction; what it gives, gives its first row after that."""
        return self._connection.execute(queries()[query], _adapted(values)).fetchone

    def run(self, query: str, /, **values: Any) -> int:
        """Run a query and give the number of rows that it touched."""
        cursor = self._connection.execute(queries()[query], _adapted(values))
        if self._pipeline:
            self._pipeline.sync()
        return cursor.rowcount

    def within(self) -> "Transaction":
        """Give it for a part of a whole, which may be seen with other eyes than the one before."""
        if _people.get() is None:
            self._connection.execute("select set_config('role', 'none', true)")
        _wall(self._connection)
        return self

    def send(self, query: str, /, **values: Any) -> None:
        """Run a query that gives nothing; what is wrong with it is raised with a later one, or with the commit."""
        self._connection.execute(queries()[query], _adapted(values))


class Database:
    """
    A small pool. Raises Unavailable for everything that may pass by itself; a failed statement is a bug.

    Nothing is opened before the first use, but a URL that is none is Misconfigured at once.
    """

    def __init__(self, url: str, *, name: str, max_connections: int = 2, min_schema: int = 1) -> None:
        self.url = checked(url)
        self._name = name
        self._max = max_connections
        self._min_schema = min_schema
        self._lock = threading.Lock()
        self._pool: ConnectionPool[Connection] | None = None
        self._schema_seen = False

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """
        Begin, commit at the end, roll back on an exception. Keep it short: no network call inside.

        The beginning travels with the first query, and what is sent last with the commit.
        """
        whole = _whole.get()
        if whole and whole[0] is self:
            yield whole[1].within()
            return
        # Not `connection.transaction()`: in a pipeline it waits after the beginning and before the end.
        with (
            _translated(),
            self._connection() as connection,
            connection.pipeline() as line,
            psycopg.Transaction(connection),
        ):
            _wall(connection)
            yield Transaction(connection, line)

    @contextmanager
    def whole(self) -> Iterator[Transaction]:
        """Make one transaction of all that is done inside, in this thread: every transaction there is a part of it."""
        with self.transaction() as tx:
            token = _whole.set((self, tx))
            try:
                yield tx
            finally:
                _whole.reset(token)

    @contextmanager
    def autocommit(self, patience: float | None = None) -> Iterator[Transaction]:
        """
        One connection on which each statement stands alone: one round trip for one statement.

        `patience`: seconds to wait for the connection, when not the ten of the pool.
        """
        if _people.get() is not None or _whole.get():
            with self.transaction() as tx:
                yield tx
            return
        with _translated(), self._connection(patience) as connection:
            yield Transaction(connection)

    def rows(self, query: str, /, **values: Any) -> list[Row]:
        """Run one query by itself and give all its rows."""
        with self.autocommit() as alone:
            return alone.rows(query, **values)

    def select(self, statement: sql.Composed, /, **values: Any) -> list[Row]:
        """Run one completed query by itself and give all its rows."""
        with self.autocommit() as alone:
            return alone.select(statement, **values)

    def row(self, query: str, /, **values: Any) -> Row | None:
        """Run one query by itself and give its first row."""
        with self.autocommit() as alone:
            return alone.row(query, **values)

    def run(self, query: str, /, **values: Any) -> int:
        """Run one query by itself and give the number of rows that it touched."""
        with self.autocommit() as alone:
            return alone.run(query, **values)

    def ready(self, patience: float = 1.0) -> None:
        """
        Return when the database answers and has every migration that this code needs. Raises Unavailable.

        `patience`: seconds to wait for a connection; who looks whether we are ready has no more.
        """
        with self.autocommit(patience) as alone:
            if self._schema_seen:
                alone.row("ping")
                return
            try:
                found = alone.row("schema_version")
            except psycopg.errors.UndefinedTable:
                raise Unavailable("the database has no schema: run the migrations") from None
        version = found["version"] if found else 0
        if version < self._min_schema:
            raise Unavailable(f"the schema is at {version}, {self._min_schema} is needed: run the migrations")
        self._schema_seen = True

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._pool:
                self._pool.close()
                self._pool = None

    @contextmanager
    def _connection(self, patience: float | None = None) -> Iterator[Connection]:
        with self._opened().connection(patience) as connection:
            try:
                yield connection
            except psycopg.errors.FeatureNotSupported:
                connection.close()  # a migration has changed a table since its statements were prepared
                raise

    def _opened(self) -> "ConnectionPool[Connection]":
        with self._lock:
            if self._pool is None:
                set_json_dumps(dumps)
                self._pool = ConnectionPool(
                    self.url,
                    kwargs={
                        "row_factory": dict_row,
                        "autocommit": True,
                        "prepare_threshold": None,
                        "connect_timeout": 5,
                        "application_name": f"parley-{self._name}",
                        "options": _OPTIONS,
                    },
                    min_size=0,
                    max_size=self._max,
                    max_idle=60,
                    timeout=10,
                    reconnect_timeout=5,
                    num_workers=1,
                    configure=_configured,
                    check=_checked,
                    open=True,
                )
            return self._pool


def _configured(connection: Connection) -> None:
    """
    Prepare statements that come again, which saves half of their time, unless a pooler stands in between.

    PostgreSQL tells a connection the number of its process; a pooler tells it one of its own.
    """
    row = connection.execute("select pg_backend_pid() as pid").fetchone()
    if row and row["pid"] == connection.info.backend_pid:
        connection.prepare_threshold = PREPARED_FROM


def _checked(connection: Connection) -> None:
    """
    Raise OperationalError for a connection that died while it was idle; no round trip.

    After a restart of the server, the first look reads its last words and the second one the end of the stream.
    """
    for _ in range(2):
        connection.pgconn.consume_input()


def _adapted(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: Jsonb(value) if isinstance(value, dict) else value for name, value in values.items()}


_AWAY = (PoolTimeout, psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.FeatureNotSupported)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _AWAY as error:
        first = error.__context__
        if isinstance(error, psycopg.errors.PipelineAborted) and isinstance(first, psycopg.Error):
            if not isinstance(first, _AWAY):
                raise first from None  # what aborted the pipeline, when that is read before the end of it
            error = first
        raise Unavailable("the database cannot be used now") from error

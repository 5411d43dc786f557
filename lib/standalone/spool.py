"""
The broker's promise on disk: what it has answered 202 for and nothing else remembers yet.

The table `spool` is made by the migrations.
"""

import base64
import json
import threading
from typing import Any, LiteralString, Protocol

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from parley.envelope import Event, from_structured
from parley.errors import Malformed, Unavailable

_ADD = "insert into spool (source, id, event) values (%s, %s, %s::jsonb) on conflict do nothing"
_REMOVE = "delete from spool where source = %s and id = %s"
_PATIENCE = 1.5  # seconds for a connection: slack-ingest has to answer within three
_PENDING = "select event from spool order by stored_at, source, id"


class Spool(Protocol):
    """Keeps events until they are removed. Raises Unavailable."""

    def add(self, event: Event) -> None:
        """Keep an event; it is safe when this returns. The same source and id again is kept once."""

    def remove(self, event: Event) -> None:
        """Forget an event; one that is not there is no error."""

    def pending(self) -> list[Event]:
        """Every event that is kept, oldest first."""

    def close(self) -> None:
        """Give back connections."""


class MemorySpool:
    """Keeps events as long as it lives; for tests."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Event] = {}

    def add(self, event: Event) -> None:
        self._kept.setdefault((event.source, event.id), event)

    def remove(self, event: Event) -> None:
        self._kept.pop((event.source, event.id), None)

    def pending(self) -> list[Event]:
        return list(self._kept.values())

    def close(self) -> None:
        """Nothing is held."""


class PostgresSpool:
    """Keeps events in the table `spool`. Each write is one statement of its own, committed when it returns."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._lock = threading.Lock()
        self._pool: ConnectionPool | None = None
        self._closed = False

    def add(self, event: Event) -> None:
        self._rows(_ADD, (event.source, event.id, _to_row(event)))

    def remove(self, event: Event) -> None:
        self._rows(_REMOVE, (event.source, event.id))

    def pending(self) -> list[Event]:
        return [from_structured(row[0]) for row in self._rows(_PENDING, ())]

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._pool:
                self._pool.close()
                self._pool = None

    def _rows(self, statement: LiteralString, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Run one statement; twice when the first connection has died, since each statement may run twice."""
        try:
            pool = self._opened()
            try:
                return _run(pool, statement, values)
            except PoolTimeout:
                raise
            except (psycopg.OperationalError, psycopg.InterfaceError):
                pool.check()
                return _run(pool, statement, values)
        except psycopg.DataError as error:
            raise Malformed("an attribute holds a character that cannot be stored") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unavailable("the spool cannot be used now") from error

    def _opened(self) -> ConnectionPool:
        with self._lock:
            if self._closed:
                raise Unavailable("the spool is closed")
            if self._pool is None:
                self._pool = ConnectionPool(
                    self._url,
                    kwargs={
                        "autocommit": True,
                        "prepare_threshold": None,
                        "connect_timeout": 3,
                        "application_name": "parley-spool",
                        "options": "-c statement_timeout=5000 -c lock_timeout=2000",
                    },
                    min_size=0,
                    max_size=4,
                    timeout=_PATIENCE,
                    reconnect_timeout=3,
                    num_workers=1,
                    open=True,
                )
            return self._pool


def _run(pool: ConnectionPool, statement: LiteralString, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
    with pool.connection() as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def _to_row(event: Event) -> str:
    """
    The event as JSON text, its body always as base64.

    jsonb would write numbers in its own way, and a signature over the data would hold no more.
    """
    return json.dumps({**event.attributes(), "data_base64": base64.b64encode(event.body).decode()})

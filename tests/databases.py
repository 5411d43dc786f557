"""Databases beside the one of a test: empty ones, and ones that a whole module shares."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg

from parley.adapters.postgres import roles


@contextmanager
def fresh(server: str, template: str = "template0") -> Iterator[str]:
    """Give the URL of a new database, which is dropped at the end. Without a template it has no schema."""
    name = f"parley_test_{uuid.uuid4().hex[:12]}"
    run(server, f'create database "{name}" template "{template}"')
    yield urlsplit(server)._replace(path=f"/{name}").geturl()
    run(server, f'drop database if exists "{name}" with (force)')


def as_role(url: str, function: str) -> str:
    """Give the URL by which a function signs in as its own role; a server of DATABASE_URL would ask for a password."""
    return url if os.environ.get("DATABASE_URL") else roles.url_as(url, function)


def run(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement on a connection of its own; gives the rows, if there are any."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def end_connections(url: str, application: str) -> int:
    """End the connections of an application to this database, as a restart of the server would. Gives how many."""
    statement = (
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname = current_database() and application_name = %s"
    )
    return len(run(url, statement, application))

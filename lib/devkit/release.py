"""
What a release has promised to the one after it, in files: `make release NAME=1.2.0` writes `contracts/1.2.0`.

While an upgrade runs, functions of both releases work on one database and one broker. So the next release must take
every event that this one sends and send none that this one cannot take, and its schema must bear every statement of
this one. tests/wiring/test_contracts.py holds it to that, against these files and not against the history of the
repository, which a shallow clone does not have:

    events.json      each type's JSON schema, and examples with their attributes
    statements.json  each named query, and which of them each function's role may run
    schema.json      the tables as they were: columns, constraints, unique indexes
"""

import argparse
import ast
import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, LiteralString, get_args
from uuid import UUID

import psycopg

from parley.adapters.postgres import grants, migrate, roles
from parley.adapters.postgres.database import queries
from parley.domain import events
from parley.domain.events import Contract, MessageReceived, RequestCreated, ResponseReady, TurnStarted
from standalone.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "contracts"
CONTRACTS: tuple[type[Contract], ...] = (MessageReceived, RequestCreated, TurnStarted, ResponseReady)
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_REQUEST, _SESSION, _DELIVERY = (UUID(int=number) for number in (1, 2, 3))
_WHERE = {"request_id": _REQUEST, "session_id": _SESSION}


def examples() -> list[Contract]:
    """Give events of every type: with what it must have, with all that it may have, and with each of its words."""
    said: dict[str, Any] = {
        "origin": "slack", "key": "slack:T1:C1:1.1", "workspace": "T1", "sender": "U1", "conversation": "C1",
    }  # fmt: skip
    whole: dict[str, Any] = {
        "enterprise": "E1", "thread": "1.0", "is_reply": True, "is_direct": True, "is_mention": True, "text": "Why?",
        "about": "1.0", "name": "reset", "values": {"field": "value"}, "reply_url": "https://hooks.slack.com/x",
        "files": [{"id": "F1", "name": "a.txt", "media_type": "text/plain", "size": 3}], "view": "V1",
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    }  # fmt: skip
    found: list[Contract] = [
        *(MessageReceived.model_validate({**said, "kind": kind}) for kind in get_args(events.MessageKind)),
        MessageReceived.model_validate({**said, **whole, "kind": "message"}),
        RequestCreated(**_WHERE),
        TurnStarted(**_WHERE, channel="slack"),
        *(ResponseReady(**_WHERE, delivery_id=_DELIVERY, channel="email", kind=kind) for kind in get_args(events.Kind)),
    ]
    return found


def described() -> dict[str, Any]:
    """Give each event type with its schema, without the words, and its examples."""
    found: dict[str, Any] = {one.TYPE: {"schema": bare(one.model_json_schema()), "examples": []} for one in CONTRACTS}
    for example in examples():
        data = example.model_dump(mode="json", exclude_unset=True)
        told = {"subject": example.subject(), "extensions": example.extensions(), "data": data}
        found[example.TYPE]["examples"].append(told)
    return found


def bare(schema: Any) -> Any:
    """Give a JSON schema without what is only there to be read."""
    if isinstance(schema, dict):
        is_properties = all(isinstance(one, dict) for one in schema.values())
        words = () if is_properties else ("description", "title")
        return {name: bare(inner) for name, inner in schema.items() if name not in words}
    return [bare(inner) for inner in schema] if isinstance(schema, list) else schema


def used(function: str) -> set[str]:
    """Give the queries that a function's own imports name: those of the stores that it could reach for."""
    seen: set[Path] = set()
    found: set[str] = set()
    left = [ROOT / "functions" / function / "func.py"]
    while left:
        path = left.pop()
        stores = "postgres" in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("parley"):
                names = [f"{node.module}", *(f"{node.module}.{one.name}" for one in node.names)]
                files = {ROOT / "lib" / f"{name.replace('.', '/')}.py" for name in names}
                left += [file for file in files - seen if file.exists()]
                seen |= files
            elif stores and isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                beginning = str(node.values[0].value)
                found |= {one for one in queries() if "_" in beginning and one.startswith(beginning)}
            elif stores and isinstance(node, ast.Constant) and node.value in queries():
                found.add(str(node.value))
    return found


def planned(connection: psycopg.Connection, text: str) -> str:
    """Say why PostgreSQL would not run a named query, or nothing. It is planned, not carried out."""
    statement = re.sub(r"%\(\w+\)s", "null", text).replace("%%", "%")
    if re.match(r"(--.*\n|\s)*(select|insert|update|delete|with)\b", statement) is None or re.search(
        r"\{\w+\}", statement
    ):
        return ""  # no plan; or completed with a number of ours
    try:
        with connection.transaction():
            connection.execute(f"explain {statement}".encode())
    except psycopg.Error as error:
        return str(error).splitlines()[0]
    return ""


def may(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Give the queries that each function's role is allowed, of those that it could reach for."""
    found = {}
    for function in grants.GRANTS:
        connection.execute(f"set role {roles.role(function)}".encode())
        found[function] = sorted(query for query in used(function) if not planned(connection, queries()[query]))
        connection.execute("reset role")
    return found


def schema(connection: psycopg.Connection) -> dict[str, dict[str, dict[str, str]]]:
    """Give each table's columns (type, and whether one may leave it out), constraints and unique indexes."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for kind, statement in _SCHEMA.items():
        for table, name, told in connection.execute(statement).fetchall():
            found.setdefault(table, {}).setdefault(kind, {})[name] = told
    return found


_SCHEMA: Mapping[str, LiteralString] = {
    "columns": """
        select c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
               || case when a.attnotnull and not a.atthasdef and a.attidentity = '' then ', required' else '' end
               || case when a.attnotnull then '' else ', null' end
          from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
         order by 1, 2""",
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
         where connamespace = 'public'::regnamespace and contype <> 'n' order by 1, 2""",
    "unique": """
        select tablename, indexname, indexdef from pg_indexes
         where schemaname = 'public' and indexdef like 'CREATE UNIQUE%%' order by 1, 2""",
}


def releases() -> list[Path]:
    """Give what was released, the oldest first."""
    return sorted(FOLDER.glob("*/"), key=lambda path: [int(part) for part in path.name.split(".")])


def write(name: str, url: str) -> Path:
    """Write down what this release promises, from a database that has its schema."""
    folder = FOLDER / name
    folder.mkdir(parents=True)
    with psycopg.connect(url, autocommit=True) as connection:
        files = {
            "events.json": described(),
            "statements.json": {"queries": queries(), "may": may(connection)},
            "schema.json": schema(connection),
        }
    for file, content in files.items():
        text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, default=dict)
        (folder / file).write_text(f"{text}\n", encoding="utf-8")
    return folder


def main(arguments: Sequence[str], url: str | None) -> int:
    """Run the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="release", description="Write down what a release promises.")
    parser.add_argument("name", metavar="1.2.0")
    name = parser.parse_args(arguments).name
    if not _VERSION.fullmatch(name) or (FOLDER / name).exists():
        print(f"release: {name}: must be a new version, such as 1.2.0", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        if not url:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = stack.enter_context(EmbeddedPostgres(Path(folder) / "postgres", durable=False)).start()
        migrate.apply(url)
        roles.apply(url)
        print(write(name, url).relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ.get("DATABASE_URL")))

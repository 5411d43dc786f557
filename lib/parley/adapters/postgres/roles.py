"""
A database role for each function, which may do what that function does and nothing else.

    python -m parley.adapters.postgres.roles               make the roles and grant what `grants` declares
    python -m parley.adapters.postgres.roles --create      only make them: before a dump is restored, which names them
    python -m parley.adapters.postgres.roles --list        show what is declared
    python -m parley.adapters.postgres.roles --passwords   give each role a new password, and print a Kubernetes Secret

Migrating does the first, too, so that the grants fit the tables. A role is named after its function, such as
`parley_agent_turn`, and has no password until somebody gives it one: until then every function may use one URL, that of
the owner of the tables. The declaration is the whole of it: what is not in it is taken away, and the policies that hold
for all roles only lift the row-level security that is there for `parley_api` (migration 0005). Who runs this needs the
database's CREATEROLE, as for migrating.
"""

import argparse
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import LiteralString
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from parley.adapters.postgres.database import checked
from parley.adapters.postgres.grants import GRANTS, Grants
from parley.adapters.postgres.locks import patiently
from parley.errors import Misconfigured

EVERYBODY = "parley_functions"  # of whom every role below is a member
_WALL = "parley_api"  # what request-api becomes while it answers somebody: see migration 0005

_LOCK = 7_233_917_002  # any number that nobody else on this server uses


def role(function: str) -> str:
    """Give the name of a function's role."""
    return f"parley_{function.replace('-', '_')}"


def url_as(url: str, function: str, password: str = "") -> str:
    """Give the URL by which a function signs in as its role, where others do with `url`. Raises Misconfigured."""
    parts = urlsplit(checked(url))
    if not parts.scheme:
        raise Misconfigured("DATABASE_URL: must be a postgresql:// URL")
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{role(function)}{':' + password if password else ''}@{place}").geturl()


def create(connection: psycopg.Connection) -> None:
    """Make the roles that are missing, all of those that a dump of a database names."""
    connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
    for name in (EVERYBODY, _WALL, *map(role, GRANTS)):
        connection.execute(_made(name))
    connection.execute(_API)


def apply(url: str) -> int:
    """Make the roles that are missing and let each do what is declared. Returns for how many tables that changed."""
    with _connected(url) as connection:
        with connection.transaction():
            create(connection)
            changed = _grant(connection)
        walled = [table for (table,) in connection.execute(_WALLED, (EVERYBODY,)).fetchall()]
        for table in walled:
            lifted = _LIFTED.format(table=sql.Identifier(table), everybody=sql.Identifier(EVERYBODY))
            with suppress(psycopg.errors.DuplicateObject):  # another who migrates now was first
                patiently(connection, partial(connection.execute, lifted))
        return changed + len(walled)


def _connected(url: str) -> psycopg.Connection:
    return psycopg.connect(checked(url), connect_timeout=10, application_name="parley-roles", autocommit=True)


def granted(connection: psycopg.Connection) -> dict[str, dict[str, set[str]]]:
    """Give what the roles may do in this database: role, table, and `select` or `select (column)`, and so on."""
    found: dict[str, dict[str, set[str]]] = {role(function): {} for function in GRANTS}
    for name, table, privilege, column in connection.execute(_GRANTED, (list(found), list(found))):
        found[name].setdefault(table, set()).add(f"{privilege} ({column})" if column else privilege)
    return found


def declared() -> dict[str, dict[str, set[str]]]:
    """Give what they should be allowed, in the same form."""
    everywhere: Grants = {"schema_migrations": "select (version)"}
    return {
        role(function): {table: set(_single(text)) for table, text in {**grants, **everywhere}.items()}
        for function, grants in GRANTS.items()
    }


def _single(privileges: str) -> Iterator[str]:
    for verb, columns in re.findall(r"(\w+)(?: \(([^)]*)\))?", privileges):
        yield from (f"{verb} ({column.strip()})" for column in columns.split(",")) if columns else (verb,)


def _grant(connection: psycopg.Connection) -> int:
    wanted, found, changed = declared(), granted(connection), 0
    for name, tables in wanted.items():
        for table in tables.keys() | found[name].keys():
            if tables.get(table, set()) == found[name].get(table, set()):
                continue
            names = {"table": sql.Identifier(table), "role": sql.Identifier(name)}
            connection.execute(sql.SQL("revoke all on {table} from {role}").format(**names))
            for one in sorted(tables.get(table, ())):
                verb, _, column = one.partition(" ")
                what = [sql.SQL(verb), *([sql.SQL("({})").format(sql.Identifier(column[1:-1]))] if column else [])]
                connection.execute(
                    sql.SQL("grant {what} on {table} to {role}").format(what=sql.SQL(" ").join(what), **names)
                )
            changed += 1
    return changed


def _made(name: str) -> sql.Composed:
    # Roles belong to the server and not to one database: two databases at once may both try.
    return sql.SQL(
        """do $$ begin
            if not exists (select from pg_roles where rolname = {name}) then
                create role {role} {login};
            end if;
        exception when duplicate_object or unique_violation then null;
        end $$;
        do $$ begin
            if {name} not in ({everybody}, {wall}) and not pg_has_role({name}, {everybody}, 'usage') then
                grant {group} to {role};
            end if;
        exception when unique_violation then null;
        end $$"""
    ).format(
        name=name,
        everybody=EVERYBODY,
        wall=_WALL,
        role=sql.Identifier(name),
        group=sql.Identifier(EVERYBODY),
        login=sql.SQL("nologin" if name in (EVERYBODY, _WALL) else "login"),
    )


# The wall of request-api: it becomes parley_api while it answers somebody, and has nothing of it otherwise.
_API: LiteralString = """
do $$ begin
    if not pg_has_role('parley_request_api', 'parley_api', 'member') then
        if current_setting('server_version_num')::int < 160000 then
            alter role parley_request_api noinherit;
            grant parley_functions, parley_api to parley_request_api;
        else
            grant parley_api to parley_request_api with inherit false, set true;
        end if;
    end if;
    -- As migration 0005 does, which is not run again where a dump was restored.
    if not pg_has_role(current_user, 'parley_api',
                       case when current_setting('server_version_num')::int < 160000 then 'member' else 'set' end) then
        execute format('grant parley_api to %I', current_user);
    end if;
exception when unique_violation then null;
end $$
"""

_GRANTED: LiteralString = """
select r.rolname, c.relname, lower(a.privilege_type), null
  from pg_class c, aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
 where c.relnamespace = 'public'::regnamespace and r.rolname = any(%s)
union all
select r.rolname, c.relname, lower(a.privilege_type), t.attname
  from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a join pg_roles r on r.oid = a.grantee
 where c.relnamespace = 'public'::regnamespace and not t.attisdropped and r.rolname = any(%s)
"""

# Tables with row-level security that would hide everything from the functions, too.
_WALLED: LiteralString = """
select c.relname from pg_class c
 where c.relnamespace = 'public'::regnamespace and c.relrowsecurity
   and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'functions'
                                             and %s::regrole = any(p.polroles))
"""

_LIFTED = sql.SQL("create policy functions on {table} to {everybody} using (true) with check (true)")


def at(url: str, address: str) -> str:
    """Give the URL with another `host:port`: where functions find what is reached by another way from here."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{address}").geturl()


def give_passwords(url: str) -> dict[str, str]:
    """Give each role a new password; returns the URL of each function."""
    urls = {}
    with _connected(url) as connection, connection.transaction():
        for function in GRANTS:
            password = secrets.token_urlsafe(32)
            statement = sql.SQL("alter role {} login password {}").format(sql.Identifier(role(function)), password)
            connection.execute(statement)
            urls[function] = url_as(url, function, password)
    return urls


def main(arguments: Sequence[str], url: str | None) -> int:
    """Run the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="roles", description="A database role for each function.")
    parser.add_argument("--list", action="store_true", help="show what each may do")
    parser.add_argument("--create", action="store_true", help="only make them, as before a dump is restored")
    parser.add_argument("--passwords", action="store_true", help="give each a new one; prints a Kubernetes Secret")
    parser.add_argument("--address", help="HOST:PORT for the printed URLs, when functions find the database elsewhere")
    options = parser.parse_args(arguments)
    if options.list:
        for function, grants in GRANTS.items():
            print(function, *(f"  {table:20} {privileges}" for table, privileges in sorted(grants.items())), sep="\n")
        return 0
    if not url:
        print("DATABASE_URL: required, not set", file=sys.stderr)
        return 2
    try:
        if options.create:
            with _connected(url) as connection, connection.transaction():
                create(connection)
            return 0
        changed = apply(url)
        if options.passwords:
            urls = {"url": url, **give_passwords(url)}
            print(_secret({name: at(one, options.address) if options.address else one for name, one in urls.items()}))
        else:
            print(f"{changed} changed" if changed else "nothing to change")
    except (Misconfigured, psycopg.Error) as error:
        print(f"roles: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    return 0


def _secret(urls: Mapping[str, str]) -> str:
    lines = [
        "apiVersion: v1",
        "kind: Secret",
        "metadata:",
        "  name: parley-database",
        "  namespace: parley",
        "stringData:",
    ]
    return "\n".join([*lines, *(f"  {function}: {url}" for function, url in sorted(urls.items()))])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ.get("DATABASE_URL")))

"""
While an upgrade runs, functions of two releases share a broker and a database: what the last one promised still holds.

Its promises are files (`contracts/`, written by `make release`), so that no history is needed. What is narrowed on
purpose says so in its migration, in a line `-- narrows NAME: why the release before bears it`.
"""

import json
import re

import psycopg
import pytest
from databases import run
from jsonschema import Draft202012Validator

from devkit import release
from parley.adapters.postgres import migrate, roles

RELEASES = release.releases()
LAST = RELEASES[-1]
NARROWED = {
    name
    for one in migrate.migrations()
    for name in re.findall(r"^-- narrows (\w+): \S.+$", one.text, flags=re.MULTILINE)
}
PRESENT = {one.TYPE: one for one in release.CONTRACTS}


def promised(folder, file):
    return json.loads((folder / f"{file}.json").read_text(encoding="utf-8"))


def narrower(released, present):
    """Say what of a released schema of events is not as it was: new optional fields are all that may come."""
    if isinstance(released, dict) and isinstance(present, dict):
        missing = [name for name in released if name not in present]
        added = [] if "properties" not in released else set(present["properties"]) & set(present.get("required", ()))
        more = [f"required {name}" for name in set(added) - set(released.get("required", ()))]
        inner = [found for name in released if name in present for found in narrower(released[name], present[name])]
        return [f"{name} is gone" for name in missing] + more + inner
    return [] if released == present else [f"{released} is {present}"]


@pytest.fixture(scope="module")
def schema(shared_database_url):
    with psycopg.connect(shared_database_url, autocommit=True) as connection:
        yield release.schema(connection)


@pytest.mark.parametrize("folder", RELEASES, ids=lambda path: path.name)
def test_events_of_a_release_are_taken(folder):
    """Also those of long ago, which may lie in the dead letters: nobody's subject or route has changed."""
    for kind, told in promised(folder, "events").items():
        for example in told["examples"]:
            taken = PRESENT[kind].model_validate(example["data"])
            assert (taken.subject(), taken.extensions()) == (example["subject"], example["extensions"])
            assert taken.model_dump(mode="json", exclude_unset=True) == example["data"], "no field was dropped"


def test_events_of_now_are_taken_by_the_last_release():
    """What is sent now passes its schemas: a new word or another form of a field needs a new type."""
    released = promised(LAST, "events")

    for kind, told in release.described().items():
        if kind in released:
            reader = Draft202012Validator(released[kind]["schema"])
            assert [error.message for one in told["examples"] for error in reader.iter_errors(one["data"])] == []
            assert narrower(released[kind]["schema"], told["schema"]) == []


def test_examples_show_every_field_and_every_type():
    for kind, one in PRESENT.items():
        shown = {name for told in release.described()[kind]["examples"] for name in told["data"]}
        assert shown == set(one.model_fields)


def test_statements_of_the_last_release_run_on_this_schema(shared_database_url):
    """Each of them, for the role that was allowed it: an old function that still runs is not broken by migrating."""
    released, broken = promised(LAST, "statements"), []
    with psycopg.connect(shared_database_url, autocommit=True) as connection:
        for function, names in released["may"].items():
            connection.execute(f"set role {roles.role(function)}")
            why = {name: release.planned(connection, released["queries"][name]) for name in names}
            broken += [f"{function}: {name}: {told}" for name, told in why.items() if told]
            connection.execute("reset role")

    assert broken == []


def test_schema_bears_what_the_last_release_writes(schema):
    """Its columns are there and no narrower, what came since may be left out, and no constraint is new to it."""
    narrow = []
    for table, was in promised(LAST, "schema").items():
        now = schema.get(table, {})
        columns = now.get("columns", {})
        narrow += [f"{table}.{name}: {told} is {columns.get(name)}" for name, told in was["columns"].items()
                   if columns.get(name) not in (told, told.replace(", required", ""))]  # fmt: skip
        narrow += [f"{table}.{name} is required" for name, told in columns.items()
                   if name not in was["columns"] and "required" in told]  # fmt: skip
        for kind in ("constraints", "unique"):
            narrow += [f"{table}: {name}" for name, told in now.get(kind, {}).items()
                       if was.get(kind, {}).get(name) != told and name not in NARROWED
                       and not _about(told, columns.keys() - was["columns"].keys())]  # fmt: skip

    assert narrow == []


def _about(constraint, new):
    """Whether a constraint is about columns alone that the last release does not know, and leaves empty."""
    return constraint.startswith("FOREIGN KEY") and any(f"({name})" in constraint for name in new)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("alter table requests drop column nudges", "requests.nudges"),
        ("alter table requests add column x int not null", "requests.x is required"),
        ("alter table users alter column email set not null", "users.email"),
        ("alter table requests add constraint narrow check (content <> '')", "requests: narrow"),
        ("create unique index one_name on users (display_name)", "users: one_name"),
    ],
)
def test_a_narrower_schema_is_found(database_url, broken, why):
    run(database_url, broken)
    with psycopg.connect(database_url, autocommit=True) as connection:
        found = release.schema(connection)

    with pytest.raises(AssertionError, match=re.escape(why)):
        test_schema_bears_what_the_last_release_writes(found)


def test_a_narrower_event_is_found():
    """A field that is gone, one that is new and required, and one of another form."""
    was = {"properties": {"a": {"type": "string"}, "b": {"enum": ["x"]}}, "required": ["a"]}
    now = {"properties": {"b": {"enum": ["x", "y"]}, "c": {}}, "required": ["c"]}

    assert sorted(narrower(was, now)) == ["['a'] is ['c']", "['x'] is ['x', 'y']", "a is gone", "required c"]
    assert narrower(was, {"properties": {**was["properties"], "c": {}}, "required": ["a"]}) == []

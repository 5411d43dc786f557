"""The command `parley`, as a person runs it, against everything that `make run` starts."""

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime

import databases
import pytest
from processes import ROOT, until

from devkit.installation import QUICK, Installation
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.database import Database

ENV = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}


@pytest.fixture(scope="module")
def parley(tmp_path_factory):
    """An installation."""
    with Installation(tmp_path_factory.mktemp("cli") / "parley", {**QUICK, "LOG_LEVEL": "ERROR"}) as running:
        yield running


@pytest.fixture(scope="module")
def admin(parley):
    """The key of an administrator."""
    database = Database(parley.database_url, name="test")
    key = Keys(database).create(email="root@example.org", role="admin", name="test")
    database.close()
    return key


@pytest.fixture
def run(parley, tmp_path):
    """Run the command; gives status, output, and what it complained of."""

    def call(*arguments, key=None, said=None, status=0, **env):
        given = {"PARLEY_HOME": str(parley.home), "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "lib"), **ENV, **env}
        command = [sys.executable, "-m", "parley.cli", *(["--key", key] if key else []), *arguments]
        done = subprocess.run(
            command, check=False, env=given, cwd=tmp_path, input=said, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        run.complained = done.stderr
        return done.stdout

    run = call
    return call


def answered(run, question="How old must my laptop be?"):
    """Ask, and give the request's id."""
    return run("ask", "--background", question).strip()


def test_question_is_answered_with_its_sources(run):
    """The answer as Markdown, then where it is from; nothing that steers a terminal."""
    shown = run("ask", "How", "old", "must", "my", "laptop", "be?")

    assert "48 months" in shown
    assert "1. Laptop refresh policy: " in shown
    assert "\x1b" not in shown


def test_question_comes_by_standard_input_too(run):
    """`-`, for what is long."""
    assert "48 months" in run("ask", "-", said="How old must my laptop be?\n")


def test_json_is_for_programs(run):
    """The whole result as one document; a list as a line an item."""
    result = json.loads(run("--json", "ask", "How old must my laptop be?"))
    items = [json.loads(line) for line in run("--json", "list", "--limit", "3").splitlines()]

    assert result["status"] == "completed"
    assert result["request_id"] == items[0]["request_id"]


def test_json_may_be_said_last(run):
    """Where most people say it."""
    assert json.loads(run("list", "--limit", "1", "--json"))["request_id"]


def test_question_is_asked_now_and_read_later(run):
    """The id alone is printed, so that a script can keep it; the log of what happened can be read to its end."""
    request = answered(run)

    assert "48 months" in run("result", request, "--wait", "30")
    assert "completed" in run("status", request)
    events = [json.loads(line) for line in run("watch", request).splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "completed"
    run("approve", request, status=1)
    assert "nothing is to be decided" in run.complained


def test_same_key_is_the_same_question(run):
    """A script that is run again asks nothing twice."""
    key = uuid.uuid4().hex
    first, again = (run("ask", "-b", "Why?", "--idempotency-key", key) for _ in range(2))

    assert first == again


def test_conversation_goes_on_in_the_terminal(run):
    """Line by line, until it ends; `/new` begins another one."""
    run("chat", said="How old must my laptop be?\n/new\nhello\n/quit\n")

    sessions = [json.loads(line) for line in run("--json", "sessions", "list").splitlines()]
    newest, before = sessions[0], sessions[1]
    first, *_ = run("--json", "sessions", "show", before["session_id"]).splitlines()
    assert json.loads(first)["content"] == "How old must my laptop be?"
    assert "You" in run("sessions", "show", newest["session_id"])
    run("sessions", "reset", newest["session_id"])
    run("sessions", "delete", before["session_id"], "--yes")
    assert run("sessions", "show", before["session_id"]) == ""


def test_what_waits_is_cancelled(run):
    """What is over stays as it is."""
    over = json.loads(run("--json", "ask", "How old must my laptop be?"))["request_id"]

    assert json.loads(run("--json", "cancel", over))["status"] == "completed"
    assert json.loads(run("--json", "cancel", answered(run)))["status"] in ("cancelled", "completed", "running")


def test_answer_is_sent_and_its_attempts_are_shown(run):
    """By the test channel; once more when one says so."""
    request = json.loads(run("--json", "ask", "How old must my laptop be?", "--channel", "test"))["request_id"]

    def sent():
        deliveries = [json.loads(line) for line in run("--json", "deliveries", "list").splitlines()]
        return next((one for one in deliveries if (one["request_id"], one["state"]) == (request, "delivered")), None)

    mine = until(sent)
    assert "delivered" in run("deliveries", "show", mine["id"])
    lines = [json.loads(line) for line in run("--json", "deliveries", "explain", request).splitlines()]
    [said] = [line["says"] for line in lines if line["rank"]]
    assert said == "the test channel, number 1 of 1: the request asks for it, it was delivered."
    run("deliveries", "redeliver", mine["id"])
    assert until(lambda: json.loads(run("--json", "deliveries", "show", mine["id"]))["attempts"][1:])


def test_preferences_are_chosen_shown_and_forgotten(run):
    """What one has chosen is told apart from the defaults."""
    run("preferences", "set", "email", "--never")
    run("preferences", "set", "sms", "--rank", "1", "--set", "number=+15005550006")

    effective = {one["channel"]: one for one in map(json.loads, run("--json", "preferences", "show").splitlines())}
    assert (effective["email"]["enabled"], effective["sms"]["rank"]) == (False, 1)
    assert "enabled: user" in run("preferences", "show")
    run("preferences", "set", "sms", "--use")
    effective = {one["channel"]: one for one in map(json.loads, run("--json", "preferences", "show").splitlines())}
    assert (effective["sms"]["rank"], effective["sms"]["config"]) == (1, {"number": "+15005550006"})
    run("preferences", "forget", "email")
    run("preferences", "forget")


def test_keys_are_made_listed_and_ended(run):
    """The key is shown once, and works until it is ended."""
    made = json.loads(run("--json", "keys", "create", "--name", "laptop", "--expires-days", "7"))

    assert made["prefix"] in run("keys", "list")
    assert "48 months" in run("ask", "How old must my laptop be?", key=made["key"])
    run("keys", "revoke", made["prefix"])
    run("ask", "Why?", key=made["key"], status=3)


def test_first_key_is_made_in_the_database(run, parley):
    """Without any key, by whoever has the database: how the first administrator comes to be."""
    key = run(
        "keys", "create", "--email", "first@example.org", "--role", "admin", DATABASE_URL=parley.database_url
    ).strip()

    run("stuck", key=key)


def test_key_that_is_made_in_the_database_is_as_it_was_ordered(run, parley):
    """With its scopes and no more, and as JSON for programs."""
    ordered = ["keys", "create", "--email", "first@example.org", "--scope", "requests:read", "--scope", "keys"]
    key = json.loads(run("--json", *ordered, DATABASE_URL=parley.database_url))["key"]

    listed = [json.loads(line) for line in run("--json", "keys", "list", key=key).splitlines()]
    [made] = [one for one in listed if one["prefix"] in key]
    assert made["scopes"] == ["requests:read", "keys"]
    run("ask", "May I?", key=key, status=3)


def test_person_is_exported_and_erased(run, admin, parley):
    """By a key of theirs or an administrator's, and straight in the database by whoever has it; it asks first."""
    key = run("keys", "create", "--email", "leaver@example.org", DATABASE_URL=parley.database_url).strip()
    asked = run("ask", "--background", "Where is the canary of Lea?", key=key).strip()
    until(lambda: json.loads(run("--json", "status", asked, key=key))["status"] == "completed")
    me = json.loads(run("--json", "users", "export", "me", key=key))["user"]["id"]

    exported = run("users", "export", "leaver@example.org", DATABASE_URL=parley.database_url)
    refused = run("users", "erase", me, key=admin, said="n\n", status=130)
    erased = run("users", "erase", "leaver@example.org", "--yes", DATABASE_URL=parley.database_url)
    again = run("users", "erase", me, "--yes", key=admin)
    for_programs = [
        json.loads(run("--json", "users", "erase", me, "--yes", key=admin)),
        json.loads(run("--json", "users", "erase", me, "--yes", DATABASE_URL=parley.database_url)),
    ]
    nobody = run("users", "erase", "leaver@example.org", "--yes", status=4, DATABASE_URL=parley.database_url)

    assert "canary of Lea" in exported
    assert "for good" in refused
    assert erased == "erased 1 questions and 1 conversations\n"
    assert again == erased  # bare rows without content stay
    assert for_programs == [{"requests": 1, "sessions": 1, "waiting": 0}] * 2
    assert (nobody, run.complained) == ("", "users: there is no such person\n")
    rows = "\n".join(
        text
        for (table,) in databases.run(
            parley.database_url, "select tablename from pg_tables where schemaname = 'public'"
        )
        for (text,) in databases.run(parley.database_url, f'select t::text from "{table}" t')
    )
    assert "canary of Lea" not in rows
    assert "leaver@example.org" not in rows
    run("status", asked, key=key, status=3)


def test_administrators_see_what_is_broken(run, admin, parley):
    """A message that nobody can take becomes a letter; it is shown, replayed, and shown as replayed."""
    run("inject", "parley.request.created", "--data", '{"request_id": "no id", "session_id": "none"}')

    letters = until(lambda: run("--json", "dead-letters", "list", key=admin).splitlines())
    letter = json.loads(letters[0])
    assert letter["type"] == "parley.request.created"
    assert "no id" in run("dead-letters", "show", letter["id"], key=admin)
    assert "replayed" in run("dead-letters", "replay", letter["id"], key=admin)
    assert json.loads(run("--json", "dead-letters", "replay", letter["id"], key=admin))["replayed"]
    run("dead-letters", "list", status=3)


def test_events_are_injected_by_recipe(run, parley):
    """A message that somebody might have said in Slack becomes a question."""
    text = f"Is it {uuid.uuid4().hex}?"
    shown = json.loads(run("inject", "message", "-f", f"text={text}", "--dry-run"))
    assert (shown["type"], shown["data"]["text"]) == ("parley.message.received", text)
    assert "signature" in json.loads(run("inject", "message", "--dry-run", EVENT_KEY="key"))
    assert json.loads(run("--json", "inject", "recovery"))["id"]
    run("inject", "request", status=2)
    run("inject", "recovery", "--broker", "http://127.0.0.1:9/x/y", status=5)


def test_knowledge_is_looked_after(run, parley):
    """In the database, by whoever has it."""
    assert "it-desk" in run("knowledge", "list", DATABASE_URL=parley.database_url)


def test_where_it_looks_is_shown(run, parley):
    """With the source of each field, and never a whole key."""
    shown = run("config")

    key = json.loads((parley.home / "running.json").read_text())["key"]
    assert str(parley.home / "running.json") in shown
    assert key[:11] in shown
    assert key not in shown


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["status", "01890000-0000-7000-8000-000000000000"], 4),
        (["--key", "pk_none", "list"], 3),
        (["--url", "http://127.0.0.1:9", "--key", "x", "status", "x"], 5),
        (["ask"], 2),
        (["nonsense"], 2),
        (["ask", "x", "--timeout", "soon"], 2),
        (["preferences", "set", "email", "--set", "novalue"], 2),
        (["ask", ""], 1),
    ],
)
def test_exit_status_says_what_kind_of_wrong_it_is(run, arguments, status):
    """And a line on standard error says it in words."""
    run(*arguments, status=status)

    assert run.complained.strip()


def test_help_names_every_command(run):
    """Shown without anything running."""
    shown = run("--help", PARLEY_HOME="/nowhere")

    for name in ("ask", "chat", "status", "approve", "deliveries", "preferences", "keys", "dead-letters", "inject"):
        assert name in shown


def test_a_receiver_is_looked_after(run, parley, admin):
    """Its state, a new secret, called again, what it missed; and the trouble that it was for everybody."""
    run("preferences", "set", "webhook", "--set", "url=https://hooks.example.org/parley")
    database = Database(parley.database_url, name="test")
    with database.transaction() as tx:
        [own] = [row for row in tx.rows("integrations_of_user", user_id=me(run)) if row["channel"] == "webhook"]
        trouble = {"failures": 3, "trips": 1, "reason": "it does not answer", "code": None}
        now = datetime.now(UTC)
        tx.run("keep_circuit", name=f"webhook:{own['id']}", failing_since=now, opened_at=now, until=now, **trouble)
    database.close()

    assert "failing" in run("receivers", "show")
    assert "whsec_" in run("receivers", "rotate", "--overlap", "60")
    assert json.loads(run("--json", "receivers", "show"))["generation"] == 2
    assert "it does not answer" in run("circuits", "list", key=admin)
    assert "0 were waiting" in run("circuits", "close", f"webhook:{own['id']}", key=admin)
    assert json.loads(run("--json", "receivers", "enable"))["state"] == "ok"
    assert "0 are sent once more" in run("receivers", "replay", "--since", "2026-11-01")
    run("receivers", "replay", "--since", "yesterday", status=2)


def me(run):
    """Give the id of who asks."""
    return json.loads(run("--json", "list", "--limit", "1") or run("--json", "ask", "Hi"))["user_id"]

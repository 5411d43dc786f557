"""What a person sees at the start, and what other programs read."""

import io
import json
import os
import re
import shlex
from dataclasses import asdict, replace

import pytest

from standalone import banner

FACTS = banner.Facts(
    port=18080,
    broker_port=18081,
    key="pk_example",
    database="postgresql://parley:hunter2@db.example.org:5432/parley?sslmode=require",
    migrations=3,
    documents=12,
)


class Terminal(io.StringIO):
    """Something that says it is a terminal."""

    def isatty(self):
        return True


def shown(facts=FACTS, out=None):
    out = out or io.StringIO()
    banner.show(facts, out)
    return out.getvalue()


def test_line_to_paste_is_one_a_shell_understands():
    """
    One indented line: the address, the key and the question as JSON, each one word for the shell.
    """
    [line] = [line for line in shown().splitlines() if line.lstrip().startswith("curl")]

    words = shlex.split(line)
    assert words[2] == "http://127.0.0.1:18080/api/v1/requests"
    assert words[words.index("-d") + 1] == json.dumps({"content": banner.QUESTION})
    assert [words[at + 1] for at, word in enumerate(words) if word == "-H"] == [
        "Authorization: Bearer pk_example",
        "Content-Type: application/json",
    ]


def test_database_is_named_without_its_password():
    """
    The host and the database, but neither user nor password: terminals are shared.
    """
    text = shown()

    assert "database host=db.example.org port=5432 dbname=parley;" in text
    assert "hunter2" not in text
    assert "parley:" not in text


@pytest.mark.parametrize(
    ("database", "place"),
    [
        ("postgresql://db.example.org/parley", "host=db.example.org dbname=parley"),
        ("postgresql://parley@/parley?host=/tmp/a%20socket", "host='/tmp/a socket' dbname=parley"),
        ("postgresql://db.example.org/parley?user=ann&password=hunter2", "host=db.example.org dbname=parley"),
        ("host=db.example.org user=ann password=hunter2 dbname=parley", "host=db.example.org dbname=parley"),
        ("postgresql://ann:hunter2@one/parley?sslpassword=hunter2", "host=one dbname=parley"),
    ],
    ids=["none", "socket", "in the query", "in words", "of a key"],
)
def test_password_is_left_out_of_each_form_of_a_database(database, place):
    """
    What libpq takes as a connection string is shown as where it leads, nothing else.
    """
    text = shown(replace(FACTS, database=database))

    assert f"database {place};" in text
    assert "hunter2" not in text


def test_what_was_done_and_where_the_rest_is():
    """
    Counts of migrations and documents, Slack's URL, the broker and its state.
    """
    text = shown()

    assert "3 migrations applied, 12 documents loaded" in text
    assert "all functions in one process" in text
    assert "http://127.0.0.1:18080/slack/events" in text
    assert "http://127.0.0.1:18081/parley/parley" in text
    assert "http://127.0.0.1:18081/-/broker" in text


def test_with_one_process_for_each_slack_has_a_port_of_its_own():
    """
    The event URL is that of slack-ingest.
    """
    text = shown(replace(FACTS, ports={"request-api": 18080, "slack-ingest": 18090}))

    assert "one process per function" in text
    assert "http://127.0.0.1:18090/slack/events" in text


def test_colours_are_for_terminals():
    """
    Escape codes on a terminal, none in a file; the words are the same.
    """
    plain, coloured = shown(), shown(out=Terminal())

    assert "\033" not in plain
    assert "\033[1m" in coloured
    assert re.sub(r"\033\[\d+m", "", coloured) == plain


def test_facts_are_written_for_other_programs(tmp_path):
    """
    JSON that only its owner may read, in the place of the one before; nothing else is left there.
    """
    path = tmp_path / "running.json"
    path.write_text("old")
    facts = replace(FACTS, ports={"recover": 1}, pids={"recover": 2})

    banner.write(facts, tmp_path)

    assert json.loads(path.read_text()) == {**asdict(facts), "pid": os.getpid()}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_only_our_own_facts_are_taken_back(tmp_path):
    """A second one may have written its own meanwhile."""
    path = tmp_path / "running.json"
    path.write_text(json.dumps({**asdict(FACTS), "pid": os.getpid() + 1}), encoding="utf-8")
    banner.unwrite(tmp_path)
    assert path.exists()

    banner.write(FACTS, tmp_path)
    banner.unwrite(tmp_path)
    banner.unwrite(tmp_path)
    assert not path.exists()

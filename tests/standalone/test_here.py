"""Commands on what runs here: its database and broker, unless others are said."""

import json
import os
import subprocess
import sys

import pytest

from standalone import here

FACTS = {
    "port": 8080, "broker_port": 8081, "database": "postgresql://here/parley", "key": "pk_x", "user": "a@example.org",
    "pid": 1,
}  # fmt: skip


@pytest.fixture
def home(tmp_path):
    (tmp_path / "running.json").write_text(json.dumps(FACTS))
    return {"PARLEY_HOME": str(tmp_path)}


def test_what_runs_here_is_meant_when_nothing_is_said(home):
    """And its own broker."""
    assert here.found(home) == {
        "DATABASE_URL": "postgresql://here/parley", "K_SINK": "http://127.0.0.1:8081/parley/parley",
    }  # fmt: skip


def test_what_is_said_wins(home):
    """A database elsewhere has a broker elsewhere: never ours for it."""
    assert here.found({**home, "DATABASE_URL": "postgresql://elsewhere/parley"}) == {}
    assert here.found({**home, "K_SINK": "http://broker/"})["K_SINK"] == "http://broker/"


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"port": 1}'])
def test_without_one_nothing_is_made_up(tmp_path, text):
    """The command itself says what it lacks; a file that is none is told of, not taken for nothing."""
    said = tmp_path / "running.json"
    if text is not None:
        said.write_text(text)
    env = {**os.environ, "PARLEY_HOME": str(tmp_path)}
    env.pop("DATABASE_URL", None)

    done = subprocess.run(
        [sys.executable, "-m", "standalone.here", "parley.dead_letters", "list"],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip

    broken = f"parley: {said}: does not say what runs here; remove it, or start again with `make run`\n"
    assert (done.returncode, done.stderr) == (2, "DATABASE_URL: required, not set\n" if text is None else broken)


def test_the_command_gets_its_arguments(home):
    """As if it had been called itself."""
    done = subprocess.run(
        [sys.executable, "-m", "standalone.here", "parley.api.keys", "create", "--help"],
        env={**os.environ, **home}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "usage: keys create" in done.stdout

"""Backup, destroy, restore: the system goes on with the requests that were open."""

import os
import shutil
import subprocess

import psycopg
import pytest
from flow.conftest import QUESTION, World, installation
from processes import python

from devkit.slack import SlackStandIn
from standalone.postgres import EmbeddedPostgres

BEFORE, HELD, UNANSWERED = 2, 3, 3
OPEN = (
    "select (select count(*) from deliveries where state = 'queued'),"
    " (select count(*) from requests where state = 'running')"
)


@pytest.mark.timeout(120)
def test_what_was_open_at_the_backup_is_answered_after_the_restore(tmp_path):
    """
    Answered ones stay answered; what waits to be delivered or to be answered goes on in another server.

    Backed up with pg_dump while all of it runs; then every process is killed and the data removed. What belongs to the
    server and to nobody's database, the roles, is made anew before; the secrets are the installation's own.
    """
    with SlackStandIn() as slack:
        first = installation(tmp_path / "first", slack)
        with first:
            world = World(first, slack)
            done = [world.say() for _ in range(BEFORE)]
            world.until(lambda: all(world.answers(ts) for ts in done))
            with psycopg.connect(first.database_url) as holding:
                holding.execute("lock table delivery_attempts in share mode")  # nobody begins to send
                held = [world.say() for _ in range(HELD)]
                world.until(lambda: world.rows(OPEN) == [(HELD, 0)])
                holding.execute(
                    "lock table steps in share mode"
                )  # and nobody gets further than the first step of a turn
                asked = [world.ask(f"{QUESTION} ({n})", prefer="respond-async").json() for n in range(UNANSWERED)]
                world.until(lambda: world.rows(OPEN) == [(HELD, UNANSWERED)])
                dump = _dump(EmbeddedPostgres(tmp_path / "first" / "postgres"), tmp_path / "dump")
            first.kill()
        shutil.rmtree(tmp_path / "first" / "postgres", ignore_errors=True)

        second = installation(tmp_path / "second", slack)
        (tmp_path / "second").mkdir()
        shutil.copy(tmp_path / "first" / "secrets.json", tmp_path / "second")
        with EmbeddedPostgres(tmp_path / "second" / "postgres") as server:
            url = server.start()
            made = python("-m", "parley.adapters.postgres.roles", "--create", DATABASE_URL=url)
            assert made.returncode == 0, made.stderr
            _restore(server, dump)
        with second:
            world = World(second, slack)
            world.until(world.settled)

            texts = [[one["text"] for one in world.answers(ts)] for ts in [*done, *held]]
            assert [len(posts) for posts in texts] == [1] * (BEFORE + HELD)
            assert all("48 months" in text for [text] in texts)
            for one in asked:
                shown = world.get(one["links"]["result"])
                assert shown.json()["status"] == "completed", shown.text


def _dump(server, path):
    _run(server, "pg_dump", "--format=custom", "--file", str(path), server.url)
    return path


def _restore(server, path):
    _run(server, "pg_restore", "--exit-on-error", "--no-owner", "--dbname", server.url, str(path))


def _run(server, program, *arguments):
    done = subprocess.run(
        [server._binaries() / program, *arguments], env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

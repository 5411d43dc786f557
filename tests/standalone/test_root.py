"""The repository's root as one function: everything, however it is started."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.database import Database
from parley.errors import Unavailable
from standalone import root as root_of
from standalone.host import free_ports

ROOT = Path(__file__).resolve().parents[2]
QUESTION = {"content": "How old must my laptop be before I can get a new one?"}
EVENT = {"ce-id": "1", "ce-source": "/test", "ce-type": "nobody.takes.this", "ce-specversion": "1.0"}

SECRETS = {
    "EVENT_KEY": "e" * 32, "WEBHOOK_SIGNING_KEY": "w" * 32, "SLACK_SIGNING_SECRET": "s" * 32,
    "TOOL_SIGNING_KEY": "A" * 43, "TOOL_PUBLIC_KEY": "A" * 43,
    "SLACK_BOT_TOKEN": "xoxb-1", "SMTP_URL": "smtp://127.0.0.1:9?tls=none", "MAIL_FROM": "a@example.org",
    "AWS_REGION": "us-east-1",
}  # fmt: skip

# `python -m parliament .`, whose port and address cannot be chosen, on this machine's own address and a free port.
PARLIAMENT = (
    "import sys, parliament.__main__ as p; port = int(sys.argv.pop()); serve = p.serve;"
    "p.serve = lambda app, **_: serve(app, host='127.0.0.1', port=port, threads=4); p.main()"
)


class Root:
    """The root as a process, with the settings of its func.yaml that matter here, and without lib on the path."""

    def __init__(self, command, home, database_url, **env):
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = home
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        settings = {
            "PATH": path, "DATABASE_URL": database_url, "PARLEY_HOME": str(home), "PORT": str(self.port),
            "BROKER_PORT": "0", "ADDRESS": "127.0.0.1", "K_SERVICE": "parley", "MAX_INSTANCES": "1", **SECRETS, **env,
        }  # fmt: skip
        command = [str(self.port) if word == "PORT" else word for word in command]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def __enter__(self):
        end = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < end:
            try:
                httpx.get(f"{self.url}/health/liveness")
            except httpx.TransportError:
                time.sleep(0.01)
                continue
            return self
        self.process.kill()
        pytest.fail(self.process.communicate()[0])

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def procfile():
    """What buildpacks start."""
    kind, command = (ROOT / "Procfile").read_text().strip().split(": ", 1)
    assert kind == "web"
    return shlex.split(command)


@pytest.mark.parametrize("command", [procfile(), ["./app.sh"]], ids=["Procfile", "app.sh"])
def test_image_serves_everything_at_one_port(tmp_path, database_url, command):
    """
    As buildpacks (Procfile) and s2i (app.sh) start it: health, the API with its answer, an end in order.

    Nothing is open that asks for neither a key nor a signature, and no key is made, let alone written into the log.
    """
    with Root(command, tmp_path, database_url) as root:
        ready = httpx.get(f"{root.url}/health/readiness", timeout=30)
        database = Database(database_url, name="test")
        key = Keys(database).create(email="ann@example.org", role="user", name="test")
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.post(f"{root.url}/api/v1/requests", json=QUESTION, headers=headers, timeout=60)
        stranger = httpx.post(f"{root.url}/api/v1/requests", json=QUESTION)
        closed = [httpx.post(root.url + path, headers=EVENT) for path in ("", "/parley/parley", "/functions/recover/")]

        root.process.send_signal(signal.SIGTERM)

        assert root.process.wait(30) == 0
        assert (ready.status_code, answer.status_code, stranger.status_code) == (200, 200, 401)
        assert "48 months" in answer.json()["result"]["text"]
        assert [one.status_code for one in closed] == [404, 404, 404]
        assert len(Keys(database).all()) == 1
        database.close()
        assert "pk_" not in root.process.stdout.read()


@pytest.mark.parametrize("secret", ["EVENT_KEY", "WEBHOOK_SIGNING_KEY", "SLACK_SIGNING_SECRET", "SLACK_BOT_TOKEN"])
def test_image_without_a_secret_does_not_start(tmp_path, database_url, secret):
    """
    None is made up, and none is taken from what a laptop uses: one line, exit status 2.
    """
    root = Root(procfile(), tmp_path, database_url, **{secret: ""})

    said, _ = root.process.communicate(timeout=60)

    assert root.process.returncode == 2
    assert f"{secret}: required" in said


def test_image_without_a_database_does_not_start(tmp_path):
    """
    On Knative, data on a pod's disk is no data: one line, exit status 2.
    """
    root = Root(procfile(), tmp_path, "")

    said, _ = root.process.communicate(timeout=60)

    assert (root.process.returncode, said) == (2, "parley: DATABASE_URL: required on Knative\n")


def test_plain_parliament_serves_what_it_hands_over(tmp_path, database_url):
    """
    `python -m parliament .` knows `/` and health: events are taken by the broker, which says what became of them.

    BROKER_PORT does not matter: one that is taken hinders nothing.
    """
    command = [sys.executable, "-c", PARLIAMENT, ".", "PORT"]
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        Root(command, tmp_path, database_url, K_SERVICE="", BROKER_PORT=str(taken.getsockname()[1])) as root,
    ):
        health = [httpx.get(f"{root.url}/health/{one}").status_code for one in ("liveness", "readiness")]
        event = httpx.post(root.url, headers=EVENT, timeout=60)
        no_event = httpx.post(root.url, json={})
        state = httpx.get(root.url)
        other = [httpx.get(f"{root.url}{path}").status_code for path in ("/api/v1/requests", "/slack/events")]

        assert other == [404, 404]
        assert health == [200, 200]
        assert (event.status_code, no_event.status_code, state.status_code) == (202, 400, 200)
        assert state.json()["accepted"] == 1


def test_start_that_fails_leaves_nothing_half_started(tmp_path, monkeypatch):
    """
    parliament asks again with each request: what was started before the fault is ended.
    """
    ended = []

    def fails(stack, *_):
        stack.callback(ended.append, True)
        raise Unavailable("no database")

    monkeypatch.setattr(root_of, "assemble", fails)
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))

    with pytest.raises(Unavailable):
        root_of.Everything(root_of.Settings())

    assert ended == [True]


def test_plain_parliament_says_nothing_of_what_is_wrong(tmp_path, database_url):
    """
    A start that is refused is a 500 for whoever asks; the reason is for the log.
    """
    command = [sys.executable, "-c", PARLIAMENT, ".", "PORT"]
    with Root(command, tmp_path, database_url, MAX_INSTANCES="2") as root:
        answer = httpx.post(root.url, headers=EVENT, timeout=60)
        root.process.terminate()
        said, _ = root.process.communicate(timeout=30)

        assert (answer.status_code, answer.text) == (500, "")
        assert "MAX_INSTANCES" not in json.dumps(dict(answer.headers))
        assert "MAX_INSTANCES" in said

"""What is deployed: a folder that starts from its own requirements alone, and is rewritten sparingly."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time

import httpx
import pytest
from wiring.conftest import FUNCTIONS, ROOT

from devkit import images, lock, stage
from standalone.host import free_ports

functions = pytest.mark.parametrize("name", FUNCTIONS)

# `python -m parliament .`, whose port and address cannot be chosen, on this machine's own address and a free port.
PARLIAMENT = (
    "import sys, parliament.__main__ as p; port = int(sys.argv.pop()); serve = p.serve;"
    "p.serve = lambda app, **_: serve(app, host='127.0.0.1', port=port, threads=2); p.main()"
)


@pytest.fixture
def staged(tmp_path):
    """Stage a function; gives its folder."""

    def make(name):
        stage.stage(name, tmp_path / "build")
        return tmp_path / "build" / name

    return make


@pytest.fixture
def python():
    """A Python that has a staged folder's own requirements and nothing else."""
    return lambda folder: images.python_with(folder, f"{sys.version_info[0]}.{sys.version_info[1]}")


def settings(url):
    return {
        "DATABASE_URL": url, "K_SINK": "http://127.0.0.1:9/", "EVENT_KEY": "k" * 32, "SLACK_SIGNING_SECRET": "s" * 32,
        "SLACK_BOT_TOKEN": "xoxb-1", "SMTP_URL": "smtp://127.0.0.1:9?tls=none", "MAIL_FROM": "a@example.org",
        "TOOL_SIGNING_KEY": "A" * 43, "TOOL_PUBLIC_KEY": "A" * 43,
        "AWS_REGION": "us-east-1", "WEBHOOK_SIGNING_KEY": "k" * 32, "ADDRESS": "127.0.0.1", "THREADS": "4",
    }  # fmt: skip


class Started:
    """A process that serves a folder, without this project on its path."""

    def __init__(self, arguments, folder, url, port):
        self.base = f"http://127.0.0.1:{port}"
        env = {**settings(url), "PORT": str(port), "PATH": os.environ["PATH"]}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            arguments, cwd=folder, env=env, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def answers(self, path, status=200):
        """Wait until this path answers."""
        until = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < until:
            try:
                if httpx.get(self.base + path, timeout=10).status_code == status:
                    return
            except httpx.TransportError:
                time.sleep(0.01)
        self.process.kill()
        pytest.fail(f"{path} does not answer:\n{self.process.communicate()[0]}")

    def stopped(self):
        """End it as Kubernetes does; gives its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.mark.parametrize("name", ["slack-ingest", "request-api", "recover"])
def test_it_starts_alone_from_its_own_requirements(name, staged, python, database_url):
    folder, port = staged(name), free_ports(1)[0]
    with Started([python(folder), "-m", "parley.serve", "."], folder, database_url, port) as started:
        started.answers("/health/readiness")
        unknown = httpx.post(f"{started.base}/", json={})
        assert unknown.status_code in (400, 401, 404), unknown.text
        assert started.stopped() == 0


@functions
def test_plain_parliament_serves_its_events_too(name, staged, python, database_url):
    folder, port = staged(name), free_ports(1)[0]
    with Started([python(folder), "-c", PARLIAMENT, ".", str(port)], folder, database_url, port) as started:
        started.answers("/health/liveness")
        headers = {"ce-id": "1", "ce-source": "/x", "ce-specversion": "1.0", "ce-type": "of.another.kind"}
        answer = httpx.post(f"{started.base}/", headers=headers, json={})
        assert answer.status_code in (401, 404, 422) if name != "recover" else 202, answer.text


@functions
def test_what_a_folder_lacks_is_said_with_the_remedy(name, staged, python, tmp_path):
    folder = tmp_path / name
    shutil.copytree(ROOT / "functions" / name, folder)
    code = "import func"
    failed = subprocess.run([python(staged(name)), "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr.strip() == f"parley is not beside this file: deploy it with `make deploy FN={name}`"


def test_without_its_secret_it_does_not_start(staged, python):
    folder = staged("deliver-webhook")
    env = {**settings("postgresql://127.0.0.1:9/x"), "WEBHOOK_SIGNING_KEY": ""}
    command = [python(folder), "-m", "parley.serve", "."]
    failed = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert "WEBHOOK_SIGNING_KEY" in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1


def test_the_function_of_all_functions_starts_alone_too(staged, python, database_url, tmp_path):
    """Without the PostgreSQL that laptops have, and with nothing that is there for them."""
    folder, port = staged("parley"), free_ports(1)[0]
    assert not (folder / "config" / "cluster").exists()
    assert not (folder / "config" / "local.env").exists()
    with Started([python(folder), "func.py"], folder, database_url, port) as started:
        started.answers("/health/readiness")
        assert started.stopped() == 0
    for name in ("pixeltable", "pandas", "pytest"):
        assert name not in (folder / "requirements.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*FUNCTIONS, stage.WHOLE])
def test_what_is_installed_has_a_hash(name, staged):
    """Each package of the function's own lock, in its version, and none besides."""
    folder = staged(name)
    lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.removesuffix(" \\") for line in lines if not line.startswith(" ")]
    hashed = [
        above for above, line in itertools.pairwise(lines) if not above.startswith(" ") and "--hash=sha256:" in line
    ]
    source = ROOT if name == stage.WHOLE else ROOT / "functions" / name
    locked = (source / "constraints.txt").read_text(encoding="utf-8").split(lock.LAPTOPS)[0].splitlines()
    assert pins == [line for line in locked if "==" in line]
    assert len(hashed) == len(pins)


def test_only_what_has_changed_is_written(staged, tmp_path):
    folder = staged("agent-turn")
    assert stage.stage("agent-turn", tmp_path / "build") == 0
    (folder / "parley" / "turns.py").write_text("changed", encoding="utf-8")
    (folder / "config" / "agents" / "routing.yaml").unlink()
    assert stage.stage("agent-turn", tmp_path / "build") == 2
    assert (folder / "parley" / "turns.py").read_bytes() == (ROOT / "lib" / "parley" / "turns.py").read_bytes()


def test_what_is_no_longer_part_of_it_goes_and_what_func_keeps_stays(staged, tmp_path):
    folder = staged("normalize")
    (folder / ".func").mkdir()
    (folder / ".func" / "built").write_text("image", encoding="utf-8")
    (folder / "parley" / "old").mkdir()
    (folder / "parley" / "old" / "gone.py").write_text("", encoding="utf-8")
    stage.stage("normalize", tmp_path / "build")
    assert (folder / ".func" / "built").exists()
    assert not (folder / "parley" / "old").exists()


def test_what_func_adds_to_func_yaml_stays_until_ours_changes(staged, tmp_path, monkeypatch):
    folder = staged("recover")
    added = (folder / "func.yaml").read_text(encoding="utf-8") + "image: example.org/recover:1\n"
    (folder / "func.yaml").write_text(added, encoding="utf-8")
    assert stage.stage("recover", tmp_path / "build") == 0
    assert (folder / "func.yaml").read_text(encoding="utf-8") == added

    project = tmp_path / "project"
    for part in ("functions/recover", "lib/parley"):
        shutil.copytree(ROOT / part, project / part)
    shutil.copy(ROOT / "requirements.lock", project)
    changed = (ROOT / "functions" / "recover" / "func.yaml").read_text(encoding="utf-8") + "# changed\n"
    (project / "functions" / "recover" / "func.yaml").write_text(changed, encoding="utf-8")
    monkeypatch.setattr(stage, "ROOT", project)
    assert stage.stage("recover", tmp_path / "build") == 1
    assert (folder / "func.yaml").read_text(encoding="utf-8") == changed


def test_the_configuration_that_a_function_reads_goes_along(staged):
    folder = staged("agent-turn")
    shipped = {path.name for path in (ROOT / "config" / "agents").iterdir()}
    assert {path.name for path in (folder / "config" / "agents").iterdir()} == shipped
    assert (folder / "config" / "integrations.yaml").exists()
    assert (staged("normalize") / "config" / "slack.yaml").exists()
    assert not (staged("recover") / "config").exists()


def test_what_is_for_peoples_machines_stays_there(staged):
    """Neither the client nor the command goes into an image."""
    folder = staged("request-api")
    assert (folder / "parley" / "api").is_dir()
    assert not (folder / "parley" / "client").exists()
    assert not (folder / "parley" / "cli").exists()


def test_the_page_goes_to_who_serves_it(staged):
    """Every image has the library; the browser's files are in one."""
    assert (staged("request-api") / "parley" / "api" / "page" / "chat.html").exists()
    assert not (staged("recover") / "parley" / "api" / "page").exists()


def test_a_name_that_is_no_function_is_refused(capsys):
    assert stage.main(["normalise"]) == 2
    assert stage.main([]) == 2
    assert "FN is one of: all agent-turn " in capsys.readouterr().err


def test_all_are_staged_in_one_go(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stage.stage, "__defaults__", (tmp_path,))
    assert stage.main(["all"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == FUNCTIONS
    assert len(capsys.readouterr().out.splitlines()) == len(FUNCTIONS)

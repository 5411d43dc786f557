"""The main job as a process: what it refuses, what it says, how it is asked, and that it leaves nothing running."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from devkit.installation import Installation
from parley.adapters.postgres.api import Keys
from standalone.__main__ import key_of
from standalone.banner import QUESTION
from standalone.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "postgresql://parley:hunter2@127.0.0.1:9/parley"


class Main:
    """`python -m standalone` in a process group of its own, with a database of the tests; killed at the end."""

    def __init__(self, home, *arguments, **env):
        self.home = home
        home.mkdir(exist_ok=True)
        with (home / "out").open("wb") as out, (home / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "standalone", *arguments], env=environment(home, **env), cwd=ROOT,
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for left in processes_of(self.home):
            left.kill()

    def facts(self):
        """Wait until it can be used; gives what it says of itself."""
        said = self.home / "running.json"
        until(lambda: said.exists() or self.process.poll() is not None)
        assert said.exists(), (self.home / "err").read_text()
        return json.loads(said.read_text())


def environment(home, **env):
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    own = {"PARLEY_HOME": str(home), "PYTHONPATH": str(ROOT / "lib"), "PORT": "0", "BROKER_PORT": "0"}
    return {**inherited, **own, **env}


def run(home, *arguments, module="standalone", **env):
    """Run a module to its end."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], env=environment(home, **env), cwd=ROOT,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def processes_of(home):
    """Every process that was started for this home, the functions' and PostgreSQL's too."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PARLEY_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not in {seconds} s"
        time.sleep(0.01)
    return found


def banner_in(log):
    """Wait until the banner is printed; gives that of the last start."""
    text = until(lambda: (said := log.read_text()).endswith("Ctrl-C\n") and said)
    return text[text.rindex("Parley is running") :]


def pasted(banner):
    """The line of the banner that is to be pasted."""
    [line] = [line.strip() for line in banner.splitlines() if line.strip().startswith("curl ")]
    return line


def shell(line):
    """Run a line as a person's shell does; without curl, what it would send is sent by us."""
    if shutil.which("curl"):
        return subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True, timeout=60).stdout
    words = shlex.split(line)
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    url = next(word for word in words if word.startswith("http://"))
    return httpx.post(url, headers=headers, content=words[words.index("-d") + 1], timeout=60).text


def key(facts):
    return {"Authorization": f"Bearer {facts['key']}"}


@pytest.fixture(scope="module")
def parley(tmp_path_factory):
    """One that runs, with a PostgreSQL of its own, shared by the tests that only ask it."""
    with Installation(tmp_path_factory.mktemp("main") / "home") as running:
        yield running


def test_line_of_the_banner_asks_and_is_answered(parley):
    """
    Pasted into a shell as it is printed: the answer, from the knowledge base, in the same call.
    """
    answer = json.loads(shell(pasted(banner_in(parley.home / "log"))))

    assert answer["status"] == "completed"
    assert "48 months" in answer["result"]["text"]
    assert answer["result"]["citations"][0]["document"] == "laptop-refresh"


def test_line_of_the_banner_with_what_it_says_to_add_does_not_wait(parley):
    """
    `-H 'Prefer: respond-async'`: links at once; following them leads to the same answer.
    """
    banner = banner_in(parley.home / "log")
    [addition] = re.findall(r"add +(-H '[^']+')", banner)

    accepted = json.loads(shell(f"{pasted(banner)} {addition}"))

    def result():
        answer = httpx.get(parley.url + accepted["links"]["result"], headers=key(parley.facts))
        return answer.status_code == 200 and answer.json()

    assert "result" not in accepted
    assert "48 months" in until(result)["result"]["text"]
    status = httpx.get(parley.url + accepted["links"]["status"], headers=key(parley.facts))
    assert status.json()["status"] == "completed"


def test_what_it_prints_and_what_it_writes_down_are_the_same(parley):
    """
    Address, key and broker; `running.json` and all that holds a secret is its owner's alone.
    """
    banner = banner_in(parley.home / "log")

    assert f"Parley is running on {parley.url} (all functions in one process)" in banner
    roles = [one["role"] for one in httpx.get(f"{parley.url}/api/v1/keys", headers=key(parley.facts)).json()["items"]
             if one["name"] == "standalone"]  # fmt: skip
    assert re.search(rf"API key \(role {roles[0]}; .*\): {re.escape(parley.facts['key'])}\n", banner)
    assert f"http://127.0.0.1:{parley.facts['broker_port']}/-/broker" in banner
    modes = {name: (parley.home / name).stat().st_mode & 0o777 for name in ("running.json", "api-key", "secrets.json")}
    assert set(modes.values()) == {0o600}, modes


def test_state_of_the_broker_is_shown_at_both_doors(parley):
    """
    As JSON at the broker's own port and at the front door, where a browser finds the page.
    """
    httpx.post(f"{parley.url}/api/v1/requests", headers=key(parley.facts), json={"content": QUESTION}, timeout=60)
    own = f"http://127.0.0.1:{parley.facts['broker_port']}/-/broker"
    until(lambda: httpx.get(own).json()["open"] == 0)

    inside, outside, page = httpx.get(own).json(), httpx.get(f"{parley.url}/-/broker").json(), httpx.get(parley.url)

    assert inside == outside
    assert inside["accepted"] > 0
    assert inside["delivered"] > 0
    assert inside["dead_lettered"] == 0
    assert "agent-turn" in inside["queues"]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Parley</title>" in page.text
    assert [httpx.get(f"{parley.url}/health/{one}").status_code for one in ("liveness", "readiness")] == [200, 200]


@pytest.mark.parametrize("question", [[QUESTION], QUESTION.split(), [], [" "]], ids=["one", "words", "none", "blank"])
def test_ask_prints_the_answer_and_its_sources(parley, question):
    """
    Of the one that runs, without starting another; without a question it asks that of the banner.
    """
    asked = run(parley.home, *question, module="standalone.ask", COLUMNS="200")

    assert (asked.returncode, asked.stderr) == (0, "")
    assert "48 months" in asked.stdout
    assert re.search(r"^1\. Laptop refresh policy: ", asked.stdout, re.MULTILINE)


def test_ask_says_why_a_question_is_refused(parley):
    """
    Above 32 KiB: the reason, and the exit status 1.
    """
    asked = run(parley.home, "why? " * 7000, module="standalone.ask")

    assert asked.returncode == 1
    assert "Traceback" not in asked.stderr
    assert asked.stderr.startswith("parley: The body ")


def test_ask_starts_one_for_as_long_as_it_takes(tmp_path, database_url):
    """
    When none runs: the answer, and afterwards nothing runs and nothing says that it does.
    """
    asked = run(tmp_path, QUESTION, module="standalone.ask", DATABASE_URL=database_url)

    assert (asked.returncode, asked.stderr) == (0, "starting Parley …\n")
    assert "48 months" in asked.stdout
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "running.json").exists()


def test_ask_says_which_setting_is_wrong(tmp_path):
    """
    When it cannot even look for one that runs.
    """
    asked = run(tmp_path, module="standalone.ask", PARLEY_HOME="/dev/null/home")

    assert (asked.returncode, asked.stdout) == (2, "")
    [line] = asked.stderr.splitlines()
    assert line.startswith("parley: PARLEY_HOME: ")


GONE = {"broker_port": 1, "key": "pk_1", "database": NOBODY, "user": "you@example.org", "pid": 1}


def test_ask_is_not_misled_by_what_a_killed_one_has_left(tmp_path):
    """
    `running.json` of a process that is gone: a new one is started; when that fails, it says so.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "running.json").write_text(json.dumps({**GONE, "port": port}))

    asked = run(tmp_path, module="standalone.ask", DATABASE_URL=NOBODY)

    assert asked.returncode == 1
    assert asked.stdout == ""
    assert asked.stderr.splitlines()[0] == "starting Parley …"
    assert asked.stderr.splitlines()[-1] == "parley: it did not start; `make run` says why"


WRONG = {
    "not a number": ({"PORT": "http"}, "PORT: must be a number"),
    "one port for two": ({"PORT": "18123", "BROKER_PORT": "18123"}, "BROKER_PORT: must be another than PORT"),
    "above the last port": ({"PORT": "99999"}, "PORT: "),
    "home that cannot be made": ({"PARLEY_HOME": "/dev/null/home"}, "PARLEY_HOME: "),
    "no URL": ({"DATABASE_URL": "hunter2"}, "DATABASE_URL: must be a postgresql:// URL"),
    "database that is not there": ({}, "DATABASE_URL: connection failed"),
}


@pytest.mark.parametrize(("wrong", "reason"), [pytest.param(*row, id=name) for name, row in WRONG.items()])
def test_wrong_setting_ends_the_start_with_one_line(tmp_path, wrong, reason):
    """
    Exit status 2; the line names the variable and holds no password; nothing is left running.
    """
    refused = run(tmp_path, **{"DATABASE_URL": NOBODY, **wrong})

    assert (refused.returncode, refused.stdout) == (2, "")
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"parley: {reason}")
    assert "hunter2" not in line
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "running.json").exists()


def test_wrong_setting_of_a_function_names_the_function(tmp_path, database_url):
    """
    A function that cannot be built ends the start of the whole.
    """
    refused = run(tmp_path, DATABASE_URL=database_url, SMTP_URL="ftp://user:hunter2@mail")

    assert (refused.returncode, refused.stdout) == (2, "")
    [line] = refused.stderr.splitlines()
    assert line.startswith("parley: deliver-email: SMTP_URL: ")
    assert "hunter2" not in line
    assert processes_of(tmp_path) == []


def test_wrong_setting_of_a_process_ends_the_start(tmp_path, database_url):
    """
    With one process for each, the function says what is wrong, and the host says which it was; none is started again.
    """
    refused = run(tmp_path, "--processes", DATABASE_URL=database_url, SMTP_URL="ftp://user:hunter2@mail")

    assert (refused.returncode, refused.stdout) == (2, "")
    reason, which = refused.stderr.splitlines()
    assert reason.startswith("parley: SMTP_URL: ")
    assert which == "parley: deliver-email: does not start; its reason is above"
    assert "hunter2" not in reason
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("arguments", [[], ["--processes"]], ids=["one process", "process per function"])
@pytest.mark.parametrize("name", ["PORT", "BROKER_PORT"])
def test_port_that_is_taken_ends_the_start(tmp_path, name, arguments):
    """
    At once, before anything else is started: exit status 2 and one line that names the setting.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run(tmp_path, *arguments, DATABASE_URL=NOBODY, **{name: str(taken.getsockname()[1])})

    assert (refused.returncode, refused.stdout) == (2, "")
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"parley: {name}: ")
    assert "already in use" in line
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "running.json").exists()


@pytest.mark.parametrize("left", ["", "pk_AAAAAAAA_" + 43 * "A"], ids=["empty", "of another database"])
def test_key_that_the_database_does_not_know_is_made_anew(tmp_path, database, left):
    """
    After a crash, or when DATABASE_URL has changed; one that is known stays, and only its owner may read it.
    """
    (tmp_path / "api-key").write_text(left)

    made = key_of(tmp_path, database.url, "ann@example.org")

    assert Keys(database).principal(made)
    assert key_of(tmp_path, database.url, "ann@example.org") == made
    [path] = tmp_path.iterdir()
    assert path.read_text() == f"{made}\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_sigterm_ends_a_start(tmp_path):
    """
    While PostgreSQL is made or started: exit status 0, and it is not left behind.
    """
    server = EmbeddedPostgres(tmp_path / "postgres")
    try:
        for moment in (server.home.exists, lambda: server.pid):
            with Main(tmp_path) as main:
                until(moment)
                main.process.terminate()

                assert main.process.wait(60) == 0
                assert (tmp_path / "err").read_text() == "starting PostgreSQL …\n"
                assert processes_of(tmp_path) == []
                assert not (tmp_path / "running.json").exists()
    finally:
        server.kill()
        shutil.rmtree(server.home, ignore_errors=True)


def test_sigterm_ends_a_start_of_processes(tmp_path, database_url):
    """
    While the functions get ready: exit status 0, and none of them is left behind.
    """
    with Main(tmp_path, "--processes", DATABASE_URL=database_url) as main:
        until(lambda: len(processes_of(tmp_path)) > 3)
        main.process.terminate()

        assert main.process.wait(60) == 0
        assert processes_of(tmp_path) == []
        assert not (tmp_path / "running.json").exists()


def test_sigterm_ends_everything_and_the_next_start_goes_on(parley):
    """
    Exit status 0, no process and no `running.json` left; the same key opens the same data after the next start.
    """
    first = parley.facts
    asked = httpx.post(f"{parley.url}/api/v1/requests", headers=key(first), json={"content": QUESTION}, timeout=60)
    before = processes_of(parley.home)

    status = parley.stop()
    left = processes_of(parley.home)
    said = (parley.home / "running.json").exists()
    parley.start()

    found = httpx.get(parley.url + asked.json()["links"]["result"], headers=key(first))
    assert len(before) > 1
    assert (status, left, said) == (0, [], False)
    assert parley.facts["key"] == first["key"]
    assert (parley.facts["migrations"], parley.facts["documents"]) == (0, 0)
    assert found.json()["result"] == asked.json()["result"]


def test_ctrl_c_ends_everything(tmp_path, database_url):
    """
    Of an impatient person, too: exit status 0, no noise, and nothing left running.
    """
    with Main(tmp_path / "home", DATABASE_URL=database_url) as main:
        main.facts()

        os.killpg(main.process.pid, signal.SIGINT)
        time.sleep(0.05)
        os.killpg(main.process.pid, signal.SIGINT)

        assert main.process.wait(30) == 0
        assert (main.home / "err").read_text() == ""
        assert processes_of(main.home) == []
        assert not (main.home / "running.json").exists()


def test_each_function_can_have_a_process_of_its_own(tmp_path, database_url):
    """
    `--processes`: the line of the banner works, a function that dies comes back, Ctrl-C ends all of them, quietly.
    """
    with Main(tmp_path / "home", "--processes", DATABASE_URL=database_url) as main:
        facts = main.facts()
        banner = banner_in(main.home / "out")
        names = {path.parent.name for path in (ROOT / "functions").glob("*/func.py")}

        answer = json.loads(shell(pasted(banner)))

        assert "48 months" in answer["result"]["text"]
        assert "one process per function" in banner
        assert f"http://127.0.0.1:{facts['ports']['slack-ingest']}/slack/events" in banner
        assert set(facts["pids"]) == set(facts["ports"]) == names
        assert len(processes_of(main.home)) == len(names) + 1

        psutil.Process(facts["pids"]["agent-turn"]).kill()
        again = json.loads(shell(pasted(banner)))

        assert "48 months" in again["result"]["text"]

        os.killpg(main.process.pid, signal.SIGINT)

        assert main.process.wait(30) == 0
        assert (main.home / "err").read_text() == ""
        assert processes_of(main.home) == []
        assert not (main.home / "running.json").exists()


def test_death_of_the_host_is_the_end_of_its_functions(tmp_path, database_url):
    """
    kill -9 of the one that started them: no function stays behind.
    """
    with Main(tmp_path / "home", "--processes", DATABASE_URL=database_url) as main:
        pids = main.facts()["pids"]

        main.process.kill()
        main.process.wait()

        assert len(pids) > 1
        until(lambda: processes_of(main.home) == [])

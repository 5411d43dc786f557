"""A whole installation as processes of its own, to be asked, killed and started again: for tests and benchmarks."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from parley import started
from standalone.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]

# Seconds as a machine wants them that is killed all the time.
QUICK = {"NUDGE_SECONDS": "0.5", "LONGEST_NUDGE_SECONDS": "4", "TURN_LEASE_SECONDS": "2", "DELIVERY_LEASE_SECONDS": "3",
         "TICK_SECONDS": "0.5", "BROKER_SCALE": "0.2"}  # fmt: skip


class Installation:
    """
    `python -m standalone` in `home`, in one process or in one for each function.

    `start` returns when it can be used; `facts` is what it says of itself (port, broker_port, key, database, ports,
    pids). `kill` ends everything at once, PostgreSQL too, as a power cut would; `kill_host`, `kill_function` and
    `restart_postgres` end a part of it.
    """

    def __init__(self, home: Path, env: Mapping[str, str] | None = None, *, processes: bool = False) -> None:
        self.home = home
        self.facts: dict[str, Any] = {}
        self._env = dict(env or {})
        self._processes = processes
        self._process: subprocess.Popen[bytes] | None = None
        self._postgres = EmbeddedPostgres(home / "postgres")

    @property
    def url(self) -> str:
        """Where the API listens."""
        return f"http://127.0.0.1:{self.facts['port']}"

    @property
    def slack_url(self) -> str:
        """Where Slack's events go."""
        port = self.facts["ports"].get("slack-ingest", self.facts["port"])
        return f"http://127.0.0.1:{port}/slack/events"

    @property
    def database_url(self) -> str:
        """The embedded database."""
        return str(self.facts["database"])

    def start(self, seconds: float = 60.0) -> Self:
        """Start, and wait until it says that it can be used."""
        self.home.mkdir(parents=True, exist_ok=True)
        said = started.path(self.home)
        said.unlink(missing_ok=True)
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        env = {
            **inherited, "PARLEY_HOME": str(self.home), "PYTHONPATH": str(ROOT / "lib"), "PORT": "0",
            "BROKER_PORT": "0", **self._env,
        }  # fmt: skip
        command = [sys.executable, "-m", "standalone", *(["--processes"] if self._processes else [])]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=ROOT)  # noqa: S603
        until = time.monotonic() + seconds
        while not said.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"it did not start: {self.log_tail()}")
            time.sleep(0.02)
        self.facts = started.read(self.home) or {}
        return self

    def kill(self, *, postgres: bool = True) -> None:
        """Kill every process at once, with SIGKILL."""
        assert self._process, "it was started"
        for pid in (self._process.pid, *_children(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if postgres:
            self._postgres.kill()
        self._process.wait()

    def kill_host(self) -> None:
        """Kill the process that holds the broker, and only it: the functions learn of it and leave by themselves."""
        assert self._process, "it was started"
        self._process.kill()
        self._process.wait()

    def kill_function(self, name: str) -> bool:
        """Kill the process of one function; the host starts it again. Returns whether it was there to be killed."""
        assert self._process, "it was started"
        for pid in _children(self._process.pid):
            if f"functions/{name}" in _command(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    return True
        return False

    def restart_postgres(self, *, down: float = 0.0) -> None:
        """Stop the database with `-m immediate`, wait `down` seconds and start it again."""
        self._postgres.restart(down=down)

    def stop(self, seconds: float = 60.0) -> int:
        """End it politely: the broker drains for 20 seconds, the functions for 15. Returns the exit status."""
        assert self._process, "it was started"
        self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def log_tail(self, lines: int = 20) -> str:
        """The end of what it has written."""
        return "\n".join((self.home / "log").read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.poll() is None:
            self.stop()
        self._postgres.kill()
        shutil.rmtree(self._postgres.home, ignore_errors=True)
        shutil.rmtree(self._postgres.socket, ignore_errors=True)


def _children(parent: int) -> list[int]:
    """Give the processes that a process has started, as Linux tells them: also those started again meanwhile."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if int((entry / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(entry.name))
    return found


def _command(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""

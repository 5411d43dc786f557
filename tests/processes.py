"""Functions as processes of their own: started, asked, ended, and what they have written."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).parents[1]
FUNCTIONS = ROOT / "functions"


def environment(**settings: str) -> dict[str, str]:
    """What a process of ours gets: these settings, and none of those of the tests."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**inherited, "PYTHONPATH": str(ROOT / "lib"), **settings}


def python(*arguments: Any, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run Python to its end."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, env=environment(**settings), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait until a condition holds; gives what it gave."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not in {seconds} s"
        threading.Event().wait(0.01)
    return found


class FunctionProcess:
    """
    `python -m parley.serve FOLDER` on a free port. `log` takes its standard error.

    A setting that holds `$URL` gets the process's own address in its place.
    """

    def __init__(self, folder: Path, log: Path, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        settings = {name: value.replace("$URL", self.url) for name, value in settings.items()}
        env = environment(PORT=str(self.port), ADDRESS="127.0.0.1", **settings)
        command = [sys.executable, "-m", "parley.serve", str(folder)]
        with log.open("wb") as errors, log.with_suffix(".out").open("wb") as output:
            self.process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=output, stderr=errors)

    def __enter__(self) -> Self:
        until(lambda: self.said("listening") or self.process.poll() is not None)
        assert self.process.poll() is None, self.errors()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def client(self, headers: Mapping[str, str] | None = None) -> httpx.Client:
        """A client with connections of its own."""
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def get(self, path: str) -> httpx.Response:
        """Ask on a connection of its own."""
        with self.client() as client:
            return client.get(path)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end. Gives the exit status."""
        return self.process.wait(30)

    def errors(self) -> str:
        """All of its standard error."""
        return self._log.read_text(encoding="utf-8")

    def output(self) -> str:
        """All of its standard output."""
        return self._log.with_suffix(".out").read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        """Its log. Every line must be a JSON object."""
        return [json.loads(line) for line in self.errors().splitlines(keepends=True) if line.endswith("\n")]

    def said(self, message: str) -> list[dict[str, Any]]:
        """The lines with this message."""
        return [line for line in self.lines() if line["message"] == message]

"""Ask one question in the terminal: `python -m standalone.ask "How do I …?"`. Starts Parley for it when none runs."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from parley.cli import app
from parley.errors import Misconfigured
from standalone import settings
from standalone.banner import QUESTION

ROOT = Path(__file__).resolve().parents[2]


def main(question: str) -> int:
    """Print the answer and its sources. Returns the exit status of the command `parley`."""
    try:
        home = settings.home(ROOT, os.environ)
    except Misconfigured as error:
        print(f"parley: {error}", file=sys.stderr)
        return 2
    os.environ["PARLEY_HOME"] = str(home)
    with _running(home / "running.json") as is_running:
        if not is_running:
            print("parley: it did not start; `make run` says why", file=sys.stderr)
            return 1
        return app.main(["ask", "--", question or QUESTION])


@contextlib.contextmanager
def _running(said: Path) -> Iterator[bool]:
    """Use the one that runs, else start one for as long as it takes."""
    if _answers(said):
        yield True
        return
    print("starting Parley …", file=sys.stderr)
    env = {**os.environ, "PORT": "0", "BROKER_PORT": "0"}
    with subprocess.Popen([sys.executable, "-m", "standalone"], env=env, stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 60
            while not (is_running := _answers(said)) and process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            yield is_running
        finally:
            process.terminate()


def _answers(said: Path) -> bool:
    try:
        port = json.loads(said.read_text(encoding="utf-8"))["port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveness", timeout=2):
            return True
    except (OSError, ValueError, KeyError):
        return False


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:]).strip()))

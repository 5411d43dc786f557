"""Ask one question in the terminal: `python -m standalone.ask "How do I …?"`. Starts Parley for it when none runs."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from parley import started
from parley.cli import app
from parley.errors import Misconfigured
from standalone import settings
from standalone.banner import QUESTION

ROOT = Path(__file__).resolve().parents[2]


def main(question: str) -> int:
    """Print the answer and its sources. Returns the exit status of the command `parley`."""
    try:
        home = settings.home(ROOT, os.environ)
        os.environ["PARLEY_HOME"] = str(home)
        with _running(home) as is_running:
            if not is_running:
                print("parley: it did not start; `make run` says why", file=sys.stderr)
                return 1
            return app.main(["ask", "--", question or QUESTION])
    except Misconfigured as error:
        print(f"parley: {error}", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _running(home: Path) -> Iterator[bool]:
    """Use the one that runs, else start one for as long as it takes."""
    if _answers(home):
        yield True
        return
    print("starting Parley …", file=sys.stderr)
    env = {**os.environ, "PORT": "0", "BROKER_PORT": "0"}
    with subprocess.Popen([sys.executable, "-m", "standalone"], env=env, stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 60
            while not (is_running := _answers(home)) and process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            yield is_running
        finally:
            process.terminate()


def _answers(home: Path) -> bool:
    if (facts := started.read(home)) is None:
        return False
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{facts['port']}/health/liveness", timeout=2):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:]).strip()))

"""Ask one question in the terminal: `python -m standalone.ask "How do I …?"`. Starts Parley for it when none runs."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parley.errors import Misconfigured
from standalone import settings
from standalone.banner import QUESTION

ROOT = Path(__file__).resolve().parents[2]


def main(question: str) -> int:
    """Print the answer and its sources. Returns the exit status."""
    try:
        said = settings.home(ROOT, os.environ) / "running.json"
    except Misconfigured as error:
        print(f"parley: {error}", file=sys.stderr)
        return 2
    with _running(said) as facts:
        if facts is None:
            print("parley: it did not start; `make run` says why", file=sys.stderr)
            return 1
        answer = _ask(facts, question or QUESTION)
    _show(answer)
    return 0 if answer.get("status") == "completed" else 1


@contextlib.contextmanager
def _running(said: Path) -> Iterator[dict[str, Any] | None]:
    """Use the one that runs, else start one for as long as it takes."""
    if facts := _facts(said):
        yield facts
        return
    print("starting Parley …", file=sys.stderr)
    env = {**os.environ, "PORT": "0", "BROKER_PORT": "0"}
    with subprocess.Popen([sys.executable, "-m", "standalone"], env=env, stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + 60
            while not (facts := _facts(said)) and process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            yield facts
        finally:
            process.terminate()


def _facts(said: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads(said.read_text(encoding="utf-8"))
        with urllib.request.urlopen(f"http://127.0.0.1:{facts['port']}/health/liveness", timeout=2):
            return facts
    except (OSError, ValueError, KeyError):
        return None


def _ask(facts: dict[str, Any], question: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {facts['key']}", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{facts['port']}/api/v1/requests"
    request = urllib.request.Request(url, json.dumps({"content": question}).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=40) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        answer = {"status": "refused", "error": json.load(error)}
    return answer


def _show(answer: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    result = answer.get("result")
    if not result:
        console.print(answer.get("error") or answer, style="red")
        return
    console.print(Markdown(result["text"]))
    for number, source in enumerate(result["citations"], start=1):
        where = f"{source['document']}.md#{source['anchor']}"
        console.print(f"[dim]{number}. {source['title']}: {source['heading']} ({where})")


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:]).strip()))

"""
Ask for known vulnerabilities of every pinned version: `python -m devkit.audit`, part of `make check`.

pip-audit asks OSV (https://google.github.io/osv.dev/api/) about each version of requirements.lock. Where that service
cannot be reached it is said in one line, and is no failure: who works without a network may go on. What is found is a
failure, and so is whatever else goes wrong.

`audit_exceptions.txt` has what was looked at and may wait, a line each: `ID until YYYY-MM-DD: why`. After that day it
counts again.
"""

import argparse
import datetime as dt
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
EXCEPTIONS = Path(__file__).with_name("audit_exceptions.txt")
SERVICE = "https://api.osv.dev/v1/query"
PATIENCE = 3.0  # seconds until a service that does not answer counts as out of reach
_EXCEPTION = re.compile(r"(\S+) until (\d{4}-\d\d-\d\d): \S.*")


def out_of_reach(service: str) -> str | None:
    """Say why the service cannot be asked, through the proxy that the environment names; None when it answers."""
    why: list[str | None] = ["no answer"]
    # On a thread, since looking up a name knows no time limit.
    asking = threading.Thread(target=lambda: why.append(_asked(service)), daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return why[-1]


def _asked(service: str) -> str | None:
    asked = Request(service, b'{"package": {"ecosystem": "PyPI", "name": "pip"}, "version": "0"}')  # noqa: S310
    try:
        with urlopen(asked, timeout=PATIENCE):  # noqa: S310 # an address of ours, or of whoever runs this
            return None
    except HTTPError as error:  # a proxy's refusal, or a service that is down
        return f"status {error.code}"
    except OSError as error:
        return "no answer" if isinstance(error, TimeoutError) else str(getattr(error, "reason", error))


def excepted(text: str, today: dt.date) -> Iterator[str]:
    """Give the ids that may wait. Raises ValueError for a line that says neither until when nor why."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            found = _EXCEPTION.fullmatch(line)
            if not found:
                raise ValueError(f"{EXCEPTIONS.name}: no `ID until YYYY-MM-DD: why`: {line}")
            if today <= dt.date.fromisoformat(found[2]):
                yield found[1]


def main(arguments: Sequence[str]) -> int:
    """Run the command line. Returns the exit status: 0 also when the service is out of reach, unless it must not be."""
    parser = argparse.ArgumentParser(prog="audit", description="Ask for known vulnerabilities of every pinned version.")
    parser.add_argument("--service", default=SERVICE, help="where OSV's API is")
    parser.add_argument("--lock", type=Path, default=LOCK)
    parser.add_argument("--exceptions", type=Path, default=EXCEPTIONS)
    parser.add_argument("--must", action="store_true", help="fail when the service is out of reach")
    options = parser.parse_args(arguments)
    try:
        waits = [*excepted(options.exceptions.read_text(encoding="utf-8"), dt.datetime.now(dt.UTC).date())]
    except ValueError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 1
    if why := out_of_reach(options.service):
        where = urlsplit(options.service).hostname
        print(
            f"\033[33maudit: nobody was asked for vulnerabilities, {where} is out of reach ({why})\033[0m", flush=True
        )
        return 1 if options.must else 0
    command = [
        str(Path(sys.executable).with_name("uv")), "tool", "run", "--quiet", "pip-audit==2.10.1",
        "--requirement", str(options.lock), "--disable-pip", "--progress-spinner", "off",
        "--vulnerability-service", "osv", "--osv-url", options.service,
        *(word for one in waits for word in ("--ignore-vuln", one)),
    ]  # fmt: skip
    return subprocess.run(command, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

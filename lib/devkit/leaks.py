"""
Look for secrets in what git has: `python -m devkit.leaks`, part of `make check`.

The rules are those of detect-secrets for what has a form of its own (keys of AWS, tokens of Slack, GitHub and others,
private keys, JWTs, passwords in URLs), and two for our own keys. Its rules for words and for entropy are left out: they
take ten times as long, and find names of settings. What was looked at and is none is in `.secrets.baseline`, by file
and digest, so that the same example elsewhere is found again; `--write` makes that file anew.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector

ROOT = Path(__file__).resolve().parents[2]
BASELINE = ROOT / ".secrets.baseline"
NONE = ("Public IP (ipv4)",)
OURS = {
    "API key of Parley": re.compile(r"\bpk_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{40,}"),
    "secret of a webhook": re.compile(r"\bwhsec_[A-Za-z0-9+/]{32,}"),
}


def rules() -> dict[str, list[re.Pattern[str]]]:
    """Give the patterns by what they find."""
    kinds: dict[str, Any] = get_mapping_from_secret_type_to_class()
    regular = {kind: one for kind, one in kinds.items() if issubclass(one, RegexBasedDetector) and kind not in NONE}
    found = {kind: list(one.denylist) for kind, one in regular.items()}
    return {**found, **{kind: [pattern] for kind, pattern in OURS.items()}}


def look(paths: Sequence[Path], root: Path = ROOT) -> Iterator[tuple[str, int, str, str]]:
    """Find secrets: file, line, kind and digest of each."""
    patterns = rules()
    for path in paths:
        data = path.read_bytes()
        if b"\0" in data:
            continue
        text = data.decode("utf-8", "replace")
        for kind, those in patterns.items():
            for match in (match for one in those for match in one.finditer(text)):
                digest = hashlib.sha256(match.group(0).encode()).hexdigest()[:24]
                yield str(path.relative_to(root)), text.count("\n", 0, match.start()) + 1, kind, digest


def tracked() -> list[Path]:
    """Give the files that git has, or is about to have."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")  # noqa: S603
    return [ROOT / name for name in names if name and (ROOT / name).is_file() and ROOT / name != BASELINE]


def main(arguments: Sequence[str]) -> int:
    """Run the command line. Returns the exit status: 1 when something was found."""
    parser = argparse.ArgumentParser(prog="leaks", description="Look for secrets in what git has.")
    parser.add_argument("--write", action="store_true", help="say that what is found now is none")
    found = list(look(tracked()))
    if parser.parse_args(arguments).write:
        looked_at = sorted({(file, kind, digest) for file, _, kind, digest in found})
        BASELINE.write_text(json.dumps([list(one) for one in looked_at], indent=0) + "\n", encoding="utf-8")
        return 0
    known = {tuple(one) for one in json.loads(BASELINE.read_text(encoding="utf-8"))}
    new = [one for one in found if (one[0], one[2], one[3]) not in known]
    for file, line, kind, _ in new:
        print(f"{file}:{line}: looks like a secret: {kind}", file=sys.stderr)
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""
What the standalone mode settles by itself: a home for its data, secrets that it makes once, a key for the API.

Every setting of a function can be given in the environment; `config/local.env` holds what a laptop wants instead of
the defaults, and nothing in it wins over the environment.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from parley import tokens
from parley.errors import Misconfigured

MADE = ("EVENT_KEY", "WEBHOOK_SIGNING_KEY", "SLACK_SIGNING_SECRET", "TOOL_SIGNING_KEY")


def home(root: Path, env: Mapping[str, str]) -> Path:
    """
    Give the folder for data, secrets and logs: PARLEY_HOME, else `.parley` in the project; made when absent.

    Raises Misconfigured when it cannot be made.
    """
    chosen = env.get("PARLEY_HOME") or _local(root).get("PARLEY_HOME")
    folder = Path(chosen or root / ".parley").absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"PARLEY_HOME: {error}") from None
    return folder


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads: all of it, in the place of the one before, or nothing."""
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def read_env_file(path: Path) -> dict[str, str]:
    """Read `NAME=value` lines; blank lines and `#` comments are skipped. Raises Misconfigured that names the line."""
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise Misconfigured(f"{path.name}:{number}: expected NAME=value")
        found[name] = value.strip()
    return found


def made_once(folder: Path) -> dict[str, str]:
    """Give the secrets of this installation, made at the first start and kept in a file that only its owner reads."""
    path = folder / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    missing = [name for name in MADE if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(32) for name in missing}
        write_private(path, json.dumps(known, indent=2))
    return known


def environment(root: Path, folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    """
    Give every setting: what was made once, then `config/local.env`, then what was given.

    On a cluster (K_SERVICE) only what was given counts: a secret that is missing there must not be made up.
    """
    given = {name: value for name, value in env.items() if value}
    own = {"CONFIG_DIR": str(root / "config")}
    if env.get("K_SERVICE"):
        return {**own, **given}
    settled = {**own, **made_once(folder), **_local(root), **given}
    return {"TOOL_PUBLIC_KEY": tokens.public_of(settled["TOOL_SIGNING_KEY"]), **settled}


def _local(root: Path) -> dict[str, str]:
    path = root / "config" / "local.env"
    return read_env_file(path) if path.exists() else {}

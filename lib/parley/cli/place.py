"""
Which installation is meant, and with which key. What is said nearest wins, field by field:

    flags                      --url, --key, --for, --profile
    environment                PARLEY_URL, PARLEY_KEY, PARLEY_FOR, PARLEY_PROFILE
    a profile of the file      ~/.config/parley/config.toml (PARLEY_CONFIG names another one)
    the one that runs here     .parley/running.json of `make run`, in this folder or one above (or in PARLEY_HOME)

The file:

    profile = "work"                 # the one that is meant when none is named

    [profiles.work]
    url = "https://parley.example.org"
    key = "pk_…"                     # or key_command = "pass show parley"
    broker = "http://127.0.0.1:8081/parley/parley"   # for `inject`
"""

import shlex
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parley import started
from parley.errors import Misconfigured

FIELDS = ("url", "key", "for", "broker")


class Unclear(Exception):
    """It is not said which installation is meant, or not well. The text is for a person."""


@dataclass(frozen=True)
class Place:
    """An installation. `origin` says of each field where it is from."""

    url: str = ""
    key: str = field(default="", repr=False)
    acting_for: str = ""
    broker: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)

    def needed(self) -> "Place":
        """Give it, when it can be called. Raises Unclear that says what to do."""
        if not self.url:
            raise Unclear(
                "No installation is known: start one with `make run`, or give --url and --key, PARLEY_URL and "
                "PARLEY_KEY, or a profile in ~/.config/parley/config.toml."
            )
        if not self.key:
            raise Unclear(f"{self.url} wants a key: give --key, PARLEY_KEY, or one in the profile.")
        return self


def find(flags: Mapping[str, str | None], env: Mapping[str, str], folder: Path) -> Place:
    """Settle which installation is meant. Raises Unclear for a file or a profile that is none."""
    said = {name: env.get(f"PARLEY_{name.upper()}") for name in FIELDS}
    path = Path(
        env.get("PARLEY_CONFIG") or Path(env.get("XDG_CONFIG_HOME") or _home(env) / ".config") / "parley/config.toml"
    )
    profile = _profile(path, flags.get("profile") or env.get("PARLEY_PROFILE"))
    sources: list[tuple[str, Mapping[str, Any]]] = [("flag", flags), ("environment", said), (str(path), profile)]
    if not any(source.get("url") for _, source in sources):
        sources.append(_running(env, folder))
    found = {name: _first(sources, name) for name in FIELDS}
    values = {name: value for name, (value, _) in found.items()}
    origin = {name: where for name, (value, where) in found.items() if value}
    return Place(values["url"].rstrip("/"), values["key"], values["for"], values["broker"], origin)


def _first(sources: Iterable[tuple[str, Mapping[str, Any]]], name: str) -> tuple[str, str]:
    for where, source in sources:
        if value := source.get(name):
            return str(value), where
        if name == "key" and (command := source.get("key_command")):
            return _said_by(str(command)), where
    return "", ""


def _profile(path: Path, name: str | None) -> Mapping[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if name:
            raise Unclear(f"There is no profile {name}: {path} does not exist.") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Unclear(f"{path} cannot be read: {error}") from None
    name = name or document.get("profile")
    if not name:
        return {}
    profiles = document.get("profiles", {})
    if not isinstance(profiles, dict) or not isinstance(profiles.get(name), dict):
        raise Unclear(f"There is no profile {name} in {path}.")
    profile: Mapping[str, Any] = profiles[name]
    if unknown := sorted(set(profile) - {*FIELDS, "key_command"}):
        raise Unclear(f"{path}: profile {name}: {unknown[0]} is no field of a profile.")
    return profile


def _running(env: Mapping[str, str], folder: Path) -> tuple[str, Mapping[str, Any]]:
    homes = [Path(env["PARLEY_HOME"])] if env.get("PARLEY_HOME") else [p / ".parley" for p in (folder, *folder.parents)]
    for home in homes:
        try:
            facts = started.read(home)
        except Misconfigured as error:
            raise Unclear(str(error)) from None
        if facts:
            broker = f"http://127.0.0.1:{facts['broker_port']}/parley/parley"
            said = {"url": f"http://127.0.0.1:{facts['port']}", "key": facts["key"], "broker": broker}
            return str(started.path(home)), said
    return "", {}


def _said_by(command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the person's own command, from the person's own file
            shlex.split(command), capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        raise Unclear(f"key_command gave no key: {command}") from None
    return done.stdout.strip()


def _home(env: Mapping[str, str]) -> Path:
    return Path(env["HOME"]) if env.get("HOME") else Path("~").expanduser()

"""
The use case of a run: one agent with a tool that has an effect, a model that takes its time, and short pauses.

What takes minutes in production takes seconds here, as `devkit.installation.QUICK` has it.
"""

import json
import random
import re
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from devkit.installation import ROOT
from devkit.model import Broken, Call, Said

TOOL = "service-desk__open_ticket"
WANTS_ONE = re.compile(r"Open a ticket.*\[chaos (\d+)\]", re.DOTALL)
AGENT = {
    "name": "desk", "entry": True, "description": "Answers and opens tickets.", "model": None,
    "instructions": "You are the service desk. Open a ticket when you are asked to.",
    "tools": ["service-desk.open_ticket"], "knowledge": [], "hands_over_to": [], "languages": ["en"],
}  # fmt: skip
WEBHOOKS = ["1s", "3s"]
SECONDS = 0.4  # a model's call, on average
BROKEN = 0.03  # of the model's calls
FAULTS = (Broken(500), Broken(429), Broken(breaks="reset"), Broken(503))


def configure(folder: Path) -> Path:
    """Write a configuration like the repository's, with an agent whose tool needs nobody's approval. Gives `folder`."""
    shutil.copytree(ROOT / "config", folder, dirs_exist_ok=True)
    for path in (folder / "agents").glob("*.yaml"):
        path.unlink()
    _write(folder / "agents" / "desk.yaml", AGENT)
    tools = _read(folder / "tools" / "service-desk.yaml")
    tools["trusted"] = True
    for tool in tools["tools"]:
        if tool["name"] == "open_ticket":
            tool["approval"] = "tainted"
    _write(folder / "tools" / "service-desk.yaml", tools)
    integrations = _read(folder / "integrations.yaml")
    integrations["channels"]["webhook"]["retry"] = WEBHOOKS
    _write(folder / "integrations.yaml", integrations)
    return folder


class Model:
    """
    A brain for `devkit.model`: opens a ticket for each question that asks for one, and answers the others.

    What it says depends on the prompt alone; how long it takes, and whether it fails, on chance.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._lock = threading.Lock()

    def __call__(self, messages: Sequence[Mapping[str, Any]], _tools: Sequence[Mapping[str, Any]]) -> Said | Broken:
        """Say what is said next."""
        with self._lock:
            delay, broken = self._chance.expovariate(1 / SECONDS), self._chance.random() < BROKEN
            fault = self._chance.choice(FAULTS)
        if broken:
            return fault
        last = max(place for place, one in enumerate(messages) if one["role"] == "user")
        asked, results = str(messages[last]["content"]), [one for one in messages[last:] if one["role"] == "tool"]
        wanted = WANTS_ONE.search(asked)
        if wanted and not results:
            arguments = {"kind": "incident", "summary": f"As asked in [chaos {wanted[1]}]"}
            return Said(calls=(Call(TOOL, json.dumps(arguments)),), delay=delay)
        return Said(f"Done: {results[-1]['content']}" if results else "Turn it off and on again.", delay=delay)


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(value), sort_keys=False), encoding="utf-8")

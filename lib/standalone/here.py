"""
Run a command on what `make run` runs here: `python -m standalone.here MODULE ARGUMENTS…`.

Its database and broker stand in for DATABASE_URL and K_SINK where those are not set, as they do for `parley`.
"""

import json
import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

from standalone import settings

ROOT = Path(__file__).resolve().parents[2]


def found(given: Mapping[str, str], root: Path = ROOT) -> dict[str, str]:
    """Give DATABASE_URL and K_SINK of what runs here; nothing when nothing does, or another database is meant."""
    if given.get("DATABASE_URL"):
        return {}
    try:
        facts = json.loads((settings.home(root, given) / "running.json").read_text(encoding="utf-8"))
        at = facts.get("broker_port")
        sink = given.get("K_SINK") or (f"http://127.0.0.1:{at}/parley/parley" if at else "")
        return {"DATABASE_URL": facts["database"], **({"K_SINK": sink} if sink else {})}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


if __name__ == "__main__":
    os.environ.update(found(os.environ))
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

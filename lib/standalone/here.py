"""
Run a command on what `make run` runs here: `python -m standalone.here MODULE ARGUMENTS…`.

Its database and broker stand in for DATABASE_URL and K_SINK where those are not set, as they do for `parley`.
"""

import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

from parley import started
from parley.errors import Misconfigured
from standalone import settings

ROOT = Path(__file__).resolve().parents[2]


def found(given: Mapping[str, str], root: Path = ROOT) -> dict[str, str]:
    """
    Give DATABASE_URL and K_SINK of what runs here; nothing when nothing does, or another database is meant.

    Raises Misconfigured when it is said otherwise than `make run` says it.
    """
    if given.get("DATABASE_URL"):
        return {}
    if (facts := started.read(settings.home(root, given))) is None:
        return {}
    sink = given.get("K_SINK") or f"http://127.0.0.1:{facts['broker_port']}/parley/parley"
    return {"DATABASE_URL": facts["database"], "K_SINK": sink}


if __name__ == "__main__":
    try:
        os.environ.update(found(os.environ))
    except Misconfigured as error:
        print(f"parley: {error}", file=sys.stderr)
        sys.exit(2)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

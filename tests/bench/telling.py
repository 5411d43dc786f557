"""
What it costs to tell of the work: `python -m bench.telling [--before FOLDER] [--runs 9]`.

`--before`: also as an older commit starts it, from a work tree of that commit, whose code cannot tell of anything. All
that was written since is in the difference, so it is the most that telling can cost; its import is the least.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.table import Table

from bench import starting
from bench.__main__ import console
from bench.world import world
from devkit.collector import Collector
from standalone import host

NAMES = ("slack-ingest", "normalize", "agent-turn", "deliver-slack", "recover")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.telling")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    table = Table(title="From zero, lowest ms to ready / to the first answer / idle MB", title_justify="left")
    for name in ("function", "before", "nobody is told", "", "a collector is told", ""):
        table.add_column(name, justify="left" if name == "function" else "right")
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as (given, events), Collector() as collector:
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        ways = {"off": (starting.ROOT, {}), "on": (starting.ROOT, told)}
        if options.before:
            ways = {"before": (options.before.absolute(), {}), **ways}
        for name in NAMES:
            found: dict[str, list[starting.Start]] = {way: [] for way in ways}
            for _ in range(options.runs):
                for way, (root, more) in ways.items():
                    [port] = host.free_ports(1)
                    path = {"PYTHONPATH": os.fspath(root / "lib"), "CONFIG_DIR": os.fspath(root / "config")}
                    here = {**given(name), **path, **more, "PORT": str(port)}
                    where = root / "functions" / name
                    found[way].append(starting.measure(starting.SERVE, where, here, port, events.of(name)))
            first = found.get("before") or found["off"]
            cells = []
            for way in ("before", "off", "on"):
                if found.get(way):
                    cells.append(
                        " / ".join(f"{_least(found[way], what):.0f}" for what in ("ready", "answered", "idle"))
                    )
                    cells += [] if way == "before" else [f"{_least(found[way], 'ready') / _least(first, 'ready'):.2f}"]
                else:
                    cells.append("")
            table.add_row(name, *cells)
    console.print(table)
    console.print(
        f"the import of parley.telemetry, which is all that is done for it when nobody is told: {_imported():.1f} ms"
    )


def _imported() -> float:
    """Milliseconds that the module itself takes, the lowest of five."""
    command = [sys.executable, "-X", "importtime", "-c", "import parley.serve"]
    env = {**os.environ, "PYTHONPATH": os.fspath(starting.ROOT / "lib")}
    found = []
    for _ in range(5):
        said = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stderr
        found += [
            int(one) for one in re.findall(r"import time: +(\d+) \| +\d+ \| +parley\.telemetry$", said, re.MULTILINE)
        ]
    return min(found) / 1000


def _least(starts: list[starting.Start], what: str) -> float:
    return min(getattr(one, what) for one in starts)


if __name__ == "__main__":
    main()

"""
What a start from zero costs, and what it weighs: `python -m bench.images`, or `make bench-images`.

Each staged function with its own requirements, as its image has it, beside an empty function of parliament and beside
another commit: with bytecode and without (as the buildpack leaves it), with two processors and with a quarter of one.
One run after the other, function by function, so that a busy moment hits all alike. A quarter needs root (cgroups).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import layouts, starting
from bench.world import world
from devkit import images, stage
from devkit.lock import hashed
from standalone import host

BUILD = stage.BUILD / "bench"
IMPORTS = (
    "import sys, time; t = time.perf_counter(); sys.path.insert(0, '.'); {}; "
    "print((time.perf_counter() - t) * 1000, len(sys.modules))"
)
LOAD = 100  # events more, for what it weighs under load


@dataclass(frozen=True)
class Laid:
    """A function that is laid out: its folder, its Python, its bytecode, and what it takes on the disk (megabytes)."""

    name: str
    folder: Path
    python: Path
    cache: Path
    size: float


@dataclass(frozen=True)
class Way:
    """How it is started: as it is now or was before, with bytecode or without, with so many processors."""

    label: str
    before: bool = False
    bytecode: bool = True
    processors: float = 2


WAYS = (
    Way("bytecode, 2 CPU"),
    Way("none, 2 CPU", bytecode=False),
    Way("bytecode, ¼ CPU", processors=0.25),
    Way("none, ¼ CPU", bytecode=False, processors=0.25),
    Way("before, 2 CPU", before=True),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.images")
    parser.add_argument("names", nargs="*", help="functions; all of them when none is named")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--before", default="HEAD~1", help="the commit to compare with")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    names = ["empty", *(options.names or stage.names())]
    laid = {(name, False): _laid(name, BUILD / "now") for name in names}
    with _at(options.before) as tree:
        laid |= {(name, True): _laid(name, BUILD / "before", tree) for name in names}
    found: dict[str, dict[str, list[dict[str, float]]]] = {name: {way.label: [] for way in WAYS} for name in names}
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as (given, events):
        for _ in track(range(options.runs), "starts", console=console):
            for name in names:
                for way in WAYS:
                    one = laid[name, way.before]
                    post = starting.Post({}, b"{}") if name == "empty" else events.of(name)
                    found[name][way.label].append(_started(one, way, given(name), post))
    _show(console, found, {name: laid[name, False].size for name in names}, options.before)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


def _started(one: Laid, way: Way, given: Mapping[str, str], post: starting.Post) -> dict[str, float]:
    """Start it once; milliseconds and megabytes."""
    [port] = host.free_ports(1)
    env = {
        **given, "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPYCACHEPREFIX": str(one.cache if way.bytecode else BUILD / "nothing"),
    }  # fmt: skip
    python, imports = str(one.python), "import parley.serve, func"
    command = [python, "-m", "parley.serve", "."]
    if one.name == "empty":
        command, imports = [python, "-c", starting.EMPTY, ".", str(port)], "import waitress, parliament.server, func"
    with _limit(way.processors) as within:
        start = starting.measure([*within, *command], one.folder, env, port, post, load=LOAD)
        arguments = [*within, python, "-c", IMPORTS.format(imports)]
        done = subprocess.run(arguments, cwd=one.folder, env=env, capture_output=True, text=True, check=True)
    return {
        "ready": start.ready, "answered": start.answered, "imports": float(done.stdout.split()[0]),
        "idle": start.idle, "used": start.used,
    }  # fmt: skip


def _laid(name: str, build: Path, tree: Path = stage.ROOT) -> Laid:
    folder = build / name
    if name == "empty":
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "func.py").write_text("from parliament import Context\n\n\ndef main(context):\n    return '', 202\n")
        wanted = (
            "parliament-functions", "blinker", "click", "cloudevents", "deprecation", "flask", "itsdangerous", "jinja2",
            "markupsafe", "packaging", "waitress", "werkzeug",
        )  # fmt: skip
        (folder / "requirements.txt").write_text(hashed(list(wanted), stage.ROOT / "requirements.lock"))
        (folder / "func.yaml").write_text((stage.ROOT / "func.yaml").read_text(encoding="utf-8"))
    else:
        code = f"from pathlib import Path; from devkit import stage; stage.stage({name!r}, Path({str(build)!r}))"
        env = {**os.environ, "PYTHONPATH": str(tree / "lib")}
        subprocess.run([sys.executable, "-c", code], cwd=tree, env=env, check=True)
    imports = "import waitress, parliament.server, func" if name == "empty" else "import parley.serve, func"
    images.compile_folder(folder, imports)
    python = images.python_with(folder, images.version_of(folder))
    cache = layouts.as_here(folder, build / "cache" / name, imports)
    packages = next(python.parents[1].glob("lib/python3*/site-packages"))
    return Laid(name, folder, python, cache, _megabytes(packages) + _megabytes(folder))


def _megabytes(folder: Path) -> float:
    """Without what Python writes beside its sources here: an image has its bytecode elsewhere, and that is counted."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return sum(path.lstat().st_size for path in files) / 1e6


@contextmanager
def _at(commit: str) -> Iterator[Path]:
    """Give the tree of a commit."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=stage.ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
        yield Path(folder)


@contextmanager
def _limit(processors: float) -> Iterator[list[str]]:
    """Give what a command begins with, so that it gets so many processors at most."""
    if processors >= (os.cpu_count() or 1):
        yield []
        return
    root, period = Path("/sys/fs/cgroup"), 100_000
    is_new = (root / "cgroup.controllers").exists()
    group = (root if is_new else root / "cpu") / f"parley-bench-{os.getpid()}"
    try:
        group.mkdir()
        if is_new:
            (group / "cpu.max").write_text(f"{int(processors * period)} {period}")
        else:
            (group / "cpu.cfs_quota_us").write_text(str(int(processors * period)))
        yield ["/bin/sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$0" "$@"']
    finally:
        group.rmdir()


def _show(console: Console, found: Mapping[str, Any], sizes: Mapping[str, float], before: str) -> None:
    def median(name: str, way: str, field: str) -> float:
        return statistics.median(one[field] for one in found[name][way])

    for title, field in (
        ("start → ready", "ready"),
        ("imports", "imports"),
        ("start → first event answered", "answered"),
    ):
        table = Table(title=f"{title}, ms (before: {before})", title_justify="left")
        table.add_column("function")
        for way in WAYS:
            table.add_column(way.label, justify="right")
        for name in found:
            table.add_row(name, *(f"{median(name, way.label, field):.0f}" for way in WAYS))
        console.print(table)
    table = Table(title="megabytes: resident, and on the disk beside Python", title_justify="left")
    for head in ("function", "at rest", "under load", "before: at rest", "under load", "installed"):
        table.add_column(head, justify="left" if head == "function" else "right")
    for name in found:
        weights = [median(name, way, field) for way in (WAYS[0].label, WAYS[-1].label) for field in ("idle", "used")]
        table.add_row(name, *(f"{weight:.0f}" for weight in [*weights, sizes[name]]))
    console.print(table)


if __name__ == "__main__":
    main()

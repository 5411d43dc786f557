"""
The whole simulation: `make simulate`, or `make simulate SEED=4711` to see one world again.

Every single fault, every pair of faults, SEEDS worlds by chance, and every protection switched off in turn.
"""

import argparse
import itertools
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import Queue
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from parley.adapters.postgres import migrate
from simulation.ground import Ground
from simulation.mutations import MUTATIONS
from simulation.runs import SMALL, Finding, Play, chance, notices, pairs, singles, special
from standalone.postgres import EmbeddedPostgres

console = Console()
WORKERS = os.cpu_count() or 1
SLICE = 40
_ground: list[Ground] = []  # of this process


def main() -> int:
    """Run all of it. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="simulation")
    parser.add_argument("--seed", type=int, help="one world only")
    parser.add_argument("--seeds", type=int, default=1000)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.seed is not None:
        return _one(options.seed)
    begun = time.monotonic()
    urls: Queue[str] = Queue()
    with ExitStack() as stack:
        for _ in range(WORKERS):
            urls.put(stack.enter_context(_server()))
        pool = stack.enter_context(ProcessPoolExecutor(WORKERS, initializer=_start, initargs=(urls,)))
        table = Table(title="What the simulation found", title_justify="left")
        for column in ("", "worlds", "went wrong"):
            table.add_column(column, justify="left" if not column else "right")
        findings: list[Finding] = []
        for name, work, size in (
            ("every single fault", _singles, WORKERS),
            ("every fault around decisions and sets", _special, WORKERS * 8),
            ("every pair of faults", _pairs, WORKERS * 50),
            ("worlds by chance", _seeds, -(-options.seeds // SLICE)),
        ):
            parts = list(track(pool.map(work, range(size), itertools.repeat(size)), name, size, console=console))
            wrong = [finding for _, found in parts for finding in found]
            findings += wrong
            table.add_row(name, str(sum(count for count, _ in parts)), str(len(wrong)))
        seen = list(
            track(pool.map(_mutation, range(len(MUTATIONS))), "protections off", len(MUTATIONS), console=console)
        )
        unnoticed = [mutation.name for mutation, what in zip(MUTATIONS, seen, strict=True) if not what]
        table.add_row("protections off, and not noticed", str(len(MUTATIONS)), str(len(unnoticed)))
    console.print(table)
    for finding in findings:
        console.print(f"[red]{finding}[/red]")
    for name in unnoticed:
        console.print(f"[red]nothing notices that this is off: {name}[/red]")
    console.print(f"{time.monotonic() - begun:.0f} s")
    return 1 if findings or unnoticed else 0


def _one(seed: int) -> int:
    with _server() as url:
        finding = chance(Ground(url), seed)
    console.print(str(finding) if finding else f"SEED={seed}: all promises were kept")
    return 1 if finding else 0


@contextmanager
def _server() -> Iterator[str]:
    """Start a PostgreSQL; gives its URL. It ends with the block, and leaves nothing."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres", durable=False) as server:
        url = server.start()
        migrate.apply(url)
        yield url
        server.stop("immediate")
        shutil.rmtree(server.home, ignore_errors=True)


def _start(urls: "Queue[str]") -> None:
    """Give this process a database of its own."""
    logging.disable(logging.CRITICAL)
    _ground.append(Ground(urls.get()))


def _play(worlds: Iterable[Play]) -> tuple[int, list[Finding]]:
    results = [play() for play in worlds]
    return len(results), [finding for finding in results if finding]


def _singles(part: int, of: int) -> tuple[int, list[Finding]]:
    return _play(itertools.islice(singles(_ground[0]), part, None, of))


def _special(part: int, of: int) -> tuple[int, list[Finding]]:
    return _play(itertools.islice(special(_ground[0]), part, None, of))


def _pairs(part: int, of: int) -> tuple[int, list[Finding]]:
    return _play(itertools.islice(pairs(_ground[0], SMALL), part, None, of))


def _seeds(part: int, _: int) -> tuple[int, list[Finding]]:
    return _play(partial(chance, _ground[0], seed) for seed in range(part * SLICE, (part + 1) * SLICE))


def _mutation(number: int) -> str:
    return notices(_ground[0], MUTATIONS[number], range(600))


if __name__ == "__main__":
    sys.exit(main())

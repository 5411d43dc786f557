"""
Break everything for a while and see what was kept: `make chaos`, `make chaos MINUTES=2 REQUESTS=400 SEED=7`. How long
a killed turn waits for another process: `make chaos MINUTES=2 REQUESTS=120 ARGS="--only agent-turn"`.

The status is 0 when every promise was kept. What is decided by chance comes from the seed, which is printed.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from chaos import display, script
from chaos.run import World, run

SETTLING = 0.28  # of the time: the longest pause of a nudge is short here, a delivery's is not
STARTING = 15.0  # seconds


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="chaos")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--requests", type=int, default=2600)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--only", help="kill this function and nothing else, and let nothing outside misbehave")
    parser.add_argument("--keep", type=Path, help="a folder for the installation and its log, which stays")
    options = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    again = f"make chaos MINUTES={options.minutes:g} REQUESTS={options.requests} SEED={options.seed}"
    console.print(f"to run it again: {again}")
    whole = options.minutes * 60 - STARTING
    plan = script.write(options.seed, options.requests, whole * (1 - SETTLING))
    if options.only:
        plan = script.only(plan, options.only)
    seen: list[World] = []
    with tempfile.TemporaryDirectory() as folder, display.Display(console, whole) as show:

        def watch(world: World) -> None:
            seen[:] = [world]
            show(world)

        report = run(plan, options.keep or Path(folder) / "parley", settle=whole * SETTLING, watch=watch)
    display.show(console, report, seen[0] if seen else None)
    if report.failed:
        console.print(f"[red]failed[/]; to run it again: {again}")
    console.print(report.verdict.line(), style="bold red" if report.failed else "bold green")
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())

"""
Measure and print: `make bench`, or `make bench ARGS="--runs 7 --seconds 10 --json out.json"`.

Medians with the spread (lowest to highest run). Everything runs on this machine: client, stand-ins, PostgreSQL.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import agent, delivering, protocol, starting, turning
from bench.world import world
from devkit.installation import QUICK, Installation
from devkit.slack import SlackStandIn
from standalone import host

console = Console(width=None if sys.stdout.isatty() else 120)
WARM = 3.0  # seconds: imports, connections, prepared statements


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("what", nargs="*", help="starts, turns, agent, deliveries; all of them when none is named")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        parts = {
            "starts": lambda: starts(there, options.runs),
            "turns": lambda: turns(there, options.runs, options.seconds),
            "agent": lambda: agent.show(console, options.runs),
            "deliveries": lambda: delivering.show(console, options.runs, options.seconds),
        }
        found = {name: parts[name]() for name in options.what or parts}
    if options.json:
        options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


def starts(folder: Path, runs: int) -> dict[str, Any]:
    """Cold starts of every function beside an empty one, in the same run."""
    with world(folder) as (given, events):
        env = {"CONFIG_DIR": str(starting.ROOT / "config"), "PYTHONPATH": str(starting.ROOT / "lib")}
        names = ["empty", *host.names(starting.ROOT)]
        samples: dict[str, list[starting.Start]] = {name: [] for name in names}
        (folder / "empty").mkdir()
        for _ in track(range(runs), "starts", console=console):
            for name in names:  # in turn, so that a busy moment hits all alike
                [port] = host.free_ports(1)
                where, command, post = starting.ROOT / "functions" / name, starting.SERVE, None
                if name == "empty":
                    where = folder / "empty"
                    command, post = starting.empty(where, port)
                here = {**given(name), **env, "PORT": str(port)}
                samples[name].append(starting.measure(command, where, here, port, post or events.of(name)))
    return _show_starts(samples)


def turns(folder: Path, runs: int, seconds: float) -> dict[str, Any]:
    """Latency and throughput of whole turns: all functions in one process, and one process for each."""
    found: dict[str, Any] = {}
    with SlackStandIn() as slack:
        env = {
            **{k: v for k, v in QUICK.items() if k != "BROKER_SCALE"}, "SLACK_API_URL": slack.api_url,
            "SLACK_BOT_TOKEN": slack.token, "SLACK_SIGNING_SECRET": slack.signing_secret, "LOG_LEVEL": "ERROR",
        }  # fmt: skip
        with Installation(folder / "parley", env) as parley:
            turning.slack_latencies(parley, slack, 20)  # warm
            before = turning.broker_counts(parley)
            latencies = sorted(turning.slack_latencies(parley, slack, 200))
            after = turning.broker_counts(parley)
            found["slack_ms"] = {"p50": _at(latencies, 0.5), "p99": _at(latencies, 0.99)}
            found["events_per_turn"] = (after["accepted"] - before["accepted"]) / 200
            found["deliveries_per_turn"] = (after["delivered"] - before["delivered"]) / 200
            loads = [
                [turning.load(parley, clients, seconds / 2) for _ in range(max(3, runs // 2))]
                for clients in track((1, 8, 32), "load", console=console)
            ]
            alone = [protocol.rate(parley.database_url, seconds / 2) for _ in range(max(3, runs // 2))]
        with Installation(folder / "processes", env, processes=True) as parley:
            turning.load(parley, 8, WARM)
            apart = [turning.load(parley, 8, seconds / 2) for _ in range(max(3, runs // 2))]
    _show_turns(found, loads, apart, alone)
    found["protocol"] = [vars(one) for one in alone]
    found["load"] = [
        {
            "clients": group[0].clients,
            "turns_per_second": [one.rate for one in group],
            "cpu_ms": [(one.ours, one.postgres) for one in group],
            "failed": sum(o.failed for o in group),
        }
        for group in loads
    ]
    found["a_process_each"] = {
        "turns_per_second": [one.rate for one in apart],
        "cpu_ms": [(one.ours, one.postgres) for one in apart],
    }
    return found


def _show_starts(samples: dict[str, list[starting.Start]]) -> dict[str, Any]:
    table = Table(title="From zero: milliseconds, median (lowest … highest)", title_justify="left")
    for name in ("function", "ready", "to empty", "first event answered", "to empty", "idle MB", "used MB"):
        table.add_column(name, justify="left" if name == "function" else "right")
    empty_ready = statistics.median(s.ready for s in samples["empty"])
    empty_answered = statistics.median(s.answered for s in samples["empty"])
    found = {}
    for name, all_ in samples.items():
        ready, answered = ([getattr(s, field) for s in all_] for field in ("ready", "answered"))
        ratios = statistics.median(ready) / empty_ready, statistics.median(answered) / empty_answered
        memory = [statistics.median(getattr(s, field) for s in all_) for field in ("idle", "used")]
        table.add_row(
            name,
            _spread(ready),
            f"{ratios[0]:.2f}",
            _spread(answered),
            f"{ratios[1]:.2f}",
            *(f"{m:.0f}" for m in memory),
        )
        found[name] = {"ready": ready, "answered": answered, "ratios": ratios, "memory": memory}
    console.print(table)
    return found


def _show_turns(
    found: dict[str, Any], loads: list[list[turning.Load]], apart: list[turning.Load], alone: list[protocol.Rate]
) -> None:
    table = Table(title="Whole turns, all functions in one process where nothing else is said", title_justify="left")
    for name in ("", "median (lowest … highest)", "p50 ms", "p99 ms", "failed", "CPU ms: ours", "PostgreSQL"):
        table.add_column(name, justify="left" if not name else "right")
    table.add_row(
        "Slack: event → posted", "", f"{found['slack_ms']['p50']:.0f}", f"{found['slack_ms']['p99']:.0f}", "0"
    )
    for how, group in [*(("", group) for group in loads), (", a process for each function", apart)]:
        latencies = sorted(ms for one in group for ms in one.latencies)
        rates = _spread([one.rate for one in group])
        failed = sum(one.failed for one in group)
        label = f"HTTP, {group[0].clients} clients{how}: turns/s"
        table.add_row(
            label, rates, f"{_at(latencies, 0.5):.0f}", f"{_at(latencies, 0.99):.0f}", str(failed), *_cpu(group)
        )
    table.add_row(
        "the protocol alone, 4 threads: turns/s", _spread([one.turns for one in alone]), "", "", "0", *_cpu(alone)
    )
    table.add_row("transactions per turn, alone", f"{statistics.median(one.transactions for one in alone):.1f}")
    table.add_row("statements per turn, alone", f"{statistics.median(one.statements for one in alone):.1f}")
    table.add_row("round trips per turn, alone", f"{statistics.median(one.round_trips for one in alone):.1f}")
    table.add_row("events per turn (Slack)", f"{found['events_per_turn']:.2f}")
    table.add_row("deliveries per turn (Slack)", f"{found['deliveries_per_turn']:.2f}")
    console.print(table)


def _cpu(group: Sequence[turning.Load] | Sequence[protocol.Rate]) -> tuple[str, str]:
    """Say what a turn takes of the processors: it depends less than a rate on whatever else they do."""
    ours, postgres = ([getattr(one, name) for one in group] for name in ("ours", "postgres"))
    return f"{statistics.median(ours):.1f}", f"{statistics.median(postgres):.1f}"


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} … {max(values):.0f})"


def _at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


if __name__ == "__main__":
    main()

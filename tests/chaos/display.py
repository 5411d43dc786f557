"""What a person sees of a run: a bar and counts while it goes on, tables and one line at its end."""

import time
from contextlib import AbstractContextManager
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from chaos.gathering import OPEN
from chaos.run import Report, World
from chaos.verdict import quantile
from devkit.installation import QUICK

PACE = 1.0  # seconds between looks into the database
LINES = 15.0  # seconds between lines where there is no terminal


class Display(AbstractContextManager[None]):
    """Call it with the world, often."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        bar = (TextColumn("{task.description:9}"), BarColumn(40), TextColumn("{task.percentage:3.0f} %"))
        self._bar = Progress(*bar, TimeElapsedColumn(), console=console)
        self._task = self._bar.add_task("starting", total=seconds)
        self._live = Live(self._bar, console=console, auto_refresh=console.is_terminal, transient=True)
        self._looked = self._said = 0.0
        self._open: Any = "…"

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(*error)

    def __call__(self, world: World) -> None:
        """Show how it stands."""
        now = time.monotonic()
        if now < self._looked + PACE:
            return
        self._looked = now
        found = world.books.counts(OPEN)
        self._open = "database away" if found is None else found[0]
        self._bar.update(self._task, completed=now - world.since, description=world.phase)
        self._live.update(Group(self._bar, _counts(world, self._open)))
        if not self._console.is_terminal and now > self._said + LINES:
            self._said = now
            asked, accepted = (world.senders.counts[name] for name in ("asked", "accepted"))
            killed = " ".join(f"{name} {count}" for name, count in world.harming.counts.items())
            self._console.print(
                f"{world.phase} {now - world.since:4.0f} s · asked {asked} · accepted {accepted} · open {self._open}"
                f" · killed {killed or 'nothing'}"
            )  # fmt: skip


def _counts(world: World, open_: Any) -> Table:
    table = Table.grid(padding=(0, 2))
    faults = sum(1 for call in list(world.slack.calls()) if call["fault"])
    for what, counts in (
        ("asked", {"of": world.script.questions, **world.senders.counts}),
        ("killed", dict(world.harming.counts)),
        ("now", {"open": open_, "faults of Slack": faults, "being killed": world.harming.doing or "nothing"}),
    ):
        table.add_row(f"[bold]{what}", " · ".join(f"{name} {count}" for name, count in counts.items()))
    return table


def show(console: Console, report: Report, world: World | None) -> None:
    """Show what a run has found."""
    verdict = report.verdict
    table = Table(title="Rows", title_justify="left")
    for name in ("table", "rows", "at most"):
        table.add_column(name, justify="left" if name == "table" else "right")
    for name, count in report.rows.items():
        style = "red" if name in report.grown else ""
        table.add_row(name, str(count), str(report.bounds.get(name, "?")), style=style)
    console.print(table)
    said = [
        ("sent", dict(world.senders.counts) if world else {}),
        ("killed", dict(world.harming.counts) if world else {}),
        ("requests", dict(verdict.requests)),
        ("deliveries", {f"{channel} {state}": n for (channel, state), n in sorted(verdict.deliveries.items())}),
    ]
    for what, counts in said:
        console.print(f"{what}: " + " · ".join(f"{name} {count}" for name, count in counts.items()))
    for one in report.left[:20]:
        console.print(f"[red]still open[/]: {one}")
    console.print(f"tickets opened: {verdict.tickets}")
    wait = float(QUICK["TURN_LEASE_SECONDS"]) + float(QUICK["TICK_SECONDS"])
    for name, values in (
        ("recovery, to the end of all that was open", verdict.recoveries), ("asked → ended", verdict.latencies),
        (f"killed turn → taken over (lease + tick: {wait:g} s)", verdict.takeovers),
    ):  # fmt: skip
        shares = " · ".join(f"p{share * 100:g} {quantile(values, share):.1f} s" for share in (0.5, 0.9, 0.99, 1.0))
        console.print(f"{name}: {len(values)} measured · {shares}")
    console.print(f"nudges per request: mean {report.nudges.mean:.2f} · max {report.nudges.most}")
    console.print(f"{verdict.bound()}; announced as perhaps the second: {len(verdict.announced)}")
    for what, names in (
        ("lost", verdict.lost), ("open", verdict.open),
        ("answered twice", verdict.twice), ("announced", verdict.announced),
        ("effects twice", verdict.effects), ("out of order", verdict.disorder), ("grown", list(report.grown)),
    ):  # fmt: skip
        for name in names[:20]:
            console.print(f"[red]{what}[/]: {name}")
    for one in report.stories[:200]:
        console.print(one, style="dim")
    if report.error:
        console.print(f"[red]it broke[/]: {report.error!r}")

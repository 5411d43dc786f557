"""
How answers look: for a person in colours and tables, plainly where no person looks, as JSON for a program.

Text from elsewhere (answers, events, names) steers no terminal: control characters are shown, not obeyed.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

STYLES = {
    "completed": "green", "delivered": "green", "accepted": "green", "seen": "green", "open": "cyan", "valid": "green",
    "failed": "red", "undeliverable": "red", "expired": "yellow", "unknown": "yellow", "parked": "yellow",
    "cancelled": "dim", "skipped": "dim", "running": "cyan", "queued": "cyan", "sending": "cyan",
    "requires_action": "bold yellow", "revoked": "dim", "approved": "green", "denied": "red",
}  # fmt: skip

WIDE = 240  # characters of a line where no person looks: whatever reads it cuts it itself

Column = tuple[str, Callable[[Any], Any]]


class Screen:
    """Where a command writes. `as_json`: one JSON document, or one line for each item of a list."""

    def __init__(self, *, as_json: bool = False, console: Console | None = None, errors: Console | None = None) -> None:
        self.as_json = as_json
        self.out = console or Console(highlight=False, width=WIDE if _is_read_by_programs() else None)
        self.errors = errors or Console(stderr=True, highlight=False)

    @property
    def is_live(self) -> bool:
        """Whether a person looks on."""
        return self.out.is_terminal and not self.as_json

    def items(self, items: Iterable[BaseModel], columns: Sequence[Column], nothing: str) -> None:
        """Show a list."""
        if self.as_json:
            for item in items:
                self.json(item)
            return
        rows = [[get(item) for _, get in columns] for item in items]
        if not rows:
            self.note(nothing)
            return
        table = Table(*(name for name, _ in columns), box=None, pad_edge=False, header_style="bold")
        table.columns[0].no_wrap = True  # what one copies
        for row in rows:
            table.add_row(*map(_cell, row))
        self.out.print(table)

    def one(self, item: BaseModel, fields: Sequence[Column]) -> None:
        """Show one thing, field by field."""
        if self.as_json:
            self.json(item)
            return
        table = Table.grid(padding=(0, 2))
        for name, get in fields:
            if (value := get(item)) not in (None, "", [], {}):
                table.add_row(Text(name, style="bold"), _cell(value))
        self.out.print(table)

    def json(self, item: BaseModel | dict[str, Any]) -> None:
        """Write one JSON document on a line."""
        said = item.model_dump(mode="json") if isinstance(item, BaseModel) else item
        self.out.print(json.dumps(said, ensure_ascii=False), markup=False, soft_wrap=True)

    def markdown(self, text: str) -> None:
        """Show an answer."""
        if self.out.is_terminal:
            self.out.print(Markdown(plain(text)))
        else:
            self.out.print(plain(text), markup=False, soft_wrap=True)

    def sources(self, citations: Sequence[Any]) -> None:
        """Show where an answer is from."""
        for number, source in enumerate(citations, start=1):
            get = source.get if isinstance(source, dict) else lambda name, source=source: getattr(source, name, None)
            title, heading = get("title"), get("heading") or get("section")
            self.out.print(
                Text(plain(f"{number}. {': '.join(part for part in (title, heading) if part)}"), style="dim")
            )

    def note(self, text: str) -> None:
        """Say something that is no result."""
        self.errors.print(Text(plain(text), style="dim"))

    def complain(self, text: str) -> None:
        """Say what is wrong."""
        self.errors.print(Text.assemble(("parley: ", "bold red"), plain(text)))


def duration(seconds: float) -> str:
    """Say how long something may take: `90 s`, `30 min`, `12 h`, `3 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def _is_read_by_programs() -> bool:
    return not sys.stdout.isatty() and "COLUMNS" not in os.environ


def plain(text: str) -> str:
    """Give text that steers no terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """Say how long ago something was: `12 s`, `3 min`, `5 h`, `2 d`."""
    if moment is None:
        return "-"
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _cell(value: Any) -> Text:
    if isinstance(value, datetime):
        return Text(f"{value.astimezone():%Y-%m-%d %H:%M:%S}")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, (dict, list)):
        return Text(plain(json.dumps(value, ensure_ascii=False, default=str)))
    text = "-" if value is None else str(value)
    return Text(plain(text), style=STYLES.get(text, ""))

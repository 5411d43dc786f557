"""
Dead letters on the command line: events that a function could not take, as recover has stored them.

    python -m parley.dead_letters list [--type T] [--since WHEN] [--until WHEN] [--all] [--limit 100]
    python -m parley.dead_letters show ID
    python -m parley.dead_letters replay ID…
    python -m parley.dead_letters replay --since WHEN --until WHEN [--type T]

WHEN is ISO 8601, in UTC unless it says otherwise: from --since on, before --until. A replay publishes the event to the
broker of K_SINK as it was; every function takes an event twice, so that a replay too many does nothing. A letter that
was replayed and fails again is open again.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from parley import envelope
from parley.adapters.broker import Publisher
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.letters import Letters, revived
from parley.errors import Rejected, Unavailable

COLUMNS = ("id", "stored", "type", "subject", "at", "code", "state", "reason")


def main(arguments: list[str], env: Mapping[str, str]) -> int:
    """Run the command line. Returns the exit status: 1 when something could not be replayed or found."""
    options = _options(arguments)
    needed = ("DATABASE_URL", "K_SINK") if options.command == "replay" else ("DATABASE_URL",)
    for name in needed:
        if not env.get(name):
            print(f"{name}: required, not set", file=sys.stderr)
            return 2
    database = Database(env["DATABASE_URL"], name="dead-letters", max_connections=1, min_schema=2)
    try:
        database.ready()
        return _run(options, Letters(database), env)
    except Unavailable as error:
        print(f"dead_letters: {error}", file=sys.stderr)
        return 2
    finally:
        database.close()


def _run(options: argparse.Namespace, letters: Letters, env: Mapping[str, str]) -> int:
    match options.command:
        case "list":
            found = letters.find(
                type_=options.type, since=options.since, until=options.until, closed=options.all, limit=options.limit
            )
            _print_table([_line(row) for row in found])
            return 0
        case "show":
            return _show(letters, options.id)
        case _:
            ids = options.ids or letters.open(type_=options.type, since=options.since, until=options.until)
            return replay(letters, Publisher(env["K_SINK"], "dead-letters"), ids)


def replay(letters: Letters, publisher: Publisher, ids: Sequence[UUID]) -> int:
    """
    Publish these letters in this order, saying what became of each. Returns the exit status.

    What the broker calls no event is left behind; a broker that cannot be reached ends it. Raises Unavailable.
    """
    done = 0
    for number, letter_id in enumerate(ids):
        try:
            if letters.replay(letter_id, publisher.send):
                done += 1
                print(f"{letter_id}  replayed")
            else:
                print(f"{letter_id}  left alone: unknown, not open, or being replayed now", file=sys.stderr)
        except Rejected as error:
            print(f"{letter_id}  left as it was: {error}", file=sys.stderr)
        except Unavailable as error:
            print(f"{letter_id}  left as it was: {error}; {len(ids) - number - 1} not tried", file=sys.stderr)
            break
    print(f"{done} of {len(ids)} replayed", file=sys.stderr)
    return 0 if done == len(ids) else 1


def _show(letters: Letters, letter_id: UUID) -> int:
    row = letters.get(letter_id)
    if row is None:
        print(f"dead_letters: there is no letter {letter_id}", file=sys.stderr)
        return 1
    event = revived(row.pop("event"), row.pop("body"))
    for name, value in {**row, "state": _state(row)}.items():
        if value is not None:
            print(f"{name + ':':15} {_plain(str(value))}")
    print()
    headers, body = envelope.to_binary(event)
    for name, value in headers.items():
        print(f"{name}: {value}")
    print()
    for line in body.decode("utf-8", "backslashreplace").splitlines():
        print(_plain(line))
    return 0


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    at = urlsplit(row["destination"])
    return (
        str(row["id"]),
        f"{row['stored_at']:%Y-%m-%d %H:%M:%S}",
        row["type"],
        row["subject"] or "-",
        (at.hostname or row["destination"]).split(".")[0] if not at.port else at.netloc,
        str(row["code"] or "-"),
        _state(row),
        row["reason"] or "",
    )


def _state(row: Mapping[str, Any]) -> str:
    if row["closed_at"]:
        return f"closed: {row['closed_reason']}" if row["closed_reason"] else "closed"
    return "replayed" if row["replayed_at"] else "open"


def _print_table(lines: Sequence[tuple[str, ...]]) -> None:
    """Print a table for a person at a terminal, else plain columns for whatever reads them."""
    shown = [tuple(_plain(cell) for cell in line) for line in lines]
    if sys.stdout.isatty() and _print_rich(shown):
        return
    table = [COLUMNS, *shown]
    widths = [max(len(line[column]) for line in table) for column in range(len(COLUMNS))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_rich(lines: Sequence[tuple[str, ...]]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:  # it belongs to the standalone mode; a function's image has none
        return False
    table = Table(*COLUMNS, box=None, header_style="bold", pad_edge=False)
    table.columns[0].no_wrap = True  # what one copies
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    Console(width=max(shutil.get_terminal_size().columns, 100)).print(table)
    return True


def _plain(text: str) -> str:
    """Give text without what would steer a terminal: events come from anybody."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dead_letters", description="Dead letters of Parley")
    commands = parser.add_subparsers(dest="command", required=True)
    listed = commands.add_parser("list", help="show the newest that are open")
    listed.add_argument("--all", action="store_true", help="those replayed and closed, too")
    listed.add_argument("--limit", type=int, default=100)
    commands.add_parser("show", help="show one, with its event").add_argument("id", type=UUID)
    again = commands.add_parser("replay", help="publish again: these, or all open ones of a time")
    again.add_argument("ids", nargs="*", type=UUID, metavar="ID")
    for command in (listed, again):
        command.add_argument("--type", help="only this event type")
        command.add_argument("--since", type=_when, metavar="WHEN")
        command.add_argument("--until", type=_when, metavar="WHEN")
    options = parser.parse_args(arguments)
    if options.command == "replay":
        times = (options.since, options.until)
        if options.ids and (any(times) or options.type):
            again.error("give ids, or --since and --until, not both")
        if not options.ids and not all(times):
            again.error("give ids, or --since and --until")
        options.ids = list(dict.fromkeys(options.ids))
    return options


def _when(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

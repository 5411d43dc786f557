"""
Addresses and numbers that nothing is sent to any more, on the command line.

    python -m parley.suppressed list [--kind email|sms] [--limit 100]
    python -m parley.suppressed lift email ann@example.org
    python -m parley.suppressed add sms +491711234567

An address is suppressed when its mails bounced for good or somebody complained, a number when its owner opted out. Lift
one when its owner says that it works again; Amazon keeps a list of its own, which has to be told as well.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from parley.adapters.postgres.database import Database
from parley.adapters.postgres.suppressions import Suppressions
from parley.errors import Unavailable


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Run the command line. Returns the exit status: 1 when there was nothing to lift."""
    options = _options(arguments)
    if not env.get("DATABASE_URL"):
        print("DATABASE_URL: required, not set", file=sys.stderr)
        return 2
    database = Database(env["DATABASE_URL"], name="suppressed", max_connections=1, min_schema=9)
    try:
        database.ready()
        return _run(options, Suppressions(database))
    except Unavailable as error:
        print(f"suppressed: {error}", file=sys.stderr)
        return 2
    finally:
        database.close()


def _run(options: argparse.Namespace, suppressions: Suppressions) -> int:
    if options.command == "list":
        for row in suppressions.all(options.kind, options.limit):
            when = row["created_at"].strftime("%Y-%m-%d %H:%M")
            print(f"{row['kind']:5}  {row['address']:40}  {row['reason']:9}  {when}  {row['detail'] or ''}".rstrip())
        return 0
    if options.command == "add":
        suppressions.add(options.kind, options.address, "opt_out", "by hand")
        return 0
    if suppressions.lift(options.kind, options.address):
        return 0
    print("there is no such address", file=sys.stderr)
    return 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="suppressed", description="Addresses that nothing is sent to any more.")
    commands = parser.add_subparsers(dest="command", required=True)
    listed = commands.add_parser("list", help="the newest first")
    listed.add_argument("--kind", choices=("email", "sms"))
    listed.add_argument("--limit", type=int, default=100)
    for name, told in (("lift", "send there again"), ("add", "send nothing there")):
        command = commands.add_parser(name, help=told)
        command.add_argument("kind", choices=("email", "sms"))
        command.add_argument("address")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

"""
What is kept of a person, on the command line.

    python -m parley.api.users export ann@example.org
    python -m parley.api.users erase ann@example.org

Whose it is: an id, an e-mail address, or workspace and member of Slack, such as T01:U01. Erasing is for good; what is
open is cancelled, and what a turn still works on is left and counted: erase again when it is over (exit status 1).
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from uuid import UUID

from parley import envelope
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.privacy import Erased, Privacy
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.staff import Staff
from parley.adapters.postgres.users import Users
from parley.api import people, views
from parley.domain import turn
from parley.errors import Misconfigured, Unavailable


def main(arguments: Sequence[str], url: str | None) -> int:
    """Run the command line. Returns the exit status: 1 when something is left, 4 when there is no such person."""
    options = _parser().parse_args(arguments)
    if not url:
        print("DATABASE_URL: required, not set", file=sys.stderr)
        return 2
    try:
        with closing(Database(url, name="users", min_schema=15)) as database:
            database.ready(patience=10)
            return _run(options, database)
    except (Misconfigured, Unavailable) as error:
        print(f"users: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace, database: Database) -> int:
    user_id = find(database, options.who)
    if user_id is None:
        print("users: there is no such person", file=sys.stderr)
        return 4
    if options.command == "export":
        print(envelope.dumps(views.plain(Privacy(database).export(user_id))).decode())
        return 0
    done = erase(database, user_id)
    if options.json:
        print(envelope.dumps(asdict(done)).decode())
    else:
        print(f"erased {done.requests} questions and {done.sessions} conversations")
    if done.waiting:
        print(f"users: {done.waiting} still run; erase again when they are over", file=sys.stderr)
    return 1 if done.waiting else 0


def find(database: Database, who: str) -> UUID | None:
    """Give the person of an id, an e-mail address or a member of a workspace."""
    users = Users(database)
    if "@" in who:
        return users.known("email", who.strip().lower())
    if ":" in who:
        return users.known("slack", who)
    try:
        user_id = UUID(who)
    except ValueError:
        return None
    return user_id if database.row("me", user_id=user_id) else None


def erase(database: Database, user_id: UUID) -> Erased:
    """Cancel what is open, and erase everything else; it is written down that it was done, without saying of whom."""
    Staff(database).audit("command", "erase user", f"user {user_id}", {})
    cancel = partial(Requests(database).cancel, error=turn.CANCELLED)  # recover nudges what it held up
    return people.erased(Privacy(database), cancel, user_id)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="users", description="What is kept of a person.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, told in (("export", "print it"), ("erase", "erase it, for good")):
        command = commands.add_parser(name, help=told)
        command.add_argument("who", metavar="WHO", help="an id, an e-mail address, or T01:U01 of Slack")
        if name == "erase":  # what is exported is JSON anyway
            command.add_argument("--json", action="store_true", help="what was erased, for programs")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ.get("DATABASE_URL")))

"""
API keys on the command line.

    python -m parley.api.keys create --email you@example.org [--role user|support|admin|service] [--name laptop]
                                     [--scopes requests:read,requests:write] [--expires-days 90]
    python -m parley.api.keys list
    python -m parley.api.keys revoke PREFIX
"""

import argparse
import os
import sys
from contextlib import closing
from typing import get_args

from pydantic import ValidationError

from parley import envelope
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.database import Database
from parley.api import bodies
from parley.domain.keys import Role, Scope
from parley.errors import Misconfigured, Unavailable

LONGEST = 3650  # days


def main(arguments: list[str], url: str | None) -> int:
    """Run the command line. Returns the exit status."""
    options = _parser().parse_args(arguments)
    if not url:
        print("DATABASE_URL: required, not set", file=sys.stderr)
        return 2
    try:
        with closing(Database(url, name="keys")) as database:
            database.ready(patience=10)
            return _run(options, Keys(database))
    except (Misconfigured, Unavailable) as error:
        print(f"keys: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace, store: Keys) -> int:
    match options.command:
        case "create":
            made = {"role": options.role, "name": options.name, "days": options.expires_days, "scopes": options.scopes}
            new = store.create(email=options.email, **made)
            print(envelope.dumps({"key": new, "role": options.role}).decode() if options.json else new)
            print("This key is shown only now; keep it.", file=sys.stderr)
        case "revoke":
            if not store.revoke(options.prefix):
                print(f"keys: no valid key has the prefix {options.prefix}", file=sys.stderr)
                return 1
            print("revoked")
        case _:
            for key in store.all():
                state = "revoked" if key["revoked_at"] else "expired" if key["is_expired"] else "valid"
                print(f"{key['prefix']}  {key['role']:8} {state:8} {key['email'] or '-':32} {key['name']}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keys", description="API keys of Parley")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="make a key; it is printed once")
    create.add_argument("--email", type=_email, required=True)
    create.add_argument("--role", choices=get_args(Role), default="user")
    create.add_argument("--name", default="key")
    create.add_argument("--scopes", type=_scopes, metavar="A,B", help="only these; without, all that the role may")
    create.add_argument("--expires-days", type=_days, metavar=f"1…{LONGEST}")
    create.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("list", help="show all keys")
    commands.add_parser("revoke", help="make a key invalid").add_argument("prefix")
    return parser


def _email(text: str) -> str:
    try:
        return bodies.NamedUser(email=text.strip()).email
    except ValidationError:
        raise argparse.ArgumentTypeError("is no e-mail address") from None


def _scopes(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",")]
    if not set(found) <= set(get_args(Scope)):
        raise argparse.ArgumentTypeError(f"must be some of {', '.join(get_args(Scope))}")
    return found


def _days(text: str) -> int:
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if not 1 <= days <= LONGEST:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {LONGEST}")
    return days


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ.get("DATABASE_URL")))

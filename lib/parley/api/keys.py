"""
API keys on the command line.

    python -m parley.api.keys create --email you@example.org [--role user|support|admin|service] [--name laptop]
                                     [--expires-days 90]
    python -m parley.api.keys list
    python -m parley.api.keys revoke PREFIX
"""

import argparse
import os
import sys
from typing import get_args

from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.database import Database
from parley.domain.keys import Role
from parley.errors import Unavailable


def main(arguments: list[str], url: str | None) -> int:
    """Run the command line. Returns the exit status."""
    options = _parser().parse_args(arguments)
    if not url:
        print("DATABASE_URL: required, not set", file=sys.stderr)
        return 2
    database = Database(url, name="keys")
    try:
        return _run(options, Keys(database))
    except Unavailable as error:
        print(f"keys: {error}", file=sys.stderr)
        return 2
    finally:
        database.close()


def _run(options: argparse.Namespace, store: Keys) -> int:
    match options.command:
        case "create":
            print(store.create(email=options.email, role=options.role, name=options.name, days=options.expires_days))
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
    create.add_argument("--email", required=True)
    create.add_argument("--role", choices=get_args(Role), default="user")
    create.add_argument("--name", default="key")
    create.add_argument("--expires-days", type=int)
    commands.add_parser("list", help="show all keys")
    commands.add_parser("revoke", help="make a key invalid").add_argument("prefix")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ.get("DATABASE_URL")))

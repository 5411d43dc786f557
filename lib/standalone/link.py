"""
A link that signs the developer in on the page, once, as an admin: `python -m standalone.link` prints a new one.

Its secret stands behind the `#`, which a browser keeps to itself: no server, log or proxy sees it. Who can make one can
read the database anyway.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from parley import started
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.sign_ins import SignIns
from parley.adapters.postgres.users import Users
from parley.errors import Misconfigured, Unavailable
from standalone import settings

ROOT = Path(__file__).resolve().parents[2]


def main(given: Mapping[str, str]) -> int:
    """Print a new link to what runs here. Returns the exit status."""
    try:
        facts = started.read(settings.home(ROOT, given))
        if facts is None:
            print("parley: nothing runs here: make run", file=sys.stderr)
            return 1
        print(address(facts["port"], made(facts["database"], facts["user"])))
    except (Unavailable, Misconfigured) as error:
        print(f"parley: {error}", file=sys.stderr)
        return 1
    return 0


def made(url: str, email: str) -> str:
    """Make the secret of a link for this person."""
    with closing(Database(url, name="link")) as database:
        user_id = Users(database).meet("email", email, email=email, name="", timezone=None)
        return SignIns(database).link(user_id, "admin")


def address(port: int, secret: str) -> str:
    """Give the address to open."""
    return f"http://127.0.0.1:{port}/sign-in#{secret}"


if __name__ == "__main__":
    sys.exit(main(os.environ))

"""What is kept of a person: over the API, or straight in the database."""

from typing import Annotated

import typer

from parley.cli.app import app, here
from parley.cli.operating import Database

users = typer.Typer(name="users", help="What is kept of a person: print it, erase it.", no_args_is_help=True)
app.add_typer(users)
Who = Annotated[
    str, typer.Argument(metavar="WHO", help="me or an id; with --database an e-mail address or T01:U01, too.")
]


@users.command()
def export(context: typer.Context, who: Who = "me", database: Database = None) -> int:
    """Print all that is kept of a person, as JSON."""
    if database:
        from parley.api import users as directly

        return directly.main(["export", who], database)
    with here(context).parley() as parley:
        here(context).screen.json(parley.data.export(who).model_dump(mode="json"))
    return 0


@users.command()
def erase(
    context: typer.Context,
    who: Who,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    database: Database = None,
) -> int:
    """Erase it for good. Exit status 1: something still runs; erase again when it is over."""
    screen = here(context).screen
    if not yes:
        typer.confirm(f"Erase all that {who} has said, and who they are, for good?", abort=True)
    if database:
        from parley.api import users as directly

        return directly.main(["erase", who, *(["--json"] if screen.as_json else [])], database)
    with here(context).parley() as parley:
        done = parley.data.erase(who)
    if screen.as_json:
        screen.json(done)
    else:
        screen.out.print(f"erased {done.requests} questions and {done.sessions} conversations")
    if done.waiting:
        screen.complain(f"{done.waiting} still run; erase again when they are over")
    return 1 if done.waiting else 0

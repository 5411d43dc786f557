"""Conversations."""

from itertools import islice
from typing import Annotated

import typer

from parley.cli.app import app, here
from parley.cli.show import Column, ago

sessions = typer.Typer(name="sessions", help="Conversations: list, show, begin anew, erase.", no_args_is_help=True)
app.add_typer(sessions)
Id = Annotated[str, typer.Argument(metavar="SESSION")]

LIST: tuple[Column, ...] = (
    ("session", lambda s: s.session_id), ("status", lambda s: s.status), ("title", lambda s: s.title),
    ("questions", lambda s: s.requests), ("agent", lambda s: s.agent), ("last", lambda s: f"{ago(s.updated_at)} ago"),
)  # fmt: skip


@sessions.command(name="list")
def list_(context: typer.Context, limit: Annotated[int, typer.Option(help="How many.")] = 20) -> int:
    """Show conversations, the latest first."""
    with here(context).parley() as parley:
        here(context).screen.items(islice(parley.sessions.list(limit=min(limit, 100)), limit), LIST, "no conversations")
    return 0


@sessions.command()
def show(context: typer.Context, session: Id) -> int:
    """Show what was said."""
    screen = here(context).screen
    with here(context).parley() as parley:
        for message in parley.sessions.messages(session):
            if screen.as_json:
                screen.json(message)
                continue
            screen.out.print(f"[bold]{'You' if message.role == 'user' else message.agent or 'Parley'}[/]")
            screen.markdown(message.content)
            screen.out.print()
    return 0


@sessions.command()
def reset(context: typer.Context, session: Id) -> int:
    """End a conversation and begin another one in its place."""
    with here(context).parley() as parley:
        fresh = parley.sessions.reset(session)
    here(context).screen.one(fresh, (("session", lambda s: s.session_id),))
    return 0


@sessions.command()
def delete(
    context: typer.Context, session: Id, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> int:
    """Erase a conversation, with all that was said in it."""
    if not yes:
        typer.confirm("Erase all that was said in it?", abort=True)
    with here(context).parley() as parley:
        parley.sessions.delete(parley.sessions.get(session))
    here(context).screen.note("erased")
    return 0

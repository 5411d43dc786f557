"""Keys, dead letters, what is stuck, knowledge, what is configured."""

import os
from itertools import islice
from typing import Annotated

import typer

from parley.cli.app import app, here
from parley.cli.place import Unclear
from parley.cli.show import Column, ago

keys = typer.Typer(name="keys", help="API keys: list, make, end.", no_args_is_help=True)
letters = typer.Typer(name="dead-letters", help="Events that nobody could take.", no_args_is_help=True)
app.add_typer(keys)
app.add_typer(letters)
Database = Annotated[
    str | None, typer.Option(envvar="DATABASE_URL", help="Straight in the database: for the first key.", metavar="URL")
]

KEYS: tuple[Column, ...] = (
    ("prefix", lambda k: k.prefix), ("role", lambda k: k.role), ("name", lambda k: k.name), ("of", lambda k: k.email),
    ("scopes", lambda k: ", ".join(k.scopes) if k.scopes else "all"),
    ("state", lambda k: "revoked" if k.revoked_at else "valid"), ("ends", lambda k: k.expires_at),
    ("made by", lambda k: k.made_by),
    ("last used", lambda k: f"{ago(k.last_used_at)} ago" if k.last_used_at else "never"),
)  # fmt: skip
LETTERS: tuple[Column, ...] = (
    ("letter", lambda x: x.id), ("stored", lambda x: f"{ago(x.stored_at)} ago"), ("type", lambda x: x.type),
    ("at", lambda x: x.destination), ("code", lambda x: x.code),
    ("state", lambda x: "closed" if x.closed_at else "replayed" if x.replayed_at else "open"),
    ("reason", lambda x: x.closed_reason or x.reason or ""),
)  # fmt: skip
STUCK: tuple[Column, ...] = (
    ("id", lambda s: s.id), ("kind", lambda s: s.kind), ("state", lambda s: s.state), ("channel", lambda s: s.channel),
    ("late by", lambda s: f"{s.overdue_seconds:.0f} s"), ("attempts", lambda s: s.attempt),
    ("nudges", lambda s: s.nudges), ("reason", lambda s: s.reason or ""),
)  # fmt: skip


@keys.command(name="list")
def list_keys(context: typer.Context) -> int:
    """Show your keys; an administrator sees all."""
    with here(context).parley() as parley:
        here(context).screen.items(parley.keys.list(), KEYS, "no keys")
    return 0


@keys.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="What it is for.")] = "key",
    email: Annotated[str | None, typer.Option(help="Whose it is; needs an administrator.")] = None,
    role: Annotated[str | None, typer.Option(help="user, support, admin or service.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="What it may; all when none is given.")] = None,
    expires_days: Annotated[int | None, typer.Option(help="Until when it is valid.", min=1, max=3650)] = None,
    database: Database = None,
) -> int:
    """Make a key; it is shown once. With --database it needs no key to make one: the first is made like this."""
    screen = here(context).screen
    if database:
        from parley.api import keys as directly

        if not email:
            raise Unclear("--email: whose key is it?")
        wanted = ["create", "--email", email, "--name", name, "--role", role or "user"]
        wanted += ["--scopes", ",".join(scope)] if scope else []
        wanted += ["--expires-days", str(expires_days)] if expires_days else []
        return directly.main([*wanted, *(["--json"] if screen.as_json else [])], database)
    with here(context).parley() as parley:
        made = parley.keys.create(name, email=email, role=role, scopes=scope or None, expires_days=expires_days)
    screen.one(made, (("key", lambda k: k.key), ("prefix", lambda k: k.prefix), ("role", lambda k: k.role)))
    screen.note("This key is shown only now; keep it.")
    return 0


@keys.command()
def revoke(
    context: typer.Context,
    prefix: Annotated[str, typer.Argument(metavar="PREFIX")],
    all_: Annotated[bool, typer.Option("--all", help="Also the keys that it has made, and theirs.")] = False,
) -> int:
    """End a key; those that it has made live on, unless --all."""
    with here(context).parley() as parley:
        parley.keys.revoke(prefix, all=all_)
    here(context).screen.note("revoked")
    return 0


@letters.command(name="list")
def list_letters(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Those replayed and closed, too.")] = False,
    type_: Annotated[str | None, typer.Option("--type", help="Only this event type.")] = None,
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
) -> int:
    """Show dead letters, the newest first."""
    with here(context).parley() as parley:
        found = parley.admin.dead_letters(all=all_ or None, type=type_, limit=min(limit, 100))
        here(context).screen.items(islice(found, limit), LETTERS, "no dead letters")
    return 0


@letters.command()
def show(context: typer.Context, letter: Annotated[str, typer.Argument(metavar="LETTER")]) -> int:
    """Show one with its event."""
    with here(context).parley() as parley:
        found = parley.admin.dead_letter(letter)
    here(context).screen.one(found, (*LETTERS, ("event", lambda x: x.event)))
    return 0


@letters.command()
def replay(context: typer.Context, letter: Annotated[list[str], typer.Argument(metavar="LETTER…")]) -> int:
    """Publish some again, as they were."""
    screen = here(context).screen
    with here(context).parley() as parley:
        for one in dict.fromkeys(letter):
            parley.admin.replay(one)
            if screen.as_json:
                screen.json({"id": one, "replayed": True})
            else:
                screen.out.print(f"{one}  replayed", markup=False)
    return 0


@app.command()
def stuck(context: typer.Context) -> int:
    """Show what should have happened and has not. Exit status 1: there is something."""
    with here(context).parley() as parley:
        found = parley.admin.stuck()
    here(context).screen.items(found, STUCK, "nothing is stuck")
    return 1 if found else 0


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def knowledge(context: typer.Context) -> int:
    """Knowledge bases, straight in the database: load FOLDER, list, search, quarantine, release."""
    from parley.knowledge.__main__ import main

    return main(context.args or ["list"], os.environ)


@app.command()
def config(context: typer.Context) -> int:
    """Show which installation is meant, and where that is said."""
    place, screen = here(context).place, here(context).screen
    shown = {
        "url": place.url,
        "key": f"{place.key[:11]}…" if place.key else "",
        "for": place.acting_for,
        "broker": place.broker,
    }
    if screen.as_json:
        screen.json({name: {"value": value, "from": place.origin.get(name)} for name, value in shown.items()})
        return 0
    for name, value in shown.items():
        if value:
            screen.out.print(f"{name:7} {value}  [dim]{place.origin.get(name, '')}[/]")
    return 0

"""By which channels answers come."""

import json
from typing import Annotated, Any

import typer

from parley.cli.app import app, here
from parley.cli.place import Unclear
from parley.cli.show import Column, duration

preferences = typer.Typer(name="preferences", help="How answers reach you: show, set, forget.", no_args_is_help=True)
app.add_typer(preferences)
Channel = Annotated[str, typer.Argument(metavar="CHANNEL")]
User = Annotated[str, typer.Option(help="`me`, or the id of somebody else.")]

SHOWN: tuple[Column, ...] = (
    ("channel", lambda c: c.channel), ("used", lambda c: c.enabled), ("rank", lambda c: c.rank),
    ("patience", lambda c: duration(c.patience_seconds)), ("address", lambda c: c.config or None),
    ("from", lambda c: ", ".join(f"{name}: {where}" for name, where in (c.origin or {}).items() if where != "default")),
)  # fmt: skip


@preferences.command()
def show(context: typer.Context, user: User = "me") -> int:
    """Show what holds, and where it comes from: you, or the defaults."""
    with here(context).parley() as parley:
        here(context).screen.items(parley.preferences.effective(user), SHOWN, "no channels")
    return 0


@preferences.command(name="set")
def set_(
    context: typer.Context,
    channel: Channel,
    enabled: Annotated[bool | None, typer.Option("--use/--never", help="Use it, or never.")] = None,
    rank: Annotated[int | None, typer.Option(help="Its place in the order.")] = None,
    config: Annotated[
        list[str] | None, typer.Option("--set", help="A field, such as url=https://…", metavar="F=V")
    ] = None,
    user: User = "me",
) -> int:
    """Choose for a channel: use it or not, its rank, its address."""
    fields: dict[str, Any] = {"enabled": enabled, "rank": rank, "config": dict(map(_field, config or []))}
    wanted = {name: value for name, value in fields.items() if value not in (None, {})}
    with here(context).parley() as parley:
        before = next((one for one in parley.preferences.own(user) if one.channel == channel), None)
        kept: dict[str, Any] = before.model_dump(include={"enabled", "rank", "config"}) if before else {}
        merged = {**kept, **wanted, "config": {**kept.get("config", {}), **fields["config"]}}
        found = parley.preferences.put(channel, user, **{name: v for name, v in merged.items() if v not in (None, {})})
    here(context).screen.one(
        found,
        (("channel", lambda i: i.channel), ("used", lambda i: i.enabled), ("rank", lambda i: i.rank),
         ("address", lambda i: i.config), ("secret, shown only now", lambda i: i.secret)),
    )  # fmt: skip
    return 0


@preferences.command()
def forget(context: typer.Context, channel: Annotated[str | None, typer.Argument(metavar="[CHANNEL]")] = None) -> int:
    """Choose nothing for a channel any more, or nothing at all."""
    with here(context).parley() as parley:
        if channel:
            parley.preferences.remove(channel)
        else:
            parley.preferences.reset()
    here(context).screen.note("as everybody")
    return 0


def _field(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise Unclear(f"--set wants FIELD=VALUE, not {text}")
    try:
        return name, json.loads(value) if value[:1] in "[{" else value
    except ValueError:
        return name, value

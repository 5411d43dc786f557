"""What was sent."""

from itertools import islice
from typing import Annotated

import typer

from parley.cli.app import app, here
from parley.cli.show import Column, ago

deliveries = typer.Typer(name="deliveries", help="What was sent where, and why.", no_args_is_help=True)
app.add_typer(deliveries)
Id = Annotated[str, typer.Argument(metavar="DELIVERY")]

LIST: tuple[Column, ...] = (
    ("delivery", lambda d: d.id), ("kind", lambda d: d.kind), ("channel", lambda d: d.channel),
    ("rank", lambda d: d.rank), ("state", lambda d: d.state), ("attempts", lambda d: d.attempt),
    ("made", lambda d: f"{ago(d.created_at)} ago"), ("reason", lambda d: d.reason or ""),
)  # fmt: skip
ONE: tuple[Column, ...] = (
    ("delivery", lambda d: d.id), ("request", lambda d: d.request_id), ("kind", lambda d: d.kind),
    ("channel", lambda d: d.channel), ("state", lambda d: d.state), ("reason", lambda d: d.reason),
    ("also by", lambda d: ", ".join(d.also_by)), ("due", lambda d: d.due_at), ("until", lambda d: d.deadline),
    ("ended", lambda d: d.finished_at),
)  # fmt: skip
ATTEMPTS: tuple[Column, ...] = (
    ("#", lambda a: a.number), ("at", lambda a: a.started_at), ("outcome", lambda a: a.outcome),
    ("ms", lambda a: a.latency_ms), ("code", lambda a: a.code), ("provider's id", lambda a: a.provider_id),
    ("reason", lambda a: a.reason or ""),
)  # fmt: skip
EXPLAINED: tuple[Column, ...] = (
    ("channel", lambda e: e.channel), ("rank", lambda e: e.rank), ("state", lambda e: e.state),
    ("why", lambda e: e.says),
)  # fmt: skip


@deliveries.command(name="list")
def list_(
    context: typer.Context,
    user: Annotated[str, typer.Option(help="`me`, or the id of somebody else.")] = "me",
    limit: Annotated[int, typer.Option(help="How many.")] = 20,
) -> int:
    """Show what was sent, the newest first."""
    with here(context).parley() as parley:
        found = parley.deliveries.list(user, limit=min(limit, 100))
        here(context).screen.items(islice(found, limit), LIST, "nothing was sent")
    return 0


@deliveries.command()
def show(context: typer.Context, delivery: Id) -> int:
    """Show a delivery with its attempts."""
    with here(context).parley() as parley:
        found = parley.deliveries.get(delivery)
    here(context).screen.one(found, ONE)
    if not here(context).screen.as_json:
        here(context).screen.items(found.attempts, ATTEMPTS, "no attempts")
    return 0


@deliveries.command()
def explain(context: typer.Context, request: Annotated[str, typer.Argument(metavar="REQUEST")]) -> int:
    """Say of each channel why the answer to a request did or did not go there."""
    with here(context).parley() as parley:
        found = parley.deliveries.of_request(request)
    here(context).screen.items(found.explained, EXPLAINED, "not planned yet")
    return 0


@deliveries.command()
def redeliver(context: typer.Context, delivery: Id) -> int:
    """Send an answer once more, by a delivery that has ended."""
    with here(context).parley() as parley:
        found = parley.deliveries.redeliver(delivery)
    here(context).screen.one(found, ONE)
    return 0

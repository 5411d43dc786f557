"""What keeps answers from arriving: receivers of yours, and trouble that many deliveries share."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from parley.cli.app import app, here
from parley.cli.place import Unclear
from parley.cli.show import Column, ago

receivers = typer.Typer(
    name="receivers", help="Webhooks of yours: state, secret, what they missed.", no_args_is_help=True
)
circuits = typer.Typer(name="circuits", help="Trouble that many deliveries share.", no_args_is_help=True)
app.add_typer(receivers)
app.add_typer(circuits)
Channel = Annotated[str, typer.Argument(metavar="CHANNEL")]
User = Annotated[str, typer.Option(help="`me`, or the id of somebody else.")]

RECEIVER: tuple[Column, ...] = (
    ("channel", lambda r: r.channel), ("state", lambda r: r.state), ("reason", lambda r: r.reason),
    ("failing since", lambda r: r.failing_since), ("failures", lambda r: r.failures or None),
    ("secret", lambda r: f"number {r.generation}"), ("the one before signs until", lambda r: r.overlap_until),
    ("consented", lambda r: r.consented_at), ("posts a minute", lambda r: r.allowed_rate),
)  # fmt: skip
SECRETS: tuple[Column, ...] = (
    ("secret", lambda s: s.secret), ("public key", lambda s: s.public_key),
    ("the one before signs until", lambda s: s.overlap_until),
)  # fmt: skip
CIRCUITS: tuple[Column, ...] = (
    ("circuit", lambda c: c.name), ("open", lambda c: ago(c.opened_at)), ("failures", lambda c: c.failures),
    ("waiting", lambda c: c.parked), ("next try", lambda c: c.next_try_at),
    ("why", lambda c: " ".join(part for part in (c.code, c.reason) if part)),
)  # fmt: skip


@receivers.command()
def show(context: typer.Context, channel: Channel = "webhook", user: User = "me") -> int:
    """Show how a receiver is: whether it is called, since when it fails, which secret signs."""
    with here(context).parley() as parley:
        here(context).screen.one(parley.preferences.receiver(channel, user), RECEIVER)
    return 0


@receivers.command()
def rotate(
    context: typer.Context,
    channel: Channel = "webhook",
    overlap: Annotated[int | None, typer.Option(help="Seconds for which the one before signs, too.", min=0)] = None,
    user: User = "me",
) -> int:
    """Make a new secret; for a day the one before signs, too."""
    with here(context).parley() as parley:
        here(context).screen.one(parley.preferences.rotate(channel, user, overlap_seconds=overlap), SECRETS)
    return 0


@receivers.command()
def enable(context: typer.Context, channel: Channel = "webhook", user: User = "me") -> int:
    """Call a receiver again that was disabled, or that works again."""
    with here(context).parley() as parley:
        here(context).screen.one(parley.preferences.enable(channel, user), RECEIVER)
    return 0


@receivers.command()
def replay(
    context: typer.Context,
    since: Annotated[str, typer.Option(metavar="WHEN", help="ISO 8601, in UTC unless it says otherwise.")],
    channel: Channel = "webhook",
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Now, when it is left out.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Also what has arrived.")] = False,
    user: User = "me",
) -> int:
    """Send a receiver once more what it missed in a range of time."""
    begin, end = _when(since), _when(until) if until else datetime.now(UTC)
    with here(context).parley() as parley:
        count = parley.preferences.replay(channel, begin, end, user, only_failed=not all_)
    _count(context, count, "are sent once more")
    return 0


@circuits.command(name="list")
def list_(context: typer.Context) -> int:
    """Show trouble that somebody should see to, the oldest first."""
    with here(context).parley() as parley:
        here(context).screen.items(parley.admin.circuits(), CIRCUITS, "no trouble")
    return 0


@circuits.command()
def close(context: typer.Context, circuit: Annotated[str, typer.Argument(metavar="CIRCUIT")]) -> int:
    """Say that a trouble is over: what waits for it is sent."""
    with here(context).parley() as parley:
        count = parley.admin.close_circuit(circuit)
    _count(context, count, "were waiting for it")
    return 0


def _count(context: typer.Context, count: int, said: str) -> None:
    screen = here(context).screen
    if screen.as_json:
        screen.json({"count": count})
    else:
        screen.out.print(f"{count} {said}", markup=False)


def _when(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unclear(f"{text}: expected a time such as 2026-11-23T09:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""Events by hand."""

import json
import os
import time
import uuid
from typing import Annotated, Any

import typer

from parley import envelope
from parley.adapters.broker import Publisher
from parley.cli.app import app, here
from parley.cli.place import Unclear
from parley.errors import Rejected, Unavailable

RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "message": ("parley.message.received", {
        "kind": "message", "origin": "slack", "workspace": "T1", "sender": "U1", "conversation": "D1",
        "is_direct": True, "text": "How old must my laptop be?",
    }),
    "request": ("parley.request.created", {"request_id": "", "session_id": ""}),
    "delivery": ("parley.response.ready", {"request_id": "", "delivery_id": "", "session_id": "", "channel": "test"}),
    "recovery": ("parley.recovery.requested", {}),
}  # fmt: skip


@app.command()
def inject(
    context: typer.Context,
    event: Annotated[str, typer.Argument(help=f"{', '.join(RECIPES)}, or any event type.")],
    field: Annotated[
        list[str] | None, typer.Option("--field", "-f", help="A field of the data.", metavar="F=V")
    ] = None,
    data: Annotated[str | None, typer.Option(help="The data whole, as JSON.", metavar="JSON")] = None,
    subject: Annotated[str | None, typer.Option(help="The event's subject.")] = None,
    extension: Annotated[list[str] | None, typer.Option(help="An extension attribute.", metavar="A=V")] = None,
    event_id: Annotated[str | None, typer.Option("--id", help="The event's id; a new one when none is given.")] = None,
    broker: Annotated[str | None, typer.Option(help="Address of the broker.", envvar="K_SINK", metavar="URL")] = None,
    event_key: Annotated[
        str | None, typer.Option(help="Signs a message, where unsigned ones are refused.", envvar="EVENT_KEY")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it, send nothing.")] = False,
) -> int:
    """
    Send an event to the broker, as `kn event send` does, and with extensions.

    `parley inject message -f text="Why?"` · `parley inject request -f request_id=… -f session_id=…` ·
    `parley inject delivery -f delivery_id=… …` · `parley inject recovery`
    """
    there = here(context)
    type_, given = RECIPES.get(event, (event, {}))
    said: dict[str, Any] = _json(data) if data else {**given, **dict(map(_pair, field or []))}
    if event == "message" and not data:
        said.setdefault("key", f"slack:T1:D1:{time.time():.6f}")
    if missing := [name for name, value in said.items() if value == ""]:
        raise Unclear(f"an event of type {type_} needs {', '.join(missing)}: give them by --field")
    extensions = dict(map(_pair, extension or []))
    if "channel" in said:
        extensions.setdefault("channel", said["channel"])
    made = envelope.Event(
        event_id or str(uuid.uuid4()), "/parley/cli", type_, subject=subject or _subject(said), extensions=extensions,
        body=envelope.dumps(said),
    )  # fmt: skip
    if event_key and type_ == "parley.message.received":
        made = envelope.signed(made, event_key.split(",")[0])
    if dry_run:
        there.screen.json(envelope.to_structured(made))
        return 0
    return _send(there, broker or there.place.broker, made)


def _send(there: Any, broker: str, event: envelope.Event) -> int:
    if not broker:
        raise Unclear("No broker is known: give --broker, K_SINK, or one in the profile.")
    try:
        Publisher(broker, "cli").send(event)
    except (Unavailable, Rejected) as error:
        there.screen.complain(str(error))
        return 5 if isinstance(error, Unavailable) else 1
    if there.screen.as_json:
        there.screen.json({"id": event.id})
    else:
        there.screen.out.print(event.id, markup=False)
    return 0


def _subject(said: dict[str, Any]) -> str | None:
    return next((str(said[name]) for name in ("delivery_id", "request_id", "key") if said.get(name)), None)


def _pair(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise Unclear(f"expected NAME=VALUE, not {text}")
    if value in ("true", "false"):
        return name, value == "true"
    return name, value


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text if text != "-" else os.fdopen(0).read())
    except ValueError:
        raise Unclear("--data is no JSON") from None
    if not isinstance(document, dict):
        raise Unclear("--data is no JSON object")
    return document

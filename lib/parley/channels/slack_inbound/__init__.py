"""
What Slack sends to us, read into what we do about it. Pure; standard library only, since slack-ingest starts for each
message from zero.

    signature.py      whether Slack sent it at all
    events.py         the Events API: what people say, change, delete; what happens to our app
    commands.py       slash commands
    interactions.py   buttons, forms, shortcuts, option look-ups
"""

import json
from urllib.parse import parse_qsl

from parley.channels.slack_inbound.commands import command
from parley.channels.slack_inbound.events import event
from parley.channels.slack_inbound.found import Found, NotSlack
from parley.channels.slack_inbound.interactions import interaction
from parley.channels.slack_inbound.signature import is_signed

__all__ = ["Found", "NotSlack", "is_signed", "read"]

MOST_FIELDS = 100


def read(body: bytes) -> Found:
    """Read one verified request, whatever it is: JSON of the Events API or a form. Raises NotSlack."""
    if body[:1].isspace() or body[:1] in (b"{", b"["):
        return event(_object(body))
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"))
    except ValueError:
        raise NotSlack from None
    if "payload" in fields:
        return interaction(_object(fields["payload"].encode()))
    if fields.get("ssl_check") == "1":
        return Found(ignored="Slack checks our certificate")
    if "command" in fields:
        return command(fields)
    raise NotSlack


def _object(text: bytes) -> dict[str, object]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise NotSlack from None
    if not isinstance(document, dict):
        raise NotSlack
    return document

"""
slack-ingest: verify, read, publish, within Slack's three seconds. No database, no pydantic: it starts from zero.

The answer is 200 only when the broker has promised to keep the message; otherwise 503, and Slack sends it again.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from parley import envelope, logs
from parley.channels import slack_inbound

log = logging.getLogger("parley.ingest")

TYPE = "parley.message.received"
LARGEST = 1 << 20


class Sender(Protocol):
    """The broker."""

    def send(self, event: envelope.Event) -> None:
        """Publish one event. Raises Unavailable."""


class Ingest:
    """The handler of slack-ingest: Slack's HTTP requests, at `/` and at `/slack/events`."""

    def __init__(
        self, sender: Sender, *, secrets: Sequence[str], event_key: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._sender = sender
        self._secrets = secrets
        self._event_key = event_key
        self._clock = clock

    def __call__(self, request: Any) -> Any:
        if request.method != "POST":
            return "", 405, {"Allow": "POST"}
        body = request.get_data()
        if not slack_inbound.is_signed(self._secrets, request.headers, body, self._clock()):
            log.warning("not signed by Slack")
            return "", 401
        try:
            found = slack_inbound.read(body)
        except slack_inbound.NotSlack:
            return "", 400
        match found:
            case slack_inbound.Challenge(text):
                return {"challenge": text}, 200
            case slack_inbound.Said(data):
                self._sender.send(self._event(data))
                return "", 200
            case slack_inbound.Ignored(reason):
                log.info("ignored", extra={"fields": {"reason": reason}})
                return "", 200

    def _event(self, data: dict[str, Any]) -> envelope.Event:
        trace = f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
        event = envelope.Event(
            id=envelope.event_id(TYPE, data["key"], "app_mention" if data["is_mention"] else "message"),
            source="/parley/slack-ingest",
            type=TYPE,
            subject=data["key"],
            extensions={"partitionkey": f"{data['workspace']}:{data['conversation']}", "traceparent": trace},
            body=envelope.dumps({**data, "traceparent": trace}),
        )
        logs.bind(event_id=event.id, trace_id=trace[3:35])
        return envelope.signed(event, self._event_key)

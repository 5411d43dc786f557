"""
slack-ingest: verify, read, do what cannot wait, publish; all within Slack's three seconds.

No database and no pydantic: it starts from zero. What Slack sends again is answered 200 only when the broker has
promised to keep it, otherwise 503. What Slack never sends again (commands, buttons, forms) is answered with words for
the person when it could not be kept. A form is opened before anything is published: its trigger lives three seconds.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from parley import envelope, logs, telemetry
from parley.channels import slack_inbound
from parley.channels.slack_inbound import Found
from parley.errors import Rejected, Unavailable

log = logging.getLogger("parley.ingest")

TYPE = "parley.message.received"
PATHS = ("/slack/events", "/slack/commands", "/slack/interactive")


class Sender(Protocol):
    """The broker."""

    def send(self, event: envelope.Event) -> None:
        """Publish one event. Raises Unavailable, Rejected."""


class Forms(Protocol):
    """The chat system's forms."""

    def open(self, workspace: str, enterprise: str, trigger: str, view: Mapping[str, Any]) -> str:
        """Show a form to whoever pulled the trigger; gives its id. Raises Unavailable, Rejected."""


class Ingest:
    """The handler of slack-ingest: Slack's HTTP requests, at `/` and at PATHS."""

    def __init__(
        self,
        sender: Sender,
        forms: Forms,
        *,
        secrets: Sequence[str],
        event_key: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sender = sender
        self._forms = forms
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
        if found.ignored:
            log.info("ignored", extra={"fields": {"reason": found.ignored}})
        try:
            self._act(found)
        except (Unavailable, Rejected):
            if found.again or found.sorry is None:
                raise
            log.warning("told to try again", exc_info=True)
            return dict(found.sorry), 200
        return ("", 200) if found.answer is None else (dict(found.answer), 200)

    def _act(self, found: Found) -> None:
        data = dict(found.data or {})
        if found.view:
            data["view"] = self._forms.open(found.workspace, found.enterprise, found.trigger, found.view)
        if found.data:
            with telemetry.publishing(TYPE, None):
                self._sender.send(self._event(data))

    def _event(self, data: dict[str, Any]) -> envelope.Event:
        trace = telemetry.current() or telemetry.made()
        event = envelope.Event(
            id=envelope.event_id(TYPE, data["key"], data["kind"]),
            source="/parley/slack-ingest",
            type=TYPE,
            subject=data["key"],
            extensions={"partitionkey": f"{data['workspace']}:{data['conversation']}", **telemetry.apart(trace)},
            body=envelope.dumps({**data, "traceparent": trace}),
        )
        logs.bind(event_id=event.id, trace_id=telemetry.trace_id(trace))
        return envelope.signed(event, self._event_key)

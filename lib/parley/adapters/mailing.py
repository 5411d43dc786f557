"""E-mail: rendered once, sent by whichever transport there is, to nobody who does not want it."""

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol

from parley.channels import email
from parley.channels.outcome import Failed, Outcome, Sent, Unsure
from parley.channels.templates import Templates
from parley.domain.delivery import Job
from parley.errors import Misconfigured


@dataclass(frozen=True)
class Enveloped:
    """Whom a message is from and for; `refused` is told when a server says that nobody has this address."""

    sender: str
    recipient: str
    delivery_id: str
    refused: Callable[[str], None]


class Transport(Protocol):
    """SMTP or SES."""

    def deliver(self, message: EmailMessage, envelope: Enveloped, timeout: float) -> Outcome:
        """Send one message, once."""


class Conversations(Protocol):
    """What was said before, and whom nothing is sent to."""

    def thread(self, job: Job) -> tuple[email.Thread, str | None]: ...


class Mailer:
    """The channel of deliver-email. `sender` is our address."""

    def __init__(
        self,
        transport: Transport,
        sender: str,
        templates: Templates,
        conversations: Conversations,
        suppress: Callable[[str, str], None] = lambda address, detail: None,  # noqa: ARG005 - as it is called
    ) -> None:
        if "@" not in sender or any(c in sender for c in "\r\n"):
            raise Misconfigured("MAIL_FROM: must be an e-mail address")
        self._transport = transport
        self._sender = sender
        self._templates = templates
        self._conversations = conversations
        self._suppress = suppress
        self.load = getattr(transport, "load", lambda: None)

    def send(self, job: Job, timeout: float) -> Sent:
        """Send one message."""
        thread, suppressed = self._conversations.thread(job)
        if suppressed:
            return Sent(Failed(f"suppressed: {suppressed.replace('_', ' ')}", "suppressed"))
        try:
            message = email.render(job, self._sender, self._templates, thread)
        except ValueError:
            return Sent(Failed("not an e-mail address"))
        address = str(job.address["to"])
        bare = email.bare(self._sender)
        envelope = Enveloped(bare, address, str(job.delivery_id), lambda detail: self._suppress(address, detail))
        return Sent(self._transport.deliver(message, envelope, timeout))

    def find(self, job: Job, timeout: float) -> Sent | None:  # noqa: ARG002 - a mailbox cannot be asked
        """Say that it cannot be known."""
        return Sent(Unsure("an earlier attempt may have been sent"))

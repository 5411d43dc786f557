"""
Amazon SES by its second API, through boto3's core, imported when the first message is sent.

The whole message is ours (`Raw`), so that its headers survive; SES puts its own Message-ID and Date in their places.
Sources: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html (errors), …/dg/header-fields.html
"""

from email.message import EmailMessage

from parley.adapters.aws import Amazon, Called
from parley.adapters.mailing import Enveloped
from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Parked, Retry, Unsure, kept_waiting

_WAIT = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling", "LimitExceededException"})
_PARKED = frozenset(
    {"AccountSuspendedException", "SendingPausedException", "MailFromDomainNotVerifiedException", "NotFoundException"}
    | {"AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch"}
    | {"ExpiredTokenException", "ExpiredToken", "NoCredentials", "InvalidSignatureException", "NotAuthorized"}
)


class SesTransport:
    """Messages by SES. `events`: the configuration set that tells us what became of them."""

    def __init__(self, amazon: Amazon, events: str | None = None) -> None:
        self._amazon = amazon
        self._events = events
        self.load = amazon.load

    def deliver(self, message: EmailMessage, envelope: Enveloped, timeout: float) -> Outcome:
        """Send one message, in one attempt."""
        called = self._amazon.call(
            "send_email",
            timeout,
            FromEmailAddress=str(message["From"]),
            Destination={"ToAddresses": [envelope.recipient]},
            Content={"Raw": {"Data": message.as_bytes()}},
            EmailTags=[{"Name": "delivery_id", "Value": envelope.delivery_id}],
            **({"ConfigurationSetName": self._events} if self._events else {}),
        )
        return outcome(called, self._amazon.region)


def outcome(called: Called, region: str) -> Outcome:  # noqa: PLR0911 - one line for each meaning
    """Say what SES's answer means. Its id becomes the Message-ID that people's programs see."""
    answer: Answer = called.answer
    code = answer.code
    if called.unreachable:
        return Retry("SES cannot be reached")
    if called.lost:
        return Unsure("SES's answer was lost")
    if code is None and answer.status == 200:
        domain = "email" if region == "us-east-1" else region
        return Delivered(f"<{answer.provider_id}@{domain}.amazonses.com>", level="accepted")
    if answer.status == 429 or code in _WAIT:
        return kept_waiting(answer)
    if code in _PARKED or answer.status in (401, 403):
        return Parked("SES refuses our credentials, account or sender", code)
    if answer.status == 503:
        return Retry("SES cannot take it now", code)
    if answer.status >= 500:
        return Unsure("SES had an internal error", code)
    return Failed("SES refuses the message or the address", code)

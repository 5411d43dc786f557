"""
What became of one attempt to send, in our words; the vendors' words stay in their files.

    Delivered   the vendor took it                              ends with success
    Wait        not sent: come back in `seconds`                no fault of the message; nothing is charged
    Retry       surely not sent: something in between failed    the broker tries again, then the sweeper
    Unsure      perhaps sent: the answer was lost               reconciled before it is sent again, or `unknown`
    Failed      will never be sent like this                    the next rank becomes due
    Parked      our credentials are in trouble                  kept until they are cured
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Delivered:
    """Taken by the vendor; `provider_id` is its name for the message."""

    provider_id: str | None = None


@dataclass(frozen=True)
class Wait:
    """Rate limited: not before `seconds` have passed."""

    seconds: float
    code: str | None = None
    reason: str = "rate limited"


@dataclass(frozen=True)
class Retry:
    """Surely not sent."""

    reason: str
    code: str | None = None


@dataclass(frozen=True)
class Unsure:
    """Perhaps sent. `final`: no later look can tell."""

    reason: str
    code: str | None = None
    final: bool = False


@dataclass(frozen=True)
class Failed:
    """Permanent for this address or content."""

    reason: str
    code: str | None = None


@dataclass(frozen=True)
class Parked:
    """Credentials or plan limits: nothing is wrong with the message."""

    reason: str
    code: str | None = None


Outcome = Delivered | Wait | Retry | Unsure | Failed | Parked


@dataclass(frozen=True)
class Sent:
    """One attempt's end, and what the channel wants to be kept of it."""

    outcome: Outcome
    kept: dict[str, Any] | None = None


class NotSent(Exception):
    """A transport's word that nothing reached the vendor. The text is ours."""


class MaybeSent(Exception):
    """A transport's word that the vendor may have got it and the answer was lost. The text is ours."""


@dataclass(frozen=True)
class Answer:
    """What a vendor answered, over whatever transport: `code` in its own words, `data` decoded."""

    status: int
    code: str | None = None
    retry_after: float | None = None
    provider_id: str | None = None


def kept_waiting(answer: Answer, default: float = 30.0, longest: float = 86_400.0) -> Wait:
    """Do as `Retry-After` says, within a day."""
    asked = default if answer.retry_after is None else answer.retry_after
    return Wait(min(max(asked, 1.0), longest), answer.code or str(answer.status))

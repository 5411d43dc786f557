"""
What became of one attempt to send, in our words; the vendors' words stay in their files.

    Delivered   the vendor took it, or it is there              ends with success, when no more is wanted
    Wait        not sent: come back in `seconds`                no fault of the message; nothing is charged
    Retry       surely not sent: something in between failed    the broker tries again, then the sweeper
    Unsure      perhaps sent: the answer was lost               reconciled before it is sent again, or `unknown`
    Failed      will never be sent like this                    the next rank becomes due
    Parked      our credentials are in trouble                  kept until they are cured
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parley.domain.defaults import Level


@dataclass(frozen=True)
class Delivered:
    """Taken by the vendor, or there, as `level` says; `provider_id` is the vendor's name for the message."""

    provider_id: str | None = None
    level: "Level" = "delivered"


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
    """Permanent for this address or content. `disables`: the address is not to be used again until it is set anew."""

    reason: str
    code: str | None = None
    disables: bool = False


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
    body: bytes = b""


def retry_after(text: str | None, now: datetime) -> float | None:
    """Read `Retry-After`: seconds, or a date of RFC 9110; None when there is none that can be read."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds(), 0.0)


def kept_waiting(answer: Answer, default: float = 30.0, longest: float = 86_400.0) -> Wait:
    """Do as `Retry-After` says, within a day."""
    asked = default if answer.retry_after is None else answer.retry_after
    return Wait(min(max(asked, 1.0), longest), answer.code or str(answer.status))

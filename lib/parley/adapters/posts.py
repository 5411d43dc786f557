"""A channel whose messages are one POST to a URL of the user's: chats with an incoming webhook, and webhooks."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from parley.adapters.pinned import Pinned, Refused
from parley.channels.outcome import Answer, Failed, MaybeSent, NotSent, Outcome, Retry, Sent, Unsure, retry_after
from parley.channels.post import Post, Reply
from parley.domain.delivery import Job

Clock = Callable[[], datetime]


def now() -> datetime:
    """Give the time."""
    return datetime.now(UTC)


class Vendor(Protocol):
    """A channel's pure file."""

    def render(self, job: Job) -> Post: ...
    def outcome(self, answer: Answer) -> Outcome: ...


class Posts:
    """
    The channel of a vendor whose messages are one POST.

    `told_apart`: the receiver tells doubles by their id, so that what may have arrived is sent again; otherwise it
    cannot be known whether it did.
    """

    def __init__(self, vendor: Vendor, to: Pinned, *, told_apart: bool, clock: Clock = now) -> None:
        self._vendor = vendor
        self._to = to
        self._told_apart = told_apart
        self._clock = clock

    def send(self, job: Job, timeout: float) -> Sent:
        """Post an answer."""
        try:
            reply = self._to.call(self._vendor.render(job), timeout)
        except Refused as error:
            return Sent(Failed(str(error), "address"))
        except NotSent as error:
            return Sent(Retry(str(error)))
        except MaybeSent as error:
            return Sent(Unsure(str(error)))
        return Sent(self._vendor.outcome(answer(reply, self._clock())))

    def find(self, job: Job, timeout: float) -> Sent | None:  # noqa: ARG002 - there is nobody to ask
        """Say whether it may be sent again."""
        return None if self._told_apart else Sent(Unsure("an earlier attempt may have been sent", final=True))


def answer(reply: Reply, at: datetime) -> Answer:
    """Give what a vendor's file judges."""
    return Answer(reply.status, retry_after=retry_after(reply.headers.get("retry-after"), at), body=reply.body)

"""Channels that are one POST to a URL of the user's: webhooks, and chats with an incoming webhook."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from parley.adapters.pinned import Pinned, Refused
from parley.channels import consent, webhook
from parley.channels.outcome import Answer, Failed, MaybeSent, NotSent, Outcome, Retry, Sent, Unsure, retry_after
from parley.channels.post import Post, Reply
from parley.domain.delivery import Job

CONSENT_LASTS = timedelta(days=7)

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


class Consents(Protocol):
    """Where it is kept that a receiver wants our posts."""

    def consented(self, integration_id: str, rate: float | None) -> None: ...


class Webhooks:
    """
    The webhook channel: `Posts` by the secrets of each receiver, and CloudEvents only to who wants them.

    A receiver of CloudEvents is asked again once a week; `origin` is the name by which we ask.
    """

    def __init__(
        self,
        signing_keys: Sequence[str],
        to: Pinned,
        consents: Consents | None = None,
        *,
        origin: str = "parley",
        clock: Clock = now,
    ) -> None:
        self._keys = signing_keys
        self._to = to
        self._consents = consents
        self._origin = origin
        self._clock = clock
        self._posts = Posts(self, to, told_apart=True, clock=clock)

    def render(self, job: Job) -> Post:
        """Give the request."""
        return webhook.render(job, self._keys, self._origin)

    def outcome(self, answer: Answer) -> Outcome:
        """Say what the receiver's answer means."""
        return webhook.outcome(answer)

    def send(self, job: Job, timeout: float) -> Sent:
        """Post an answer, to a receiver that wants it."""
        if webhook.is_cloudevent(job.config) and self._is_old(job):
            refused = self._ask(job, timeout / 2)
            if refused:
                return refused
            timeout /= 2
        return self._posts.send(job, timeout)

    def find(self, job: Job, timeout: float) -> Sent | None:
        """Say that it may be sent again: `webhook-id` is the same."""
        return self._posts.find(job, timeout)

    def _is_old(self, job: Job) -> bool:
        at = (job.endpoint or {}).get("consented_at")
        return at is None or job.at - datetime.fromisoformat(at) > CONSENT_LASTS

    def _ask(self, job: Job, timeout: float) -> Sent | None:
        url = str(job.config.get("url") or job.address["url"])
        try:
            found = asked(self._to, url, self._origin, timeout)
        except Refused as error:
            return Sent(Failed(str(error), "address"))
        except (NotSent, MaybeSent) as error:
            return Sent(Retry(str(error)))
        if found is None:
            return Sent(Failed("the receiver does not consent to CloudEvents", "consent", disables=True))
        if self._consents:
            self._consents.consented(str(job.address["integration"]), found.rate)
        return None


def asked(to: Pinned, url: str, origin: str, timeout: float) -> consent.Consent | None:
    """Ask a receiver whether it wants our posts. Raises Refused, NotSent, MaybeSent."""
    return consent.given(to.call(consent.ask(url, origin), timeout).headers, origin)


def answer(reply: Reply, at: datetime) -> Answer:
    """Give what a vendor's file judges."""
    return Answer(reply.status, retry_after=retry_after(reply.headers.get("retry-after"), at), body=reply.body)

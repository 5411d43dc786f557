"""The webhook channel: posts that are signed for each receiver, and as CloudEvents only to who consents to them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from parley.adapters.pinned import Pinned, Refused
from parley.adapters.posts import Clock, Posts, now
from parley.channels import consent, webhook
from parley.channels.outcome import Answer, Failed, MaybeSent, NotSent, Outcome, Retry, Sent
from parley.channels.post import Post
from parley.domain.delivery import Job

CONSENT_LASTS = timedelta(days=7)


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

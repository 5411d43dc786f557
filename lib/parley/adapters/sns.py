"""Text messages by Amazon SNS."""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from parley.adapters.aws import Amazon
from parley.channels import sms
from parley.channels.outcome import Failed, Retry, Sent, Unsure
from parley.channels.templates import Templates
from parley.domain import links
from parley.domain.delivery import Job

VALID = timedelta(days=7)  # of a link


class Suppressions(Protocol):
    """Numbers that are not written to."""

    def reason(self, kind: str, address: str) -> str | None: ...
    def add(self, kind: str, address: str, why: str, detail: str | None = None) -> None: ...


def linking(keys: str | None, public_url: str | None) -> Callable[[Job], str]:
    """Give what makes the link to an answer; empty without a key, or without a door that it could lead to."""
    if not keys or not public_url:
        return lambda _: ""
    door = public_url.rstrip("/")
    return lambda job: door + links.path(keys, job.request_id, job.at + VALID)


class Sns:
    """The channel of deliver-sms."""

    def __init__(
        self, amazon: Amazon, templates: Templates, suppressions: Suppressions, link: Callable[[Job], str]
    ) -> None:
        self._amazon = amazon
        self._templates = templates
        self._suppressions = suppressions
        self._link = link
        self.load = amazon.load

    def send(self, job: Job, timeout: float) -> Sent:
        """Publish one text message, in one attempt."""
        try:
            number = sms.number(str(job.address["to"]))
        except ValueError as error:
            return Sent(Failed(str(error)))
        if reason := self._suppressions.reason("sms", number):
            return Sent(Failed(f"suppressed: {reason.replace('_', ' ')}", "suppressed"))
        arguments = sms.render(job, number, self._templates, self._link(job))
        called = self._amazon.call("publish", timeout, **arguments)
        if called.unreachable:
            return Sent(Retry("SNS cannot be reached"))
        if called.lost:
            return Sent(Unsure("SNS's answer was lost"))
        if called.answer.code in sms.OPTED_OUT:
            self._suppressions.add("sms", number, "opt_out", called.answer.code)
        return Sent(sms.outcome(called.answer))

    def find(self, job: Job, timeout: float) -> Sent | None:  # noqa: ARG002 - SNS cannot be asked
        """Say that it cannot be known."""
        return Sent(Unsure("an earlier attempt may have been sent"))

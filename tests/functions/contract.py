"""
The vendors of all channels, made to answer each case of the contract. A new channel is one more entry in VENDORS.

`settings` are those of its function, `address` is where a message goes; `fail` makes the next call end as a case says;
`arrived` counts the messages that somebody has got, each once. LACKS: cases that a vendor cannot be in, and why.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Self

from devkit.mailbox import Mailbox
from devkit.receiver import WebhookReceiver
from devkit.serving import LocalServer, Reply
from devkit.slack import ALICE, GENERAL, Fault, SlackStandIn

CASES = ("wait", "retry", "unsure", "permanent", "content", "credentials")


@dataclass(frozen=True)
class Vendor:
    """One vendor that is running. `can_ask`: a doubt ends in one message; else in `unknown` and the next rank."""

    settings: Mapping[str, str]
    address: Mapping[str, str]
    fail: Callable[[str], None]
    arrived: Callable[[], int]
    can_ask: bool


@contextmanager
def slack() -> Iterator[Vendor]:
    """Slack, by the stand-in."""
    with SlackStandIn() as workspace:
        thread = workspace.say(GENERAL, ALICE, "How?")
        faults = {
            "wait": Fault("ratelimited", method="chat.postMessage", seconds=40),
            "retry": Fault("error", method="chat.postMessage", error="service_unavailable"),
            "unsure": Fault("reset", method="chat.postMessage", accepted=True),
            "permanent": Fault("error", method="chat.postMessage", error="is_archived"),
            "content": Fault("error", method="chat.postMessage", error="invalid_blocks"),
            "credentials": Fault("error", method="*", error="invalid_auth"),
        }
        yield Vendor(
            {"SLACK_BOT_TOKEN": workspace.token, "SLACK_API_URL": workspace.api_url, "SLACK_PACE_SECONDS": "0.1"},
            {"workspace": "T1", "conversation": GENERAL, "thread": thread},
            lambda case: workspace.fail(faults[case]),
            lambda: len(workspace.messages(from_bot=True)),
            can_ask=True,
        )


@contextmanager
def email() -> Iterator[Vendor]:
    """A mail server."""
    with Mailbox() as box:
        endings = {
            "wait": "451 4.7.1 Try again later", "retry": "421 4.3.2 Closing", "permanent": "550 5.7.1 Refused",
            "content": "552 5.3.4 Too big", "credentials": "535 5.7.8 Who are you",
        }  # fmt: skip

        def fail(case: str) -> None:
            if case == "unsure":
                box.drop_after_dot()
            else:
                box.end(endings[case])

        yield Vendor(
            {"SMTP_URL": f"smtp://{box.host}:{box.port}?tls=none", "MAIL_FROM": "parley@example.org"},
            {"to": "ann@example.org"},
            fail,
            lambda: len(box.mails()),
            can_ask=False,
        )


@contextmanager
def sms() -> Iterator[Vendor]:
    """Amazon's SNS, as far as Publish goes."""
    taken = b"<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>"
    failures = {
        "wait": _aws(400, "Throttling"), "retry": _aws(503, "ServiceUnavailable"), "unsure": Reply(breaks="reset"),
        "permanent": _aws(400, "OptedOut"), "content": _aws(400, "InvalidParameter"),
        "credentials": _aws(403, "InvalidClientTokenId"),
    }  # fmt: skip
    with _Queue(Reply(200, taken, {"Content-Type": "text/xml"}), kept=("reset",)) as service:
        yield Vendor(
            {
                "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s",
                "SNS_ENDPOINT_URL": service.url,
            },
            {"to": "+491234567"},
            lambda case: service.next(failures[case]),
            service.count,
            can_ask=False,
        )  # fmt: skip


@contextmanager
def webhook() -> Iterator[Vendor]:
    """Somebody who receives webhooks, and drops doubles by their id."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    replies = {
        "wait": Reply(429, headers={"Retry-After": soon}), "retry": Reply(500), "unsure": Reply(breaks="reset"),
        "permanent": Reply(410), "content": Reply(413),
    }  # fmt: skip
    with WebhookReceiver() as hook:
        yield Vendor(
            {"WEBHOOK_SIGNING_KEY": "key", "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"},
            {"url": hook.url, "integration": "00000000-0000-0000-0000-000000000001"},
            lambda case: hook.answer(replies[case]),
            lambda: len({got.headers["webhook-id"] for got in hook.requests() if got.answer in ("200", "reset")}),
            can_ask=True,
        )


@contextmanager
def teams() -> Iterator[Vendor]:
    """Microsoft's side of an incoming webhook."""
    replies = {
        "wait": Reply(200, b"failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId"),
        "retry": Reply(503), "unsure": Reply(breaks="reset"), "permanent": Reply(404), "content": Reply(413),
    }  # fmt: skip
    with _Queue(Reply(202), kept=("reset",)) as service:
        yield Vendor(
            {"WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"},
            {"url": service.url, "integration": "00000000-0000-0000-0000-000000000002"},
            lambda case: service.next(replies[case]),
            service.count,
            can_ask=False,
        )


@contextmanager
def test() -> Iterator[Vendor]:
    """Nobody: nothing is sent, and nothing fails."""
    yield Vendor({}, {"to": "x"}, lambda _: None, lambda: 1, can_ask=True)


VENDORS = {"slack": slack, "email": email, "sms": sms, "webhook": webhook, "teams": teams, "test": test}
LACKS: Mapping[str, Mapping[str, str]] = {
    "webhook": {"credentials": "each receiver has its own secret, and refuses for itself alone"},
    "teams": {"credentials": "its URL is all there is"},
    "test": dict.fromkeys(CASES, "nothing is sent"),
}


def can(case: str) -> list[str]:
    """Give the channels whose vendors can be in this case."""
    return [name for name in VENDORS if case not in LACKS.get(name, {})]


class _Queue:
    """A server with one answer, and others that come first; counts what it took, or what `kept` cut the answer of."""

    def __init__(self, usual: Reply, kept: tuple[str, ...]) -> None:
        self._usual, self._kept, self._next, self._taken = usual, kept, [], 0
        self._server = LocalServer(self._answer)

    def __enter__(self) -> Self:
        self._server.start()
        self.url = self._server.url
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def next(self, reply: Reply) -> None:
        """Answer the next request so."""
        self._next.append(reply)

    def count(self) -> int:
        """Give the number of messages that arrived."""
        return self._taken

    def _answer(self, _: Any) -> Reply:
        reply = self._next.pop(0) if self._next else self._usual
        self._taken += reply is self._usual or reply.breaks in self._kept
        return reply


def _aws(status: int, code: str) -> Reply:
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{json.dumps(code)}</Message></Error></ErrorResponse>"
    return Reply(status, body.encode(), {"Content-Type": "text/xml"})

"""
A stand-in for the server of somebody who receives webhooks.

    with WebhookReceiver(secret) as hook:
        hook.answer(Reply(503, headers={"Retry-After": "1"}), Reply(breaks="reset"))
        ...
        assert hook.wait_for(3)[-1].verdict == "valid"

Signatures are judged by the official package of Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md), by this machine's clock.
Left out: TLS, asymmetric signatures (v1a), the handshake of CloudEvents beyond recording it.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from devkit.serving import LocalServer, Reply, Request, StandIn


@dataclass(frozen=True)
class Received:
    """
    One request, with the names of its headers in lower case.

    `at` is in seconds of a clock that only goes forward. `verdict` is "valid", "unchecked" without a secret, or says
    what is wrong. `answer` is the status that was given, or how the connection was broken instead.
    """

    number: int
    at: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    verdict: str
    answer: str = "200"

    def json(self) -> Any:
        """Read the body. Raises ValueError."""
        return json.loads(self.body)


def _verifier(secret: str) -> Any:
    """Give the official one; a receiver that checks nothing does without the package."""
    from standardwebhooks.webhooks import Webhook

    return Webhook(secret)


class WebhookReceiver(StandIn):
    """Records every request and answers 200, or what it was told. `secret` is `whsec_…`."""

    def __init__(
        self, secret: str | None = None, port: int = 0, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._webhook = _verifier(secret) if secret else None
        self._monotonic = monotonic
        self._server = LocalServer(self._take, port)
        self._received: list[Received] = []
        self._answers: deque[Reply] = deque()
        self._changed = threading.Condition()

    @property
    def url(self) -> str:
        """Where to send webhooks to; any path is taken."""
        return f"{self._server.url}/hook"

    @property
    def base_url(self) -> str:
        """http://127.0.0.1:port."""
        return self._server.url

    def answer(self, *replies: Reply) -> None:
        """Answer the next requests so, in this order; those after them with 200."""
        with self._changed:
            self._answers.extend(replies)

    def requests(self) -> list[Received]:
        """Give what came so far, in order."""
        with self._changed:
            return list(self._received)

    def wait_for(self, count: int, timeout: float = 10) -> list[Received]:
        """Wait for so many requests. Raises TimeoutError."""
        with self._changed:
            if self._changed.wait_for(lambda: len(self._received) >= count, timeout):
                return list(self._received)
            raise TimeoutError(f"{len(self._received)} of {count} requests after {timeout} s")

    def _take(self, request: Request) -> Reply:
        with self._changed:
            number, verdict = len(self._received), self._verdict(request)
            path = f"{request.path}?{request.query}" if request.query else request.path
            reply = self._answers.popleft() if self._answers else Reply()
            answer = reply.breaks or str(reply.status)
            self._received.append(
                Received(
                    number, self._monotonic(), request.method, path, request.headers, request.body, verdict, answer
                )
            )
            self._changed.notify_all()
            return reply

    def _verdict(self, request: Request) -> str:
        if self._webhook is None:
            return "unchecked"
        from standardwebhooks.webhooks import WebhookVerificationError

        try:
            self._webhook.verify(request.body, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            return f"invalid: {error}"
        return "valid"

"""Requests: ask, wait for the answer or watch it come, decide, take back."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal
from uuid import UUID

from parley.api.answers import (
    Decision,
    Escalation,
    Link,
    RequestItem,
    RequestPage,
    RequestResult,
    RequestStatus,
    Source,
)
from parley.client.errors import TimedOut
from parley.client.streams import Event, follow
from parley.client.transport import Transport

LONGEST_HOLD = 25.0  # seconds that the API holds a call at most
BASE = "/api/v1/requests"


class RequestClient:
    """What is asked, and what came of it."""

    def __init__(self, transport: Transport, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock

    def ask(
        self,
        content: str,
        *,
        session_id: UUID | str | None = None,
        kind: Source = "generic",
        wait: float = LONGEST_HOLD,
        key: str | None = None,
        **more: Any,
    ) -> RequestResult | RequestStatus:
        """
        Ask, and give the answer when it comes within `wait` seconds (0: at once), else how it stands.

        `more` are further members of the body: delivery, context, on_busy, and those of the kind. `key` makes a later
        call with the same content the same question; one is made for the tries of this call. Raises ParleyError.
        """
        body = {"content": content, **({"session_id": str(session_id)} if session_id else {}), **more}
        held = min(wait, LONGEST_HOLD)
        prefer = f"wait={held:.0f}" if held >= 1 else "respond-async"
        headers = {"Idempotency-Key": key or str(uuid.uuid4()), "Prefer": prefer}
        response = self._transport.call("POST", f"{BASE}/{kind}", body=body, headers=headers, waits=held)
        model = RequestResult if response.status_code == 200 else RequestStatus
        return model.model_validate_json(response.content)

    def status(self, request_id: UUID | str) -> RequestStatus:
        """Say how a request stands."""
        return self._transport.get(RequestStatus, f"{BASE}/{request_id}/status")

    def result(self, request_id: UUID | str) -> RequestResult | None:
        """Give the end of a request, None while it is not over."""
        return _result(self._transport.call("GET", f"{BASE}/{request_id}/result"))

    def wait(self, request_id: UUID | str, seconds: float | None = None) -> RequestResult:
        """Wait until a request is over, by long polls. Raises TimedOut after `seconds`."""
        end, etag = None if seconds is None else self._clock() + seconds, ""
        while (found := self.result(request_id)) is None:
            left = LONGEST_HOLD if end is None else end - self._clock()
            if left <= 0:
                raise TimedOut(f"request {request_id} is not over")
            held = max(1.0, min(left, LONGEST_HOLD))
            headers = {"Prefer": f"wait={held:.0f}", **({"If-None-Match": etag} if etag else {})}
            path = f"{BASE}/{request_id}/status"
            response = self._transport.call("GET", path, headers=headers, waits=held)
            etag = response.headers.get("ETag", "")
        return found

    def stream(self, request_id: UUID | str, after: int = 0) -> Iterator[Event]:
        """Give what happens to a request, from its beginning or behind event `after`, until it is over."""
        return follow(self._transport, f"{BASE}/{request_id}/events", after)

    def list(self, **query: Any) -> Iterator[RequestItem]:
        """Give requests, the newest first. `query`: session_id, status, user_id, limit (of a page)."""
        return self._transport.pages(RequestPage, BASE, **query)

    def cancel(self, request_id: UUID | str) -> RequestResult | None:
        """End a request without an answer. Gives its end, None while a running turn still ends itself."""
        return _result(self._transport.call("POST", f"{BASE}/{request_id}/cancel"))

    def decide(self, request_id: UUID | str, action_id: UUID | str, digest: str, *, approve: bool) -> Decision:
        """Decide what a turn asks for, as it was shown (`digest`)."""
        body = {"decision": "approve" if approve else "deny", "digest": digest}
        path = f"{BASE}/{request_id}/actions/{action_id}"
        return Decision.model_validate_json(self._transport.call("POST", path, body=body).content)

    def feedback(
        self,
        request_id: UUID | str,
        rating: Literal["up", "down"],
        *,
        reason: str | None = None,
        comment: str | None = None,
    ) -> None:
        """Say what the answer was worth; the last word counts."""
        body = _without_none({"rating": rating, "reason": reason, "comment": comment})
        self._transport.call("POST", f"{BASE}/{request_id}/feedback", body=body)

    def escalate(self, request_id: UUID | str, reason: str | None = None) -> Escalation:
        """Hand a question over to people."""
        response = self._transport.call("POST", f"{BASE}/{request_id}/escalate", body=_without_none({"reason": reason}))
        return Escalation.model_validate_json(response.content)

    def link(self, request_id: UUID | str) -> Link:
        """Make a link to the answer for somebody without a key."""
        return Link.model_validate_json(self._transport.call("POST", f"{BASE}/{request_id}/link").content)

    def erase(self, request_id: UUID | str) -> None:
        """Erase what was asked and answered; that it was asked stays."""
        self._transport.call("DELETE", f"{BASE}/{request_id}")


def _result(response: Any) -> RequestResult | None:
    return RequestResult.model_validate_json(response.content) if response.status_code == 200 else None


def _without_none(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}

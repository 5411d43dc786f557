"""HTTP as the API speaks it: keys, problems, and another try where it asks nothing twice."""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic import BaseModel

from parley.client.errors import Foreign, Refused, Unreachable, Unusable, refusal

LONGEST_PAUSE = 30.0  # seconds between two tries, when nobody said how long
_AGAIN = frozenset({429, 502, 503, 504})
_SAFE = frozenset({"GET", "HEAD"})
_BODILESS = frozenset({204, 304})


class Transport:
    """
    One API, by its address and a key (or a token of the OIDC provider).

    `acting_for`: the e-mail address of the person that a service asks for. Seconds: `timeout` of each call beyond what
    it asks the API to wait, `patience` until a call that may be repeated gives up.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        acting_for: str | None = None,
        timeout: float = 30.0,
        patience: float = 30.0,
        client: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        headers = {
            "Authorization": f"Bearer {_sendable(key, 'key')}",
            "User-Agent": "parley-client",
            "Accept": "application/json",
        }
        if acting_for:
            headers["Parley-User"] = _sendable(acting_for, "address to act for")
        self._client = client or httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout)
        self._timeout = timeout
        self._patience = patience
        self._sleep = sleep
        self._clock = clock

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        waits: float = 0.0,
    ) -> httpx.Response:
        """
        Call once, or again where that asks nothing twice. `waits`: seconds that the API is asked to hold the call.

        Raises Refused, Unreachable, Foreign.
        """
        may_repeat = method in _SAFE or "Idempotency-Key" in (headers or {})
        end, tries = self._clock() + self._patience, 0
        while True:
            try:
                return self._once(method, path, body, query, headers, waits)
            except Refused as error:
                pause = _pause(tries) if error.retry_after is None else error.retry_after
                if not (may_repeat and error.status in _AGAIN) or self._clock() + pause > end:
                    raise
            except Unreachable:
                pause = _pause(tries)
                if not may_repeat or self._clock() + pause > end:
                    raise
            tries += 1
            self._sleep(pause)

    def get[M: BaseModel](self, model: type[M], path: str, **query: Any) -> M:
        """Read something."""
        return model.model_validate_json(self.call("GET", path, query=query).content)

    def once[M: BaseModel](self, model: type[M], path: str, body: Mapping[str, Any] | None = None) -> M:
        """Post what makes something, once, however often it has to be sent."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return model.model_validate_json(self.call("POST", path, body=body, headers=headers).content)

    def pages[M: BaseModel](self, model: type[M], path: str, **query: Any) -> Iterator[Any]:
        """Read all items of a list, page by page."""
        cursor: str | None = None
        while True:
            page: Any = self.get(model, path, **query, cursor=cursor)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str], silence: float) -> Iterator[httpx.Response]:
        """Open a stream; nothing for `silence` seconds ends it. Raises Refused, Unreachable, Foreign."""
        timeout = httpx.Timeout(self._timeout, read=silence)
        try:
            with self._client.stream("GET", path, headers=dict(headers), timeout=timeout) as response:
                if response.status_code >= 400:
                    response.read()
                    raise _refusal(response)
                if response.status_code != 204:
                    _expect(response, "text/event-stream")
                yield response
        except httpx.HTTPError as error:
            raise Unreachable(_said(error)) from error

    def _once(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        waits: float,
    ) -> httpx.Response:
        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            response = self._client.request(
                method, path, json=body, params=wanted, headers=dict(headers or {}), timeout=self._timeout + waits
            )
        except httpx.HTTPError as error:
            raise Unreachable(_said(error)) from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise Unreachable("the address is no URL") from error
        if response.status_code >= 400:
            raise _refusal(response)
        done = response.status_code < 300 and method not in _SAFE and not response.content
        if not done and response.status_code not in _BODILESS:
            _expect(response, "application/json")
            _json(response)
        return response


def _sendable(text: str, what: str) -> str:
    """Give what may stand in a header: files end with a line feed, and an error must not show what it was about."""
    text = text.strip()
    if not (text and text.isascii() and text.isprintable()):
        raise Unusable(f"the {what} is empty, or has characters that cannot be sent")
    return text


def _expect(response: httpx.Response, media: str) -> None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.status_code >= 300 or kind != media:
        raise Foreign(f"what answered is not Parley's API: {response.status_code} {kind or 'without a type'}")


def _json(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except ValueError:
        raise Foreign("what answered is not Parley's API: no JSON, or half of it") from None


def _refusal(response: httpx.Response) -> Refused:
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    after = response.headers.get("Retry-After", "")
    return refusal(response.status_code, body, float(after) if after.isascii() and after.isdigit() else None)


def _pause(tries: int) -> float:
    """Half a second, doubled each time, with jitter: whoever fails together does not come back together."""
    return float(min(0.5 * 2**tries * (0.5 + random.random()), LONGEST_PAUSE))  # noqa: S311 - it hides nothing


def _said(error: httpx.HTTPError) -> str:
    return f"nobody answered: {error or type(error).__name__}"

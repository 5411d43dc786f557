"""
What a broker decides, with no thread and no socket: the rules of Knative's Kafka broker.

Sources: https://github.com/knative/specs/blob/main/specs/eventing/data-plane.md and, where the specification leaves
room, eventing-kafka-broker 0.50 (WebClientCloudEventSender, BaseResponseHandler, RecordDispatcherImpl).
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal, Protocol

from parley.envelope import Event, parse
from parley.errors import Malformed

MAX_BYTES = 1 << 20  # Kafka's max.request.size, from which on the broker takes no event
ERROR_DATA_BYTES = 1024
RETRYABLE = frozenset({404, 408, 409, 429})
_ERROR_PREFIX = "kne-"
_CORE = frozenset({"id", "source", "type", "specversion", "subject", "time", "dataschema", "datacontenttype", "data"})


class Filter(Protocol):
    """One filter of a Trigger, over the attributes of an event."""

    def holds(self, attributes: Mapping[str, str]) -> bool:
        """Whether the event passes. An attribute that the event lacks has no value, so it equals nothing."""


@dataclass(frozen=True)
class Exact:
    """Every named attribute has exactly this value."""

    values: tuple[tuple[str, str], ...]

    def holds(self, attributes: Mapping[str, str]) -> bool:
        return all(attributes.get(name) == value for name, value in self.values)


@dataclass(frozen=True)
class Prefix:
    """Every named attribute begins with this text."""

    values: tuple[tuple[str, str], ...]

    def holds(self, attributes: Mapping[str, str]) -> bool:
        return all(attributes.get(name, "").startswith(value) for name, value in self.values)


@dataclass(frozen=True)
class Suffix:
    """Every named attribute ends with this text."""

    values: tuple[tuple[str, str], ...]

    def holds(self, attributes: Mapping[str, str]) -> bool:
        return all(attributes.get(name, "").endswith(value) for name, value in self.values)


@dataclass(frozen=True)
class AllOf:
    """Every filter holds."""

    filters: tuple[Filter, ...]

    def holds(self, attributes: Mapping[str, str]) -> bool:
        return all(one.holds(attributes) for one in self.filters)


@dataclass(frozen=True)
class AnyOf:
    """At least one filter holds."""

    filters: tuple[Filter, ...]

    def holds(self, attributes: Mapping[str, str]) -> bool:
        return any(one.holds(attributes) for one in self.filters)


@dataclass(frozen=True)
class Not:
    """The filter does not hold."""

    filter: Filter

    def holds(self, attributes: Mapping[str, str]) -> bool:
        return not self.filter.holds(attributes)


def matches(filters: Sequence[Filter], attributes: Mapping[str, str]) -> bool:
    """Whether an event of these attributes (`Event.attributes()`) passes every filter; no filter lets all pass."""
    return all(one.holds(attributes) for one in filters)


@dataclass(frozen=True)
class Delivery:
    """How a Trigger delivers. `delay` and `timeout` (of one attempt) in seconds; attempts are `retry` + 1."""

    dead_letter_sink: str
    retry: int = 0
    policy: Literal["exponential", "linear"] = "exponential"
    delay: float = 0.2
    timeout: float = 600.0


def pause(policy: Literal["exponential", "linear"], delay: float, n: int) -> float:
    """Seconds before the n-th retry (n from 1): exponential is delay·2ⁿ, so PT2S waits 4, 8, 16; linear is delay·n."""
    return delay * (2 ** min(n, 40) if policy == "exponential" else n)


class Verdict(Enum):
    """What an answer means for the event."""

    ACCEPTED = "accepted"
    REPLY = "reply"
    RETRY = "retry"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """
    What came of one attempt.

    `reply` is set for REPLY. `code`, `body` and `headers` are what a dead letter tells of the answer; they stay empty
    when there was none, and when a 2xx was no event.
    """

    verdict: Verdict
    reply: Event | None = None
    code: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] | None = None


ACCEPTED = Outcome(Verdict.ACCEPTED)
NO_ANSWER = Outcome(Verdict.RETRY)
NO_EVENT = Outcome(Verdict.FAILED)


def outcome(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """Judge an answer of a subscriber."""
    if 200 <= status < 300:
        return _answered(headers, body)
    verdict = Verdict.RETRY if status >= 500 or status in RETRYABLE else Verdict.FAILED
    return Outcome(verdict, code=status, body=body, headers=headers)


def dead_letter(
    event: Event, destination: str, code: int | None = None, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Event:
    """
    The event as its dead-letter sink gets it.

    `knativeerrordest` is the URL that failed, `knativeerrorcode` and `knativeerrordata` (base64 of the first 1024
    bytes) are its last answer's; a header `kne-NAME` of that answer becomes the extension NAME.
    """
    added = {"knativeerrordest": destination}
    if code is not None:
        added["knativeerrorcode"] = str(code)
        added.update(_told(headers or {}))
    if code is not None and body:
        added["knativeerrordata"] = base64.b64encode(body[:ERROR_DATA_BYTES]).decode()
    return replace(event, extensions={**event.extensions, **added})


def _answered(headers: Mapping[str, str], body: bytes) -> Outcome:
    lower = {name.lower(): value for name, value in headers.items()}
    structured = lower.get("content-type", "").lower().startswith("application/cloudevents")
    if not structured and "ce-specversion" not in lower:
        return NO_EVENT if body else ACCEPTED
    try:
        return Outcome(Verdict.REPLY, reply=parse(lower, body))
    except Malformed:
        return NO_EVENT


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    """What `kne-` headers tell; a name that no extension may have is left out."""
    told = {
        name.lower().removeprefix(_ERROR_PREFIX): value
        for name, value in headers.items()
        if name.lower().startswith(_ERROR_PREFIX)
    }
    return {
        name: value
        for name, value in told.items()
        if name.isascii() and name.isalnum() and len(name) <= 20 and name not in _CORE
    }

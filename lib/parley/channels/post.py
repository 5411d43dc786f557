"""A POST, and what the status of its answer means where the receiver has no words of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Retry, kept_waiting

# What a receiver says for good. Others, such as 401 and 404, are what a deployment or a wrong setting says for a while.
_REFUSED = frozenset({400, 402, 405, 406, 411, 412, 413, 414, 415, 416, 417, 422, 426, 428, 431, 451, 501, 505})


@dataclass(frozen=True)
class Post:
    """One request."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


@dataclass(frozen=True)
class Reply:
    """What came back, with the names of the headers in lower case; `body` as far as it was read."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def outcome(answer: Answer) -> Outcome:
    """Say what a status means."""
    code = str(answer.status)
    if 200 <= answer.status < 300:
        return Delivered(answer.provider_id)
    if answer.status == 429 or (answer.status in (502, 503, 504) and answer.retry_after is not None):
        return kept_waiting(answer)
    if answer.status == 410:
        return Failed("the receiver is gone", code, disables=True)
    if 300 <= answer.status < 400:
        return Failed("the receiver redirects, which is refused", code)
    if answer.status in _REFUSED:
        return Failed("the receiver refuses it", code)
    return Retry("the receiver could not take it", code)

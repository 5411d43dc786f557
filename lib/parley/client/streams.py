"""
The progress of a request, as it happens: Server-Sent Events, resumed where they were cut.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from parley.client.errors import Broken, Foreign, RateLimited, Unreachable
from parley.client.transport import Transport

ENDS = frozenset({"completed", "failed", "cancelled"})
SILENCE = 45.0  # seconds: the API says at least every 15 that it is alive
PAUSE = 1.0  # second until one comes back to a stream that told nothing
MOST_FAILURES = 5  # in a row, without an event between them


@dataclass(frozen=True)
class Event:
    """One event: `seq` is its place in the log, `type` and `data` as the API documents them."""

    seq: int
    type: str
    data: dict[str, Any]


def follow(
    transport: Transport, path: str, after: int = 0, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Event]:
    """
    Give every event behind `after`, once and in order, until the last one.

    A stream that is cut is taken up behind the last event that came. Raises Refused, Unreachable when that does not go
    on for long, Foreign when it is no stream of events.
    """
    failures = 0
    while True:
        before = after
        try:
            with transport.stream(path, _headers(after), SILENCE) as response:
                if response.status_code == 204:
                    return
                for event in read(lines(response.iter_bytes()), after):
                    after, failures = event.seq, 0
                    yield event
                    if event.type in ENDS:
                        return
            if after == before:
                sleep(PAUSE)
        except (Unreachable, Broken, RateLimited) as error:
            failures += 1
            if failures > MOST_FAILURES:
                raise
            sleep(getattr(error, "retry_after", None) or min(0.2 * 2**failures, 5.0))


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Give whole lines. `str.splitlines`, and what is built on it, would split at U+2028 in the text of an answer."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


def read(lines: Iterable[str], after: int) -> Iterator[Event]:
    """Read events from the lines of a stream; one that is cut in its middle is none, one that came already neither."""
    said: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            said[name] = value.removeprefix(" ")
            continue
        event = _event(said, after)
        said = {}
        if event and (event.seq > after or event.type == "gap"):
            after = max(after, event.seq)
            yield event


def _event(said: dict[str, str], after: int) -> Event | None:
    if "data" not in said:
        return None
    number = said.get("id", "")
    try:
        data = json.loads(said["data"])
    except ValueError:
        raise Foreign("what answered is not Parley's API: an event without JSON") from None
    return Event(int(number) if number.isdecimal() else after, said.get("event", "message"), data)


def _headers(after: int) -> dict[str, str]:
    return {"Accept": "text/event-stream", **({"Last-Event-ID": str(after)} if after else {})}


@dataclass
class Draft:
    """An answer as it grows: takes events, and knows what of the text still counts."""

    steps: dict[int, str] = field(default_factory=dict)
    citations: list[dict[str, Any]] = field(default_factory=list)
    status: str = "queued"

    @property
    def text(self) -> str:
        """What is said so far: of the last step that said something."""
        return self.steps[max(self.steps)] if self.steps else ""

    def take(self, event: Event) -> None:
        """Take the next event in."""
        step = event.data.get("step", 0)
        match event.type:
            case "text":
                self.steps[step] = self.steps.get(step, "") + event.data.get("delta", "")
            case "reset":
                self.steps.pop(step, None)
            case "citation":
                self.citations.append(event.data)
            case "status":
                self.status = event.data.get("status", self.status)
            case "completed" | "failed" | "cancelled":
                self.status = event.type

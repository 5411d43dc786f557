"""The progress of a request as Server-Sent Events: from the log, from any place on, cut and resumed without loss."""

import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from parley import envelope
from parley.api.desk import Desk
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.api.waiting import Reader
from parley.domain.requests import TERMINAL

AGAIN = b"retry: 1000\n\n"  # milliseconds until a client comes back


class From(BaseModel):
    """Where to begin."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    starting_after: Annotated[
        int | None, Field(ge=0, lt=1 << 31, description="Only events behind this one; `Last-Event-ID` wins.")
    ] = None


def events(desk: Desk, call: Call) -> Answer:
    """
    Follow a request: each event has the number of its place in the log as `id`.

    `Last-Event-ID` resumes behind that event. The stream ends with the request, or after a minute: come back with the
    last id. When the log no longer has what comes next, `event: gap` says so. 204: it is over and all was told.
    """
    seq = _place(call)
    row = desk.request(call.principal, call.path["request_id"], "read")
    if row["state"] in TERMINAL and not desk.views.events([(row["id"], seq)], 1):
        return Answer(None, 204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Answer(_chunks(desk, row["id"], seq, call.gone), 200, headers, media="text/event-stream")


def _place(call: Call) -> int:
    text = call.headers.get("Last-Event-ID")
    if text is None:
        return call.query.starting_after or 0
    if not (text.isascii() and text.isdigit() and len(text) < 11 and int(text) < 1 << 31):
        raise Problem("bad-request", detail="Last-Event-ID is the number of an event.")
    return int(text)


def _chunks(desk: Desk, request_id: UUID, seq: int, gone: Callable[[], bool]) -> Iterator[bytes]:
    """Give the stream, piece by piece; whoever finds no place to wait gets what is there."""
    yield AGAIN
    with desk.waiting.reading(request_id, seq, gone) as reader:
        if reader is None:
            rows = desk.views.events([(request_id, seq)])
            yield b"".join(written(seq, rows))
            return
        yield from _followed(reader, seq, desk)


def _followed(reader: Reader, seq: int, desk: Desk) -> Iterator[bytes]:
    end = time.monotonic() + desk.rules.stream_seconds
    while (left := end - time.monotonic()) > 0 and not (desk.rules.leaving() or reader.gone()):
        row = reader.next(min(desk.rules.beat_seconds, left))
        if row is None:
            yield b": alive\n\n"
            continue
        rows = [row, *reader.rest()]
        yield b"".join(written(seq, rows))
        seq = rows[-1]["seq"]
        if rows[-1]["type"] in TERMINAL:
            return


def written(seq: int, rows: list[dict[str, Any]]) -> Iterator[bytes]:
    """Write events; `seq` is the one before them."""
    for row in rows:
        if row["seq"] > seq + 1:
            yield b"event: gap\ndata: %b\n\n" % envelope.dumps({"from": seq + 1, "to": row["seq"] - 1})
        seq = row["seq"]
        yield b"id: %d\nevent: %b\ndata: %b\n\n" % (seq, row["type"].encode(), envelope.dumps(row["data"]))


ROUTES = (
    Route("GET", "/api/v1/requests/{request_id}/events", events, {200: "text/event-stream", 204: None}, tag="requests",
          scope="requests:read", query=From, headers=("Last-Event-ID",), problems=("gone",)),
)  # fmt: skip

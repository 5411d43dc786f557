"""
Structured logs: one JSON object per line on standard error.

Never the content of a message and never a secret: of an exception only our own texts (parley.errors) are written, of
any other its class and where it was raised, since libraries put values into their messages.
"""

import contextvars
import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from parley import telemetry
from parley.errors import Malformed, Misconfigured, Rejected, Unavailable

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

OURS = (Rejected, Malformed, Unavailable, Misconfigured)

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_OF_THE_SPAN = frozenset({"trace_id", "event_id", "event_type"})  # a span has them already

_bound: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("bound", default=None)


def start(level: str = "INFO") -> None:
    """
    Send every log record of this process to standard error as JSON. Call once, at the start of a process.

    Raises Misconfigured for a level that is none.
    """
    if level.upper() not in LEVELS:
        raise Misconfigured(f"LOG_LEVEL: must be one of {', '.join(LEVELS)}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # waitress warns for each queued request, httpx names each URL, parliament warns for each request that is no event,
    # the pool repeats what libpq says of each attempt to connect, which may hold parts of the URL; clients of services
    # write down whole requests at DEBUG, with content and keys
    quiet = {
        "waitress.queue": logging.ERROR, "httpx": logging.WARNING, "parliament.server": logging.ERROR,
        "psycopg.pool": logging.ERROR, "botocore": logging.WARNING, "boto3": logging.WARNING,
        "urllib3": logging.WARNING, "httpcore": logging.WARNING, "llama_stack_client": logging.WARNING,
        "slack_sdk": logging.WARNING,
    }  # fmt: skip
    for noisy, quieter in quiet.items():
        logging.getLogger(noisy).setLevel(max(quieter, logging.root.level))


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Add `fields` (ids, never content) to every record that is logged inside."""
    token = _bound.set({**(_bound.get() or {}), **{k: v for k, v in fields.items() if v is not None}})
    try:
        yield
    finally:
        _bound.reset(token)


def bind(**fields: Any) -> None:
    """
    Add `fields` to the records of the surrounding `bound`: ids that are known only after a row was read.

    What is told of the work here, if it is (see `telemetry`), gets them, too.
    """
    current = _bound.get()
    if current is not None:
        current.update({k: str(v) for k, v in fields.items() if v is not None})
    telemetry.note({f"parley.{k}": v for k, v in fields.items() if k not in _OF_THE_SPAN})


class JsonFormatter(logging.Formatter):
    """Render a record as one line of JSON: time, level, logger, message, the bound ids, `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(_bound.get() or {}),
            **getattr(record, "fields", {}),
        }
        if now := telemetry.current():
            line |= {"trace_id": telemetry.trace_id(now), "span_id": now.split("-")[2]}
        if record.exc_info and record.exc_info[1]:
            line["error"] = _error(record.exc_info[1])
        return json.dumps(line, default=str)


def _error(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-6:]]
    described: dict[str, Any] = {"class": type(error).__name__, "where": where}
    if isinstance(error, OURS):
        described["text"] = str(error)
    if error.__cause__:
        described["cause"] = _error(error.__cause__)
    return described

"""Headers that say how an answer is wished for: RFC 7240's Prefer, Idempotency-Key, If-Match, traceparent."""

import re

import flask
from werkzeug.datastructures import Headers

from parley import telemetry
from parley.api.problems import Problem

LONGEST_WAIT = 25.0  # seconds

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
_TRACESTATE = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,511}\Z")
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?\Z')
_TAG = re.compile(r'(?:W/)?"v(\d{1,18})"\Z')
_ANY_TAG = re.compile(r'(?:W/)?"[^"]*"\Z')


def preference(text: str) -> tuple[bool, float | None]:
    """Read `Prefer` (RFC 7240): whether to answer at once, and how many seconds to wait, if that was said."""
    parts = [part.split(";")[0].strip().lower() for part in text.split(",")]
    waits = [part[5:].strip('"') for part in parts if part.startswith("wait=")]
    if not (waits and waits[0].isascii() and waits[0].isdigit()):
        return "respond-async" in parts, None
    return "respond-async" in parts, min(float(waits[0]), LONGEST_WAIT)


def idempotency_key(headers: Headers, *, required: bool) -> str | None:
    """Give the key of the call. Raises Problem for one that is none, or missing."""
    text = headers.get("Idempotency-Key")
    if text is None:
        if required:
            raise Problem("key-required")
        return None
    match = _KEY.match(text)
    if match is None:
        raise Problem("bad-request", detail="An Idempotency-Key has 1 to 255 printable ASCII characters.")
    return match[1]


def version(headers: Headers, *, required: bool) -> int | None:
    """Give the version that the caller has read, from `If-Match`; None for any. Raises Problem."""
    text = headers.get("If-Match")
    if text is None:
        if required:
            raise Problem("precondition-required")
        return None
    if text.strip() == "*":
        return None
    if match := _TAG.match(text.strip()):
        return int(match[1])
    if _ANY_TAG.match(text.strip()):
        raise Problem("precondition-failed")
    raise Problem("bad-request", detail="If-Match is an entity tag, as ETag has given it.")


def trace(headers: Headers) -> str:
    """
    Go on with the caller's trace, else begin one; the same for the whole call.

    The span that is told of now, if any: it goes on with the caller's already.
    """
    if now := telemetry.current():
        return now
    given = headers.get("traceparent", "")
    if _TRACEPARENT.match(given):
        state = headers.get("tracestate", "")
        return f"{given} {state}" if _TRACESTATE.match(state) else given
    made: str = flask.g.setdefault("trace", telemetry.made())
    return made

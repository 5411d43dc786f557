"""Ids: UUIDv7 for rows (RFC 9562 §5.7), uuid5 where the same cause must give the same id."""

import os
import time
from uuid import UUID, uuid5

_DELIVERIES = UUID("0f4c5d1e-9b0a-5c63-8e3e-0e6f0a8a7d11")
_EFFECTS = UUID("5b3a7f52-6a0d-5d5e-9c1b-7e4f2b9d3c22")


def new() -> UUID:
    """Make a UUIDv7: 48 bits of Unix milliseconds, then random; sorts by time, to the millisecond."""
    millis = time.time_ns() // 1_000_000
    value = (millis & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def delivery(about: UUID, kind: str, channel: str, rank: int) -> UUID:
    """Give the id of the one delivery of a request, or of an action that is to be decided, on this channel and rank."""
    return uuid5(_DELIVERIES, f"{about}/{kind}/{channel}/{rank}")


def effect(request_id: UUID, step: int, fingerprint: str) -> UUID:
    """Give the key by which a tool tells a repeated call from a new one; `fingerprint` is of the decision to call."""
    return uuid5(_EFFECTS, f"{request_id}/{step}/{fingerprint}")


def since(seconds: float) -> UUID:
    """Give the least UUIDv7 of a time: every id that was made then or later is not below it."""
    return UUID(int=(int(seconds * 1000) & (1 << 48) - 1) << 80 | 0x7 << 76 | 0x2 << 62)

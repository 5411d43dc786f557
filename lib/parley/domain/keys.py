"""
API keys: `pk_<prefix>_<secret>`, 256 random bits, shown once and stored as a digest.

The prefix finds the row; only the digest of the whole key decides, compared in constant time.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Role = Literal["user", "support", "admin", "service"]

_KEY = re.compile(r"pk_([A-Za-z0-9]{8})_([A-Za-z0-9_-]{43})")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Principal:
    """Who calls: a key's owner."""

    key_id: UUID
    user_id: UUID
    role: Role


def make() -> str:
    """Make a key."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"pk_{prefix}_{secrets.token_urlsafe(32)}"


def prefix(key: str) -> str | None:
    """Give the prefix of what looks like a key."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def digest(key: str) -> bytes:
    """Give what is stored of a key. It is random, so one round of SHA-256 is enough."""
    return hashlib.sha256(key.encode()).digest()


def is_same(key: str, stored: bytes) -> bool:
    """Whether a key is the one that was stored."""
    return hmac.compare_digest(digest(key), stored)

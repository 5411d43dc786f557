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
STAFF: frozenset[Role] = frozenset({"support", "admin"})
# What a service may do for somebody else only when its key says so by name.
NAMED = frozenset({"data", "keys", "settings:write"})

# What a key may be limited to; one without scopes may do all that its role may.
Scope = Literal[
    "requests:read", "requests:write", "sessions:read", "sessions:write", "deliveries:read", "deliveries:write",
    "settings:read", "settings:write", "data", "keys", "admin",
]  # fmt: skip

_KEY = re.compile(r"pk_([A-Za-z0-9]{8})_([A-Za-z0-9_-]{43})")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Principal:
    """
    Who calls: `user_id`, whose things these are, and `actor_id`, whose key it is, when a service acts for the user.

    `key_id` is None for who came with a token; `scopes` None: everything that the role may.
    """

    key_id: UUID | None
    user_id: UUID
    role: Role
    scopes: frozenset[str] | None = None
    actor_id: UUID | None = None

    @property
    def caller(self) -> UUID:
        """Whose credentials these are."""
        return self.actor_id or self.user_id

    @property
    def people(self) -> tuple[UUID, ...]:
        """Whose rows this caller works with."""
        return (self.user_id,) if self.actor_id is None else (self.user_id, self.actor_id)

    def may(self, scope: str) -> bool:
        """Whether the key is not limited to other scopes."""
        return self.scopes is None or not scope or scope in self.scopes


def make() -> str:
    """Make a key."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"pk_{prefix}_{secrets.token_urlsafe(32)}"


def prefix(key: str) -> str | None:
    """Give the prefix of what looks like a key."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def is_prefix(text: str) -> bool:
    """Whether a text may be the prefix of a key."""
    return len(text) == 8 and all(letter in _ALPHABET for letter in text)


def digest(key: str) -> bytes:
    """Give what is stored of a key. It is random, so one round of SHA-256 is enough."""
    return hashlib.sha256(key.encode()).digest()


def is_same(key: str, stored: bytes) -> bool:
    """Whether a key is the one that was stored."""
    return hmac.compare_digest(digest(key), stored)

"""
Who a tool is called for: a token of a minute, signed by agent-turn and verified by the tool's server (RFC 7519).

    sub    the user, by our id; `email` and `groups` as our database has them, never as a model says
    act    the agent that acts for the user (RFC 8693 §4.1)
    aud    the one server that it is for
    jti    the effect key of the call: the same key is the same call, to be answered alike and done once
    call   SHA-256 of tool and arguments (`domain.actions.digest`): the token allows this call and no other

Ed25519: agent-turn alone holds the key that signs; a server that leaks what it has cannot speak for a user.

    python -m parley.tokens          make a key pair, as two settings
    python -m parley.tokens public   print the public key of TOOL_SIGNING_KEY
"""

import base64
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from parley.errors import Misconfigured

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ISSUER = "parley"
SECONDS = 60
LEEWAY = 10  # seconds by which clocks may differ


class Untrusted(Exception):
    """The token is none of ours, or not for this. The text says why, and holds nothing of it."""


@dataclass(frozen=True)
class Caller:
    """For whom and by whom a tool is called; `key` and `call` are None for a listing."""

    user_id: UUID
    email: str | None
    groups: tuple[str, ...]
    agent: str
    key: UUID | None = None
    call: str | None = None


class Signer:
    """Makes tokens. Nothing is loaded before the first one."""

    def __init__(self, key: str, clock: Callable[[], float] = time.time) -> None:
        """`key`: 32 random bytes in base64url. Raises Misconfigured."""
        self._seed = _bytes(key, "TOOL_SIGNING_KEY")
        self._clock = clock
        self._key: Ed25519PrivateKey | None = None

    def token(self, caller: Caller, audience: str) -> str:
        """Give a token of a minute for one call, or for a listing."""
        import jwt

        if self._key is None:
            self._key = _private(self._seed)
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "sub": str(caller.user_id),
            "email": caller.email,
            "groups": list(caller.groups),
            "act": {"sub": caller.agent},
            "aud": audience,
            "iat": now,
            "exp": now + SECONDS,
        }
        if caller.key and caller.call:
            claims |= {"jti": str(caller.key), "call": caller.call}
        return jwt.encode(claims, self._key, algorithm="EdDSA")


class Verifier:
    """Reads tokens that are for one audience."""

    def __init__(self, key: str, audience: str) -> None:
        """`key`: the public key in base64url. Raises Misconfigured."""
        self._raw = _bytes(key, "TOOL_PUBLIC_KEY")
        self._audience = audience
        self._key: Ed25519PublicKey | None = None

    def caller(self, header: str) -> Caller:
        """Give whom an `Authorization` header speaks for. Raises Untrusted."""
        import jwt

        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Untrusted("a bearer token is needed")
        if self._key is None:
            self._key = _public(self._raw)
        try:
            claims = jwt.decode(
                token, self._key, algorithms=["EdDSA"], audience=self._audience, issuer=ISSUER, leeway=LEEWAY,
                options={"require": ["exp", "iat", "sub", "aud", "iss", "act"]},
            )  # fmt: skip
            if claims["exp"] - claims["iat"] > SECONDS:
                raise Untrusted("the token lives too long")
            return _caller(claims)
        except jwt.InvalidTokenError as error:
            raise Untrusted(type(error).__name__) from None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Untrusted("the token's claims are malformed") from None


def public_of(key: str) -> str:
    """Give the public key that belongs to a signing key. Raises Misconfigured."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw = _private(_bytes(key, "TOOL_SIGNING_KEY")).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _caller(claims: Mapping[str, Any]) -> Caller:
    return Caller(
        UUID(claims["sub"]),
        claims.get("email"),
        tuple(claims.get("groups") or ()),
        str(claims["act"]["sub"]),
        UUID(claims["jti"]) if "jti" in claims else None,
        claims.get("call"),
    )


def _bytes(text: str, setting: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise Misconfigured(f"{setting}: must be 32 bytes in base64url (`python -m parley.tokens` makes a pair)")
    return raw


def _private(seed: bytes) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)


def _public(raw: bytes) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(raw)


def main(arguments: list[str], env: Mapping[str, str]) -> int:
    """Run the command line."""
    if arguments == ["public"]:
        print(public_of(env.get("TOOL_SIGNING_KEY", "")))
        return 0
    key = secrets.token_urlsafe(32)
    print(f"TOOL_SIGNING_KEY={key}\nTOOL_PUBLIC_KEY={public_of(key)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

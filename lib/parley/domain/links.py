"""
Signed links to one answer: what stands behind `/r/` in a text message.

A token is the request's id and the end of its validity, with 96 bits of HMAC-SHA256, in base64url: 43 characters, since
each of them is paid for. It opens one answer and nothing else, and says so to whoever holds it: it is a bearer's token.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from uuid import UUID

LENGTH = 43
_MAC = 12  # bytes


def sign(keys: str, request_id: UUID, expires: datetime) -> str:
    """Give the token. Of `keys`, comma-separated, the first one signs."""
    claim = request_id.bytes + int(expires.timestamp()).to_bytes(4, "big")
    return base64.urlsafe_b64encode(claim + _mac(_split(keys)[0], claim)).decode().rstrip("=")


def path(keys: str, request_id: UUID, expires: datetime) -> str:
    """Give the path of a link to the answer of a request."""
    return f"/r/{sign(keys, request_id, expires)}"


def read(keys: str, token: str, now: datetime) -> UUID | None:
    """Give the request that a token opens; None when any of our keys did not make it, or its time is over."""
    if len(token) != LENGTH or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    claim, mac = raw[:-_MAC], raw[-_MAC:]
    ours = [hmac.compare_digest(_mac(key, claim), mac) for key in _split(keys)]
    if not any(ours) or int.from_bytes(claim[16:], "big") < now.timestamp():
        return None
    return UUID(bytes=claim[:16])


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",") if key.strip()]


def _mac(key: str, claim: bytes) -> bytes:
    return hmac.digest(key.encode(), b"link:" + claim, hashlib.sha256)[:_MAC]

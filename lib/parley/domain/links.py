"""
Signed links to one answer, `/r/<token>`: the request's id, when the link expires, and an HMAC-SHA256 over both.

The token is the whole right: nothing is stored, and a new signing key ends all links.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from uuid import UUID

_SIZE, _MAC = 16 + 5, 16


def path(key: str, request_id: UUID, until: datetime) -> str:
    """Give the path of a link to the answer of a request."""
    said = request_id.bytes + int(until.timestamp()).to_bytes(5, "big")
    return "/r/" + base64.urlsafe_b64encode(said + _mac(key, said)).decode().rstrip("=")


def read(key: str, token: str, now: datetime) -> UUID | None:
    """Give the request of a token that was signed with this key and has not expired."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    said, mac = raw[:_SIZE], raw[_SIZE:]
    if len(raw) != _SIZE + _MAC or not hmac.compare_digest(mac, _mac(key, said)):
        return None
    return UUID(bytes=said[:16]) if int.from_bytes(said[16:], "big") > now.timestamp() else None


def _mac(key: str, said: bytes) -> bytes:
    return hmac.new(key.encode(), b"link:" + said, hashlib.sha256).digest()[:_MAC]

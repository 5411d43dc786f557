"""
Whether Slack sent a request: version 0 of its signatures, over bytes.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

WINDOW = 300  # seconds that a timestamp may be off, both ways


def is_signed(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """
    Whether Slack signed these bytes within the last five minutes.

    Never raises: a missing or malformed header is a wrong signature. Several secrets allow rotation.
    """
    stamp = headers.get("X-Slack-Request-Timestamp", "")
    given = headers.get("X-Slack-Signature", "").encode("utf-8", "replace")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12) or abs(now - int(stamp)) > WINDOW:
        return False
    base = b"v0:" + stamp.encode() + b":" + body
    made = [b"v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest().encode() for secret in secrets]
    return any(hmac.compare_digest(given, signature) for signature in made)

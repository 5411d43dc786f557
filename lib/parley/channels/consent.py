"""
The handshake of CloudEvents webhooks: a receiver is asked whether it wants our posts before it gets any.

Source: https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md, section 4. The headers are the
consent; a status alone is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from parley.channels.post import Post

RATE = 120  # posts in a minute that we ask for


@dataclass(frozen=True)
class Consent:
    """A receiver wants our posts: at most `rate` in a minute; None: any number."""

    rate: float | None


def named(public_url: str) -> str:
    """Give the name by which we ask, wherever we ask from: the host that others know us by."""
    return urlsplit(public_url).hostname or "parley"


def ask(url: str, origin: str) -> Post:
    """Give the request that asks."""
    headers = {"webhook-request-origin": origin, "webhook-request-rate": str(RATE), "user-agent": "Parley-Webhook/1"}
    return Post(url, headers, b"", method="OPTIONS")


def given(headers: Mapping[str, str], origin: str) -> Consent | None:
    """Read the answer's headers, with names in lower case."""
    allowed = [name.strip().lower() for name in headers.get("webhook-allowed-origin", "").split(",")]
    if "*" not in allowed and origin.lower() not in allowed:
        return None
    rate = headers.get("webhook-allowed-rate", "").strip()
    if rate.isascii() and rate.isdigit() and int(rate[:9]) > 0:
        return Consent(float(rate[:9]))
    return Consent(None) if rate == "*" else Consent(float(RATE))

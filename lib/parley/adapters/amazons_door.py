"""Fetches what Amazon SNS points to: its certificates, and the address that confirms a subscription."""

import http.client
import ssl
from urllib.parse import urlsplit

from parley.errors import Unavailable

LARGEST = 64 * 1024  # bytes
TIMEOUT = 5.0


def fetch(url: str) -> bytes:
    """Get what is behind an https address, without following it elsewhere. Raises Unavailable."""
    parts = urlsplit(url)
    context = ssl.create_default_context()
    door = http.client.HTTPSConnection(parts.hostname or "", parts.port or 443, timeout=TIMEOUT, context=context)
    try:
        door.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        answer = door.getresponse()
        body = answer.read(LARGEST + 1)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable("Amazon cannot be asked") from error
    finally:
        door.close()
    if answer.status != 200 or len(body) > LARGEST:
        raise Unavailable("Amazon answers otherwise")
    return body

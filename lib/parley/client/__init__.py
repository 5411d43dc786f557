"""
Parley for programs: ask, wait, stream; sessions, deliveries, preferences; what administrators do.

    from parley.client import Parley

    with Parley("https://parley.example.org", key="pk_…") as parley:
        answer = parley.requests.ask("How old must my laptop be?")
        print(answer.result.text)

Answers are the models of `parley.api.answers`; errors are the tree of `errors.py`. What failed on the way is tried
again only where that asks nothing twice: reading, and asking, by its idempotency key.
"""

from parley.client.errors import (
    Broken,
    Changed,
    Conflict,
    Forbidden,
    Foreign,
    Gone,
    Invalid,
    NotFound,
    ParleyError,
    RateLimited,
    Refused,
    TimedOut,
    Unauthenticated,
    Unreachable,
    Unusable,
)
from parley.client.parley import Parley
from parley.client.requests import RequestClient
from parley.client.sessions import SessionClient
from parley.client.streams import Draft, Event

__all__ = [
    "Broken",
    "Changed",
    "Conflict",
    "Draft",
    "Event",
    "Forbidden",
    "Foreign",
    "Gone",
    "Invalid",
    "NotFound",
    "Parley",
    "ParleyError",
    "RateLimited",
    "Refused",
    "RequestClient",
    "SessionClient",
    "TimedOut",
    "Unauthenticated",
    "Unreachable",
    "Unusable",
]

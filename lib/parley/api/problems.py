"""Errors as RFC 9457 problem details: stable types, JSON pointers, never an exception's text."""

from dataclasses import dataclass, field
from typing import Any

TITLES = {
    "bad-request": (400, "The request is malformed."),
    "key-required": (400, "This route needs an Idempotency-Key."),
    "unauthenticated": (401, "A valid API key or token is required."),
    "forbidden": (403, "This key may not do that."),
    "not-found": (404, "There is no such thing, or it is not yours."),
    "method-not-allowed": (405, "This method is not allowed here."),
    "busy": (409, "An earlier request of this session is still open."),
    "conflict": (409, "It is not in a state that allows this."),
    "gone": (410, "It is not there any more."),
    "precondition-failed": (412, "It has changed since you have read it."),
    "too-large": (413, "The body is larger than 64 KiB."),
    "not-json": (415, "The body must be application/json."),
    "invalid": (422, "The body does not fit."),
    "key-reused": (422, "This Idempotency-Key was used for a different body."),
    "precondition-required": (428, "Say with If-Match which version you have read."),
    "rate-limited": (429, "Too many calls; wait a little."),
    "budget-spent": (429, "What may be spent today is spent."),
    "internal": (500, "Something went wrong on our side."),
    "unavailable": (503, "This cannot be done right now; try again."),
}


@dataclass
class Problem(Exception):
    """An answer that is a problem. `kind` is a key of TITLES; `errors` point into the body."""

    kind: str
    detail: str | None = None
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return TITLES[self.kind][0]

    def body(self) -> dict[str, Any]:
        """Give the members of the problem."""
        status, title = TITLES[self.kind]
        found: dict[str, Any] = {"type": f"urn:parley:problem:{self.kind}", "title": title, "status": status}
        if self.detail:
            found["detail"] = self.detail
        if self.errors:
            found["errors"] = self.errors
        return found

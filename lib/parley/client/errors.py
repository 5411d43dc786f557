"""
What can go wrong, by what the caller can do about it.

    ParleyError
    ├── Unreachable      nobody answered: the network, the address, a certificate
    ├── TimedOut         it is still not over
    ├── Unusable         the key, or whom to act for, cannot be sent; nothing was
    ├── Foreign          what answered is not the API: a proxy's page, a redirection, half an answer
    └── Refused          the API said no, as a problem (RFC 9457)
        ├── Invalid          400, 413, 415, 422, 428: what was sent does not fit; `problem.errors` says where
        ├── Unauthenticated  401: no key, or one that is none any more
        ├── Forbidden        403: this key may not
        ├── NotFound         404: there is no such thing, or it is somebody else's
        ├── Conflict         409: not in the state it is in
        ├── Gone             410: it was there once
        ├── Changed          412: somebody was faster; read it again
        ├── RateLimited      429: later; `retry_after` seconds
        └── Broken           5xx: nothing is wrong with what was sent
"""

from collections.abc import Mapping
from typing import Any

from parley.api.answers import ProblemDetails


class ParleyError(Exception):
    """Never raised itself."""


class Unreachable(ParleyError):
    """Nobody answered."""


class TimedOut(ParleyError):
    """It goes on, but not for us."""


class Unusable(ParleyError):
    """It cannot be sent."""


class Foreign(ParleyError):
    """Something else answered."""


class Refused(ParleyError):
    """The API said no. `problem` is None when the answer came from something in between."""

    def __init__(self, status: int, problem: ProblemDetails | None, retry_after: float | None = None) -> None:
        super().__init__(_words(status, problem))
        self.status = status
        self.problem = problem
        self.retry_after = retry_after


class Invalid(Refused): ...


class Unauthenticated(Refused): ...


class Forbidden(Refused): ...


class NotFound(Refused): ...


class Conflict(Refused): ...


class Gone(Refused): ...


class Changed(Refused): ...


class RateLimited(Refused): ...


class Broken(Refused): ...


_KINDS: Mapping[int, type[Refused]] = {
    401: Unauthenticated, 403: Forbidden, 404: NotFound, 409: Conflict, 410: Gone, 412: Changed, 429: RateLimited,
}  # fmt: skip


def refusal(status: int, body: Any, retry_after: float | None) -> Refused:
    """Give the error of an answer that is none; `body` is its decoded JSON, if it had one."""
    problem = ProblemDetails.model_validate(body) if _is_problem(body) else None
    kind = Broken if status >= 500 else _KINDS.get(status, Invalid)
    return kind(status, problem, retry_after)


def _is_problem(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("title"), str) and {"type", "status"} <= body.keys()


def _words(status: int, problem: ProblemDetails | None) -> str:
    if problem is None:
        return f"the answer was {status}"
    where = [f"{error.pointer or error.parameter or ''}: {error.detail}" for error in problem.errors]
    return " ".join([problem.detail or problem.title, *(f"({one})" for one in where)])

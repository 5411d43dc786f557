"""
What a route is: declared once, with its models, roles and errors. Flask's routes and OpenAPI come from it.

A view is a plain function: it takes the desk (what the API works with) and the call (who, where, what), gives an Answer
and raises Problem. Its docstring is its description.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from werkzeug.datastructures import Headers

from parley.domain.keys import Principal, Role

EVERYBODY: frozenset[Role] = frozenset({"user", "support", "admin", "service"})
ADMIN: frozenset[Role] = frozenset({"admin"})

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass
class Answer:
    """What is sent: a body that becomes JSON, text or chunks as they are, or nothing at all."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media: str = "application/json"
    made: str = ""  # what was made, for `Route.again`


@dataclass
class Call:
    """One call: `who` is None on a public route; `query` and `body` are validated models, `path` holds UUIDs."""

    who: Any
    path: Mapping[str, Any]
    query: Any
    body: Any
    headers: Headers
    address: str = ""
    gone: Callable[[], bool] = lambda: False  # whether the caller has hung up

    @property
    def principal(self) -> Principal:
        """Who calls, on a route that is not public."""
        assert self.who, "the route asks for a key"
        who: Principal = self.who
        return who


View = Callable[[Any, Call], Answer]
Again = Callable[[Any, Call, str], Answer]  # what was made by the first call with the same key, shown again


@dataclass(frozen=True)
class Route:
    """
    One method of one path, such as `/api/v1/requests/{request_id}/status`.

    `answers`: for each status the name of a model in `answers.py`, None for no body, or a media type such as
    `text/html`. `headers`: those that it reads (see `openapi.HEADERS`). `roles` None: public, nobody is asked who
    they are. `scope`: what a key that is limited to scopes must have. `problems`: kinds of `problems.TITLES` beyond
    those that follow from the rest.
    """

    method: Method
    path: str
    view: View
    answers: Mapping[int, str | None]
    tag: str
    scope: str = ""
    roles: frozenset[Role] | None = EVERYBODY
    body: Any = None
    body_is_optional: bool = False
    query: Any = None
    headers: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    name: str = ""
    again: Again | None = None  # it takes an Idempotency-Key (once.py)

    @property
    def rule(self) -> str:
        """The path as Flask writes it; a part that is an id matches UUIDs only."""
        return "/".join(_rule(part) for part in self.path.split("/"))

    @property
    def all_headers(self) -> tuple[str, ...]:
        """Every header that it reads."""
        return (*self.headers, *(("Idempotency-Key",) if self.again else ()))

    @property
    def all_problems(self) -> list[str]:
        """Every kind of problem that it may answer with."""
        return [*dict.fromkeys([*self.problems, *self._implied()])]

    def _implied(self) -> Iterable[str]:
        if self.roles is not None:
            yield from ("unauthenticated", "forbidden")
        if self.query or self.all_headers or self.body:
            yield "bad-request"
        if self.again:
            yield "key-reused"
        if self.body:
            yield from ("too-large", "not-json", "invalid")
        if "{" in self.path:
            yield "not-found"
        yield from ("rate-limited", "internal", "unavailable")


def _rule(part: str) -> str:
    if not part.startswith("{"):
        return part
    name = part.strip("{}")
    return f"<uuid:{name}>" if name.endswith("_id") and name != "user_id" else f"<{name}>"

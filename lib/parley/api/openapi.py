"""
OpenAPI 3.1 of the API, from the same routes and models that serve and validate it.

    python -m parley.api.openapi            compare with the checked-in one
    python -m parley.api.openapi --write    write it anew
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from parley.api import answers, answers_staff
from parley.api.about import DESCRIPTION
from parley.api.problems import TITLES
from parley.api.route import Route
from parley.api.routes import ROUTES
from parley.domain.events import CHANNEL
from parley.domain.keys import Scope

_TAG = '^"v[0-9]{1,18}"$'
HEADERS: dict[str, dict[str, Any]] = {
    "Prefer": {
        "schema": {"type": "string", "examples": ["respond-async", "wait=5"]},
        "description": "RFC 7240: `respond-async`, or `wait=N` in seconds, at most 25.",
    },
    "Idempotency-Key": {
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": '^"?[!#-~]{1,253}"?$'},
        "description": "The same key with the same body is the same request, for seven days.",
    },
    "If-Match": {
        "schema": {"type": "string", "pattern": _TAG},
        "description": "The ETag of the version that was read, or `*`.",
    },
    "If-None-Match": {"schema": {"type": "string"}, "description": "The ETag that is known already."},
    "Last-Event-ID": {
        "schema": {"type": "integer", "minimum": 0, "maximum": 2147483647},
        "description": "Resume behind this event.",
    },
    "Parley-User": {
        "schema": {"type": "string", "format": "email"},
        "description": "For whom a service acts; its key must have the role `service`.",
    },
    "traceparent": {"schema": {"type": "string"}, "description": "W3C Trace Context."},
    "tracestate": {"schema": {"type": "string"}, "description": "W3C Trace Context: what vendors add to it."},
}
_ANSWER_HEADERS = {
    "Location": "Where it is.",
    "Content-Location": "Where its result is.",
    "ETag": "Its version.",
    "Retry-After": "Seconds after which asking again makes sense.",
    "Preference-Applied": "Which preference was followed.",
    "Link": "The next page, when there is one.",
    "RateLimit": "What is left of the limit.",
    "RateLimit-Policy": "The limit.",
    "X-Request-Id": "The id of this call.",
}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "user_id": {"anyOf": [{"const": "me"}, {"type": "string", "format": "uuid"}]},
    "channel": {"type": "string", "pattern": CHANNEL},
    "prefix": {"type": "string", "pattern": "^[A-Za-z0-9]{8}$"},
    "token": {"type": "string", "minLength": 1, "maxLength": 200},
}
# Which answers name something new: the parameter that it is elsewhere, and where it stands.
_MADE = {
    "RequestStatus": ("request_id", "request_id"),
    "RequestResult": ("request_id", "request_id"),
    "Session": ("session_id", "session_id"),
    "NewSession": ("session_id", "session_id"),
    "Escalation": ("escalation_id", "id"),
    "NewKey": ("prefix", "prefix"),
}
_REF = "#/components/schemas/{model}"


def document(routes: Iterable[Route] = ROUTES) -> dict[str, Any]:
    """Make the description of these routes."""
    routes = tuple(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, routes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parley", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "responses": _problems(),
            "headers": _headers(),
            "links": _links(routes),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": _KEYS}},
        },
    }


def text(routes: Iterable[Route] = ROUTES) -> str:
    """Give the description as it is checked in."""
    return json.dumps(document(routes), indent=1, ensure_ascii=False) + "\n"


def _operation(route: Route, routes: Sequence[Route]) -> dict[str, Any]:
    summary, _, more = (route.view.__doc__ or "").strip().partition("\n")
    found: dict[str, Any] = {
        "operationId": _name(route),
        "tags": [route.tag],
        "summary": summary.strip().rstrip("."),
        "description": " ".join(more.split()) or summary.strip(),
        "parameters": [*_in_path(route), *_in_query(route), *_in_headers(route)],
        "responses": _responses(route, routes),
        "security": [] if route.roles is None else [{"bearer": []}],
    }
    if route.roles is not None:
        found["x-roles"] = sorted(route.roles)
        found["x-scope"] = route.scope or None
    if route.body:
        schema = {"$ref": _REF.format(model=route.body.__name__)}
        found["requestBody"] = {
            "required": not route.body_is_optional,
            "content": {"application/json": {"schema": schema}},
        }
    return found


def _in_path(route: Route) -> list[dict[str, Any]]:
    names = [part.strip("{}") for part in route.path.split("/") if part.startswith("{")]
    uuid = {"type": "string", "format": "uuid"}
    return [{"name": name, "in": "path", "required": True, "schema": _PARAMETERS.get(name, uuid)} for name in names]


def _in_query(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    properties = route.query.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            **({"description": schema["description"]} if "description" in schema else {}),
            "schema": {
                key: value for key, value in _without_null(schema).items() if key not in ("title", "description")
            },
        }
        for name, schema in properties.items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is left out is null; none is ever sent as null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    return {**rest, **kinds[0]} if len(kinds) == 1 else rest


def _in_headers(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name.rstrip("!"), "in": "header", "required": name.endswith("!"), **HEADERS[name.rstrip("!")]}
        for name in route.all_headers
    ]


def _responses(route: Route, routes: Sequence[Route]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, answer in route.answers.items():
        named = _SENT.get(status, ()) if route.roles is not None else ()
        named = (*named, "Link") if answer and answer.endswith("Page") else named
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *named)}
        found[str(status)] = {"description": _SAID[status], **_content(answer), "headers": headers}
        if route.method == "POST" and (made := _MADE.get(answer or "")):
            found[str(status)]["links"] = {
                name: {"$ref": f"#/components/links/{name}"} for name in _links(routes) if name.endswith(f"_{made[0]}")
            }
    for status in sorted({TITLES[kind][0] for kind in route.all_problems}):
        found[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    return found


def _links(routes: Sequence[Route]) -> dict[str, Any]:
    """What can be done with what was made: for each id, every operation that takes it alone."""
    found: dict[str, Any] = {}
    for name, pointer in sorted(set(_MADE.values())):
        for route in routes:
            if route.path.count("{") == 1 and f"{{{name}}}" in route.path:
                operation = _name(route)
                parameters = {name: f"$response.body#/{pointer}"}
                found[f"{operation}_{name}"] = {"operationId": operation, "parameters": parameters}
    return found


def _name(route: Route) -> str:
    return route.name or route.view.__name__.strip("_")


def _problems() -> dict[str, Any]:
    """One answer for each status, which tells every kind of problem that has it."""
    kinds: dict[int, list[str]] = {}
    for status, said in TITLES.values():
        kinds.setdefault(status, []).append(said)
    problem = {"application/problem+json": {"schema": {"$ref": _REF.format(model="ProblemDetails")}}}
    return {
        f"Problem{status}": {"description": " ".join(said), "content": problem}
        for status, said in sorted(kinds.items())
    }


def _headers() -> dict[str, Any]:
    return {name: {"schema": {"type": "string"}, "description": said} for name, said in _ANSWER_HEADERS.items()}


def _content(answer: str | None) -> dict[str, Any]:
    if answer is None:
        return {}
    if "/" in answer:
        schema = {"schema": {"type": "string"}} if answer == "text/html" else {}
        return {"content": {answer: schema}}
    return {"content": {"application/json": {"schema": {"$ref": _REF.format(model=answer)}}}}


def model(name: str) -> type[BaseModel]:
    """Give the model of an answer. Raises KeyError when there is none."""
    found: type[BaseModel] = {**vars(answers), **vars(answers_staff)}[name]
    return found


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    taken = {route.body for route in routes if route.body}
    named = {name for route in routes for name in route.answers.values() if name and "/" not in name}
    given: set[type[BaseModel]] = {model(name) for name in {*named, "ProblemDetails"}}
    wanted = [
        *((model, "validation") for model in sorted(taken, key=lambda one: one.__name__)),
        *((model, "serialization") for model in sorted(given, key=lambda one: one.__name__)),
    ]
    _, schema = models_json_schema(wanted, ref_template=_REF)  # type: ignore[arg-type]  # pairs are what it wants
    definitions: dict[str, Any] = schema["$defs"]
    return dict(sorted(definitions.items()))


_SAID = {
    200: "Here it is.",
    201: "Made.",
    202: "Taken; it goes on.",
    204: "Done; there is nothing to say.",
    302: "It goes on elsewhere.",
    304: "Nothing has changed.",
}
_SENT = {
    200: ("ETag", "RateLimit"),
    201: ("Location", "ETag", "RateLimit"),
    202: ("Location", "Retry-After", "Preference-Applied", "RateLimit"),
    204: ("RateLimit",),
    302: ("Location",),
    304: ("ETag", "RateLimit"),
}
_SCOPES = ", ".join(get_args(Scope))
_KEYS = f"An API key (`pk_…`) or a JSON Web Token of the configured OpenID provider. Scopes: {_SCOPES}"
_ABOUT = (
    "Ask, wait or come back, follow, be told. A slow answer is a 202 and never an error; the same Idempotency-Key is"
    " asked once; errors are RFC 9457 problems; what is not yours looks like what does not exist."
)


def main(arguments: list[str]) -> int:
    """Run the command line. Returns the exit status."""
    current = text()
    if arguments == ["--write"]:
        DESCRIPTION.write_text(current, encoding="utf-8")
        return 0
    if current == DESCRIPTION.read_text(encoding="utf-8"):
        return 0
    print("openapi.json is not what the routes say: `make openapi` writes it anew", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

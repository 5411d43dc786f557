"""Cross-origin calls: closed, unless origins are configured one by one. Never with a cookie, never for everybody."""

from urllib.parse import urlsplit

import flask
from werkzeug.wrappers import Response

from parley.errors import Misconfigured

METHODS = "GET, POST, PUT, PATCH, DELETE"
HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Parley-User, Prefer, "
    "traceparent, tracestate, X-Request-Id"
)
EXPOSED = (
    "Content-Location, ETag, Idempotency-Replayed, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, "
    "Retry-After, X-Request-Id"
)


def checked(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Give origins that are such. Raises Misconfigured: `*` would open the API to every page."""
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
            raise Misconfigured("CORS_ORIGINS: each is like https://app.example.org, without a path; * is refused")
    return origins


def add(app: flask.Flask, origins: tuple[str, ...]) -> None:
    """Answer preflights of these origins, and let their pages read what the API answers."""
    allowed = frozenset(checked(origins))
    if not allowed:
        return

    def preflight() -> Response | None:
        request = flask.request
        if request.method != "OPTIONS" or request.headers.get("Origin") not in allowed:
            return None
        headers = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": HEADERS}
        return Response(status=204, headers={**headers, "Access-Control-Max-Age": "600"})

    def opened(response: Response) -> Response:
        response.vary.add("Origin")
        if (origin := flask.request.headers.get("Origin")) in allowed:
            response.headers["Access-Control-Allow-Origin"] = str(origin)
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response

    app.before_request(preflight)
    app.after_request(opened)

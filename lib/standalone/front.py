"""
The one door of the single process: paths to functions.

    /slack/install, /slack/oauth_redirect   request-api
    /slack/…            slack-ingest
    /, /chat, /console, /sign-in, /page/…   request-api: the page
    /api/…, /openapi…, /r/…   request-api
    /functions/NAME/…   any function, as the broker would call it (for `func invoke` and `kn event`)
    /NS/BROKER, /-/broker, POST /   the local broker
    /health/…           of the whole

Where others than this machine can reach the door, only /slack, the page, /api and /health are open: they ask for a
signature, a sign-in or a key, and an event for none of them. What is this machine's alone is so for its browsers, too.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from parley.errors import Unavailable
from parley.runtime import Function
from standalone.ingress import is_meant

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

_PREFIXES = {
    "/slack/install": "request-api",
    "/slack/oauth_redirect": "request-api",
    "/slack": "slack-ingest",
    "/api": "request-api",
    "/openapi": "request-api",
    "/r/": "request-api",
    "/page/": "request-api",
    "/chat": "request-api",
    "/console": "request-api",
    "/sign-in": "request-api",
}
_NOTHING = '{"status":404,"title":"Not Found","type":"urn:parley:problem:not-found"}'
_DOOR = "/"  # the page, for browsers; events are posted there


class Front:
    """A WSGI app over the functions' apps and the broker's."""

    def __init__(
        self,
        apps: Mapping[str, Wsgi],
        functions: Mapping[str, Function],
        ingress: Wsgi,
        *,
        is_public: bool = False,
    ) -> None:
        self._apps = apps
        self._functions = functions
        self._ingress = ingress
        self._is_public = is_public

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for prefix, name in _PREFIXES.items():
            if path.startswith(prefix) and name in self._apps:
                return self._apps[name](environ, start_response)
        if path.startswith("/health/"):
            return self._health(path, start_response)
        if path == _DOOR and environ["REQUEST_METHOD"] in ("GET", "HEAD") and "request-api" in self._apps:
            return self._apps["request-api"](environ, start_response)
        return self._own(path, environ, start_response)

    def _own(self, path: str, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer what is this machine's alone."""
        if self._is_public:
            return _text(start_response, "404 Not Found", _NOTHING, "application/problem+json")
        if not is_meant(environ):
            return _text(start_response, "421 Misdirected Request", "this is for its own machine")
        if path.startswith("/functions/"):
            return self._function(environ, start_response)
        return self._ingress(environ, start_response)

    def _function(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        name, _, rest = environ["PATH_INFO"].removeprefix("/functions/").partition("/")
        if name not in self._apps:
            return _text(start_response, "404 Not Found", "no such function")
        inner = {**environ, "SCRIPT_NAME": f"/functions/{name}", "PATH_INFO": f"/{rest}"}
        return self._apps[name](inner, start_response)

    def _health(self, path: str, start_response: Any) -> Iterable[bytes]:
        if path == "/health/liveness":
            return _text(start_response, "200 OK", "OK")
        reason = self.not_ready()
        return _text(start_response, "503 Service Unavailable" if reason else "200 OK", reason or "OK")

    def not_ready(self) -> str | None:
        """Name the first function that cannot work, and why."""
        for name, function in self._functions.items():
            try:
                function.ready()
            except Unavailable as error:
                return f"{name}: {error}"
        return None


def _text(start_response: Any, status: str, text: str, kind: str = "text/plain; charset=utf-8") -> list[bytes]:
    body = text.encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]

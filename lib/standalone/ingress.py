"""
The broker's door: `POST /<namespace>/<broker>`, and what the broker has done at `GET /-/broker`.

202 accepted (queued, and stored where that is promised), 400 no event, 404 no such broker, 405 not a POST, 413 above
1 MiB, 421 meant for another host, 503 could not be stored. `POST /` is the same door: the address of the function that
hosts everything.

It is this machine's alone: a page of a browser whose name was made to lead here (DNS rebinding) calls it by that name.
"""

import ipaddress
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from werkzeug import Request, Response

from parley import envelope
from parley.errors import Rejected, Unavailable
from standalone.broker import Broker
from standalone.rules import MAX_BYTES

log = logging.getLogger("standalone.ingress")

STATS = "/-/broker"
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def ingress_app(broker: Broker) -> Wsgi:
    """Give the WSGI app of a broker."""
    doors = {"/", f"/{broker.wiring.namespace}/{broker.wiring.broker}"}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer = _answer(broker, doors, Request(environ)) if is_meant(environ) else Response(status=421)
        return answer(environ, start_response)

    return app


def is_meant(environ: Mapping[str, Any]) -> bool:
    """Whether a call is meant for this machine: by name or by a number of its own."""
    try:
        name = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _answer(broker: Broker, doors: set[str], request: Request) -> Response:
    if request.path == STATS:
        return _stats(broker, request)
    if request.path not in doors:
        return Response(status=404)
    if request.method != "POST":
        return Response(status=405, headers={"Allow": "POST"})
    if (request.content_length or 0) > MAX_BYTES:
        return Response(status=413)
    body = request.stream.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        return Response(status=413)
    return _accept(broker, request, body)


def _accept(broker: Broker, request: Request, body: bytes) -> Response:
    try:
        broker.accept(envelope.parse(dict(request.headers), body))
    except Rejected as error:
        # The text is our own and holds no value of the event.
        log.warning("no event", exc_info=error)
        return Response(status=400, headers={"kne-reason": str(error).encode("ascii", "replace").decode()[:200]})
    except Unavailable as error:
        log.warning("not accepted", exc_info=error)
        return Response(status=503)
    return Response(status=202)


def _stats(broker: Broker, request: Request) -> Response:
    if request.method not in {"GET", "HEAD"}:
        return Response(status=405, headers={"Allow": "GET, HEAD"})
    return Response(json.dumps(broker.stats()), content_type="application/json")

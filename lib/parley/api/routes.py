"""
request-api: every route of every resource on one Flask app, with what all of them share.

For each call: who is it, may they, are they within their limit, is what they sent valid; then the view, within what
PostgreSQL lets this caller see; then the headers that every answer has. A resource is a module with `ROUTES`.
"""

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

import flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.wrappers import Response

from parley import envelope, logs
from parley.adapters.postgres.api import Keys, Limits
from parley.adapters.postgres.database import Database, seeing
from parley.adapters.postgres.users import Users
from parley.api import (
    about,
    admin,
    asking,
    bodies,
    circuits,
    console,
    cookies,
    cors,
    deliveries,
    explaining,
    integrations,
    keyring,
    links,
    notifications,
    once,
    pages,
    people,
    quiet,
    requests,
    sessions,
    sign_in,
    sign_in_oidc,
    slack_install,
    streams,
    webhooks,
)
from parley.api.auth import Door, Doorkeeper, Tokens
from parley.api.desk import Desk, Rules, Store
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.api.strangers import Strangers
from parley.domain.keys import NAMED, Principal
from parley.errors import Misconfigured, Rejected, Unavailable
from parley.ports import Publisher
from parley.recovery import Standby

log = logging.getLogger("parley.api")

BODY = 64 << 10  # bytes

RESOURCES = (
    asking, requests, streams, links, sessions, deliveries, explaining, integrations, webhooks, quiet, circuits, people,
    keyring, admin, about, slack_install, sign_in, sign_in_oidc, pages, console,
)  # fmt: skip
ROUTES: tuple[Route, ...] = tuple(route for resource in RESOURCES for route in resource.ROUTES)


class Api:
    """The handler of request-api."""

    def __init__(
        self,
        database: Database,
        store: Store,
        publisher: Publisher,
        rules: Rules,
        *,
        limits: Limits | None = None,
        strangers: Strangers | None = None,
        tokens: Tokens | None = None,
        doors: Iterable[Door] = (),
        standby: Standby | None = None,
        routes: Iterable[Route] = ROUTES,
    ) -> None:
        self.desk = Desk(database, store, publisher, rules)
        all_doors = (*doors, cookies.door(self.desk.sign_ins))
        self._doorkeeper = Doorkeeper(Keys(database), Users(database), tokens=tokens, doors=all_doors)
        self._limits = limits
        self._strangers = strangers
        self._standby = standby
        self._routes = tuple(routes)
        self.ready = self.desk.views.ready

    def __call__(self, request: flask.Request) -> Any:
        """Answer at `/`: the page on which people ask, and nothing for others."""
        try:
            self._stranger()
        except Problem as problem:
            return _problem(problem)
        if request.method not in ("GET", "HEAD"):
            return _problem(Problem("not-found"))
        return _response(pages.document("chat.html"))

    def close(self) -> None:
        """Give back connections."""
        if self._standby:
            self._standby.close()
        self.desk.database.close()

    def routes(self, app: flask.Flask) -> None:
        """Add every path of the API."""
        app.config["MAX_CONTENT_LENGTH"] = BODY
        app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
        app.register_error_handler(Problem, _problem)
        app.register_error_handler(Unavailable, _unavailable)
        app.register_error_handler(HTTPException, _http)
        app.register_error_handler(Exception, _bug)
        for route in self._routes:
            app.add_url_rule(
                route.rule, f"{route.method} {route.path}", self._guarded(route), methods=[route.method],
                provide_automatic_options=False,
            )  # fmt: skip
        if notices := self.desk.rules.notices:
            app.add_url_rule(
                notifications.PATH, notifications.PATH, notifications.view(notices, self._strangers), methods=["POST"]
            )
        app.after_request(_finished)
        cors.add(app, self.desk.rules.origins)

    def _guarded(self, route: Route) -> Callable[..., Response]:
        def view(**path: Any) -> Response:
            with logs.bound(function="request-api", route=route.path):
                answer = _response(self._answer(route, path))
                log.info("handled", extra={"fields": {"status": answer.status_code}})
                if self._standby and route.roles is not None:
                    self._standby.look()
                return answer

        return view

    def _answer(self, route: Route, path: dict[str, Any]) -> Answer:
        who = None
        if route.roles is None:
            self._stranger()
        else:
            who = self._admitted(route)
        if "channel" in path and path["channel"] not in self.desk.defaults().channels:
            raise Problem("not-found")
        query, body = _query(route), _body(route)
        if who and (named := getattr(body, "user", None)):
            who = self._doorkeeper.acting_for(who, named.email)
        request = flask.request
        gone = request.environ.get("waitress.client_disconnected", lambda: False)
        call = Call(who, path, query, body, request.headers, request.path, gone)
        with seeing(_wall(who)):
            answer = once.answered(self.desk, route, call)
        if who and who.actor_id and (route.scope in NAMED or route.method != "GET") and route.tag != "asking":
            self.desk.audit(who, f"for somebody: {route.method} {route.path}"[:200], f"user {who.user_id}")
        return answer

    def _admitted(self, route: Route) -> Principal:
        """Give who calls, when they may call this, and not too often. Raises Problem."""
        try:
            who = self._doorkeeper.principal(flask.request)
        except Problem:
            self._stranger()
            raise
        if self._limits:
            self._count(self._limits, *self._limits.take(f"user:{who.caller}"))
        if route.roles is not None and who.role not in route.roles:
            raise Problem("forbidden")
        if not who.may(route.scope):
            raise Problem("forbidden", detail=f"This key lacks the scope {route.scope}.")
        named = flask.request.headers.get("Parley-User")
        if named is None:
            return who
        if who.scopes is None and route.scope in NAMED:
            raise Problem("forbidden", detail=f"To do that for somebody else, a key needs the scope {route.scope}.")
        return self._doorkeeper.acting_for(who, bodies.address(named))  # last: it makes a user whom nobody knew

    def _stranger(self) -> None:
        """Count a call of somebody whom nobody knows. Raises Problem."""
        if self._strangers and (taken := self._strangers.take(flask.request)):
            self._count(self._strangers, *taken)

    def _count(self, limits: Limits | Strangers, allowed: bool, left: float) -> None:
        """Tell what is left of the caller's bucket in the fields of the IETF's RateLimit draft. Raises Problem."""
        rate = limits.per_minute / 60
        refill = int((1 if not allowed else limits.burst) / rate - max(left, 0) / rate) + 1
        window = max(round(limits.burst / rate), 1)
        flask.g.limits = {
            "RateLimit-Policy": f'"calls";q={limits.burst};w={window}',
            "RateLimit": f'"calls";r={int(max(left, 0))};t={refill}',
        }
        if not allowed:
            raise Problem("rate-limited", headers={"Retry-After": str(refill)})


def most_waiters(threads: int) -> int:
    """How many may wait at once: the other threads stay free for health checks and everybody else."""
    if threads < 4:
        raise Misconfigured("THREADS: at least 4, so that health checks find one while callers wait")
    return threads - max(3, min(threads // 8, 16))


def _wall(who: Principal | None) -> tuple[Any, ...] | None:
    """Whose rows PostgreSQL shows: staff's own code decides; a public link's is in its signature."""
    if who is None or who.role in ("support", "admin"):
        return None
    return who.people


def _query(route: Route) -> Any:
    if route.query is None:
        return None
    given = flask.request.args
    if twice := next((name for name in given if len(given.getlist(name)) > 1), None):
        raise Problem("bad-request", errors=[{"parameter": twice[:80], "detail": "given twice"}])
    return bodies.parameters(route.query, given.to_dict())


def _body(route: Route) -> Any:
    request = flask.request
    if route.body is None or (route.body_is_optional and not request.content_length):
        return None
    if request.mimetype != "application/json":
        raise Problem("not-json")
    try:
        return bodies.validated(route.body, envelope.loads(request.get_data()))
    except Rejected:
        raise Problem("bad-request", detail="The body is not JSON in UTF-8.") from None


def _response(answer: Answer) -> Response:
    body = answer.body
    if body is None:
        return Response(status=answer.status, headers=answer.headers)
    if answer.media == "application/json" and not isinstance(body, bytes):
        body = envelope.dumps(body)
    return Response(body, answer.status, answer.headers, content_type=answer.media)


def _finished(response: Response) -> Response:
    """Add what every answer has."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Request-Id"] = _call_id()
    response.headers.extend(flask.g.get("limits", {}))
    return response


def _call_id() -> str:
    """Give the id of this call: the caller's, else a new one."""
    asked = flask.request.headers.get("X-Request-Id", "")[:200]
    made: str = flask.g.setdefault("call_id", asked if asked.isprintable() and asked else os.urandom(16).hex())
    return made


def _problem(problem: Problem) -> Response:
    body = {**problem.body(), "request_id": _call_id()}
    return Response(envelope.dumps(body), problem.status, problem.headers, content_type="application/problem+json")


def _unavailable(error: Unavailable) -> Response:
    log.warning("unavailable", exc_info=error)
    return _problem(Problem("unavailable", headers={"Retry-After": "2"}))


def _http(error: HTTPException) -> Response:
    kind = {NotFound: "not-found", MethodNotAllowed: "method-not-allowed", RequestEntityTooLarge: "too-large"}
    headers = {"Allow": ", ".join(sorted(error.valid_methods or ()))} if isinstance(error, MethodNotAllowed) else {}
    return _problem(Problem(kind.get(type(error), "bad-request"), headers=headers))


def _bug(error: Exception) -> Response:
    log.error("bug", exc_info=error)
    return _problem(Problem("internal"))

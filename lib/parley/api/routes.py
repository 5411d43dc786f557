"""The routes of request-api: thin views over the store, one place that decides who may see what."""

import hashlib
import logging
import os
import re
from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

import flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.wrappers import Response

from parley import envelope, intake, logs
from parley.adapters.postgres.api import Keys, Views
from parley.adapters.postgres.users import Users
from parley.api import bodies, views
from parley.api.problems import Problem
from parley.api.waiting import Waiting
from parley.channels import webhook
from parley.domain import ids, turn
from parley.domain.events import Emit
from parley.domain.keys import Principal
from parley.domain.requests import (
    TERMINAL,
    Accepted,
    KeyReused,
    NewRequest,
    NoSuchSession,
    SessionBusy,
    SessionWanted,
)
from parley.errors import Misconfigured, Rejected, Unavailable
from parley.ports import Publisher
from parley.recovery import Standby

log = logging.getLogger("parley.api")

BODY = 64 << 10  # bytes
LONGEST_WAIT = 25.0  # seconds
KINDS = {"": "generic", "/web": "web", "/cli": "cli", "/tool": "tool", "/generic": "generic"}

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?\Z')


class Store(intake.Store, Protocol):
    """Where requests are kept, and cancelled."""

    def cancel(self, request_id: UUID, user_id: UUID, error: dict[str, Any]) -> Emit | None:
        """Cancel a user's request, at once or at its next step; gives the nudge for the one that it held up."""


class Api:
    """The handler of request-api."""

    def __init__(
        self,
        store: Store,
        views_: Views,
        keys: Keys,
        users: Users,
        publisher: Publisher,
        *,
        signing_key: str,
        most_waiters: int,
        leaving: Callable[[], bool] = lambda: False,
        standby: Standby | None = None,
    ) -> None:
        self._store = store
        self._views = views_
        self._keys = keys
        self._users = users
        self._publisher = publisher
        self._signing_key = signing_key
        self._waiting = Waiting(views_.versions, most=most_waiters, leaving=leaving)
        self._standby = standby
        self.ready = views_.ready

    def __call__(self, request: flask.Request) -> Any:
        """Answer at `/`, where nothing is."""
        return _problem(Problem("not-found"), request)

    def close(self) -> None:
        """Give back connections."""
        if self._standby:
            self._standby.close()
        self._store.close()

    def routes(self, app: flask.Flask) -> None:
        """Add every path of the API."""
        app.config["MAX_CONTENT_LENGTH"] = BODY
        app.register_error_handler(Problem, lambda problem: _problem(problem, flask.request))
        app.register_error_handler(Unavailable, _unavailable)
        app.register_error_handler(HTTPException, _http)
        app.register_error_handler(Exception, _bug)
        for alias, kind in KINDS.items():
            self._add(app, "POST", f"/api/v1/requests{alias}", lambda who, kind=kind: self._ask(who, kind))
        self._add(app, "GET", "/api/v1/requests/<uuid:id_>/status", self._status)
        self._add(app, "GET", "/api/v1/requests/<uuid:id_>/result", self._result)
        self._add(app, "POST", "/api/v1/requests/<uuid:id_>/cancel", self._cancel)
        self._add(app, "GET", "/api/v1/users/me/deliveries", self._deliveries)
        self._add(app, "GET", "/api/v1/deliveries/<uuid:id_>", self._delivery)
        self._add(app, "GET", "/api/v1/users/me/integrations", self._integrations)
        self._add(app, "GET", "/api/v1/users/me/integrations/<channel>", self._integration)
        self._add(app, "PUT", "/api/v1/users/me/integrations/<channel>", self._put_integration)
        self._add(app, "DELETE", "/api/v1/users/me/integrations/<channel>", self._delete_integration)

    def _add(self, app: flask.Flask, method: str, path: str, view: Callable[..., Any]) -> None:
        def guarded(**values: Any) -> Any:
            with logs.bound(function="request-api", route=path):
                answer = flask.make_response(view(self._principal(), **values))
                answer.headers.setdefault("Cache-Control", "no-store")
                if asked := flask.request.headers.get("X-Request-Id"):
                    answer.headers["X-Request-Id"] = asked[:200]
                log.info("handled", extra={"fields": {"status": answer.status_code}})
                if self._standby:
                    self._standby.look()
                return answer

        app.add_url_rule(path, f"{method} {path}", guarded, methods=[method])

    def _ask(self, who: Principal, kind: str) -> Any:
        ask = bodies.validated(bodies.Ask, _json())
        accepted = self._accept(who, kind, ask)
        logs.bind(request_id=accepted.request_id, session_id=accepted.session_id)
        is_over = accepted.state in TERMINAL
        if not is_over:
            self._publish(Emit(accepted.created(), cause="accepted", traceparent=_traceparent()))
        asynchronous, seconds = _preference(flask.request.headers.get("Prefer", ""))
        seconds = LONGEST_WAIT if seconds is None else seconds
        if not (is_over or asynchronous):
            is_over = self._waiting.wait(accepted.request_id, lambda _, state: state in TERMINAL, seconds)
        row = self._views.request(accepted.request_id)
        assert row, "it was accepted"
        headers = views.links_headers(row)
        headers["Preference-Applied"] = "respond-async" if asynchronous else f"wait={seconds:g}"
        if accepted.replayed:
            headers["Idempotency-Replayed"] = "true"
        if row["state"] in TERMINAL:
            return views.result(row), 200, headers
        return views.status(row), 202, {**headers, "Retry-After": "1"}

    def _accept(self, who: Principal, kind: str, ask: bodies.Ask) -> Accepted:
        key = _idempotency_key(required=kind == "tool")
        new = NewRequest(
            id=ids.new(),
            user_id=self._for_whom(who, ask),
            session=SessionWanted(id=ask.session_id),
            source=kind,  # type: ignore[arg-type]  # KINDS are sources
            content=ask.content,
            principal=f"user:{who.user_id}",
            route="requests",
            key=key,
            fingerprint=_fingerprint(kind, ask),
            context=ask.context,
            delivery=ask.delivery.model_dump(mode="json") if ask.delivery else None,
            traceparent=_traceparent(),
            asked_by=who.user_id if ask.user else None,
            unless_busy=ask.on_busy == "reject",
        )
        try:
            return self._store.accept(new)
        except KeyReused:
            raise Problem("key-reused") from None
        except NoSuchSession:
            raise Problem("not-found", detail="There is no such session, or it is not yours.") from None
        except SessionBusy:
            raise Problem("busy") from None

    def _for_whom(self, who: Principal, ask: bodies.Ask) -> UUID:
        if ask.user is None:
            return who.user_id
        if who.role != "service":
            raise Problem("forbidden", detail="Only a service key may ask for somebody else.")
        email = ask.user.email.lower()
        known = self._users.known("email", email)
        return known or self._users.meet("email", email, email=email, name="", timezone=None)

    def _publish(self, nudge: Emit) -> None:
        """Publish after the commit; when that fails, the sweep finds the row."""
        try:
            self._publisher.publish(nudge)
        except (Unavailable, Rejected):
            log.warning("nudge not published", exc_info=True)

    def _status(self, who: Principal, id_: UUID) -> Any:
        row = self._own(who, self._views.request(id_))
        _, seconds = _preference(flask.request.headers.get("Prefer", ""))
        applied = {} if seconds is None else {"Preference-Applied": f"wait={seconds:g}"}
        if flask.request.if_none_match.contains_weak(views.etag(row).strip('"')):
            version = row["version"]
            if not seconds or not self._waiting.wait(id_, lambda now, _: now != version, seconds):
                return "", 304, {"ETag": views.etag(row), **applied}
            row = self._own(who, self._views.request(id_))
        return views.status(row), 200, {"ETag": views.etag(row), **applied}

    def _result(self, who: Principal, id_: UUID) -> Any:
        return _outcome(self._own(who, self._views.request(id_)))

    def _cancel(self, who: Principal, id_: UUID) -> Any:
        logs.bind(request_id=id_)
        row = self._own(who, self._views.request(id_))
        if row["state"] not in TERMINAL:
            _, kind, title = turn.ENDINGS["cancelled"]
            if nudge := self._store.cancel(id_, row["user_id"], {"type": kind, "title": title}):
                self._publish(nudge)
            row = self._own(who, self._views.request(id_))
        return _outcome(row)

    def _deliveries(self, who: Principal) -> Any:
        limit = flask.request.args.get("limit", "50")
        if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= 100):
            raise Problem("bad-request", detail="limit is a number from 1 to 100.")
        return {"items": [views.plain(row) for row in self._views.deliveries(who.user_id, int(limit))]}

    def _delivery(self, who: Principal, id_: UUID) -> Any:
        return views.plain(self._own(who, self._views.delivery(id_)))

    def _integrations(self, who: Principal) -> Any:
        return {"items": [views.plain(row) for row in self._views.integrations(who.user_id)]}

    def _integration(self, who: Principal, channel: str) -> Any:
        for row in self._views.integrations(who.user_id):
            if row["channel"] == channel:
                return views.plain(row)
        raise Problem("not-found")

    def _put_integration(self, who: Principal, channel: str) -> Any:
        if channel not in bodies.CONFIGS:
            raise Problem("not-found")
        wanted = bodies.validated(bodies.Integration, _json())
        values = {"enabled": wanted.enabled, "rank": wanted.rank, "config": bodies.config(channel, wanted)}
        row = self._views.put_integration(who.user_id, channel, values)
        is_new = row.pop("is_new")
        shown = views.plain(row)
        if is_new and channel == "webhook":
            shown["secret"] = webhook.secret(self._signing_key, str(row["id"]))
        return shown, 201 if is_new else 200

    def _delete_integration(self, who: Principal, channel: str) -> Any:
        if channel not in bodies.CONFIGS or not self._views.delete_integration(who.user_id, channel):
            raise Problem("not-found")
        return "", 204

    def _principal(self) -> Principal:
        scheme, _, key = flask.request.headers.get("Authorization", "").partition(" ")
        found = self._keys.principal(key.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise Problem("unauthenticated", headers={"WWW-Authenticate": 'Bearer realm="parley"'})
        return found

    def _own(self, who: Principal, row: dict[str, Any] | None) -> dict[str, Any]:
        """Give what is the caller's own, or was asked by it; what is not looks like what does not exist."""
        if row is None or who.user_id not in (row["user_id"], row.get("asked_by")):
            raise Problem("not-found")
        return row


def most_waiters(threads: int) -> int:
    """How many may wait at once: three threads stay free for health checks and everybody else."""
    if threads < 4:
        raise Misconfigured("THREADS: at least 4, so that health checks find one while callers wait")
    return threads - 3


def _outcome(row: dict[str, Any]) -> Any:
    if row["state"] in TERMINAL:
        return views.result(row), 200, {"ETag": views.etag(row)}
    return views.status(row), 202, {"Retry-After": "1"}


def _fingerprint(kind: str, ask: bodies.Ask) -> str:
    """Say what is asked, not how: `on_busy` may change from one attempt to the next."""
    return hashlib.sha256(envelope.dumps([kind, ask.model_dump(mode="json", exclude={"on_busy"})])).hexdigest()


def _json() -> Any:
    request = flask.request
    if request.mimetype != "application/json":
        raise Problem("not-json")
    try:
        return envelope.loads(request.get_data())
    except Rejected:
        raise Problem("bad-request", detail="The body is not JSON in UTF-8.") from None


def _preference(text: str) -> tuple[bool, float | None]:
    """Read `Prefer` (RFC 7240): whether to answer at once, and how many seconds to wait, if that was said."""
    parts = [part.split(";")[0].strip().lower() for part in text.split(",")]
    waits = [part[5:].strip('"') for part in parts if part.startswith("wait=")]
    if not (waits and waits[0].isascii() and waits[0].isdigit()):
        return "respond-async" in parts, None
    return "respond-async" in parts, min(float(waits[0]), LONGEST_WAIT)


def _idempotency_key(*, required: bool) -> str | None:
    text = flask.request.headers.get("Idempotency-Key")
    if text is None:
        if required:
            raise Problem("key-required")
        return None
    match = _KEY.match(text)
    if match is None:
        raise Problem("bad-request", detail="An Idempotency-Key has 1 to 255 printable ASCII characters.")
    return match[1]


def _traceparent() -> str:
    """Take the caller's trace, else begin one; the same for the whole request."""
    given = flask.request.headers.get("traceparent", "")
    if _TRACEPARENT.match(given):
        return given
    made: str = flask.g.setdefault("traceparent", f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01")
    return made


def _problem(problem: Problem, request: flask.Request) -> Response:
    body = problem.body()
    headers = {**problem.headers, "Cache-Control": "no-store"}
    if asked := request.headers.get("X-Request-Id"):
        body["request_id"] = headers["X-Request-Id"] = asked[:200]
    return Response(envelope.dumps(body), problem.status, headers, content_type="application/problem+json")


def _unavailable(error: Unavailable) -> Response:
    log.warning("unavailable", exc_info=error)
    return _problem(Problem("unavailable", headers={"Retry-After": "2"}), flask.request)


def _http(error: HTTPException) -> Response:
    kind = {NotFound: "not-found", MethodNotAllowed: "method-not-allowed", RequestEntityTooLarge: "too-large"}
    headers = {"Allow": ", ".join(error.valid_methods or ())} if isinstance(error, MethodNotAllowed) else {}
    return _problem(Problem(kind.get(type(error), "bad-request"), headers=headers), flask.request)


def _bug(error: Exception) -> Response:
    log.error("bug", exc_info=error)
    return _problem(Problem("internal"), flask.request)

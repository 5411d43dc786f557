"""Asking: store the question once, nudge, and wait as long as the caller wishes."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from parley import envelope, logs
from parley.api import bodies, views
from parley.api.desk import Desk
from parley.api.preferences import LONGEST_WAIT, idempotency_key, preference, trace
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route, View
from parley.domain import ids
from parley.domain.budget import ANY
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
    Source,
)

_HOW = """
The call waits for the answer, up to 25 s, or as long as `Prefer: wait=N` says; an answer that takes longer is no error
but a 202 with links. `Prefer: respond-async` does not wait at all. The same `Idempotency-Key` with the same body is
asked once, however often it is sent.
"""


def _asking(kind: Source, what: str) -> View:
    def view(desk: Desk, call: Call) -> Answer:
        return _ask(desk, call, kind)

    view.__doc__ = f"{what}\n{_HOW}"
    return view


def _ask(desk: Desk, call: Call, kind: Source) -> Answer:
    accepted = _accept(desk, call.principal, kind, call)
    logs.bind(request_id=accepted.request_id, session_id=accepted.session_id)
    is_over = accepted.state in TERMINAL
    if not is_over:
        desk.publish(Emit(accepted.created(), cause="accepted", traceparent=trace(call.headers)))
    asynchronous, seconds = preference(call.headers.get("Prefer", ""))
    seconds = LONGEST_WAIT if seconds is None else seconds
    if not (is_over or asynchronous):
        desk.waiting.wait(accepted.request_id, lambda _, state: state in TERMINAL, seconds, call.gone)
    row = desk.views.request(accepted.request_id)
    if row is None:
        raise Problem("gone", detail="The request was erased meanwhile.")
    headers = views.links_headers(row)
    headers["Preference-Applied"] = "respond-async" if asynchronous else f"wait={seconds:g}"
    if accepted.replayed:
        headers["Idempotency-Replayed"] = "true"
    if row["state"] in TERMINAL:
        return Answer(views.result(row), 200, headers)
    return Answer(views.status(row, desk.actions(row)), 202, {**headers, "Retry-After": "1"})


def _within_budget(desk: Desk, who: Principal) -> None:
    """Raises Problem that says from when the user may ask again."""
    limit = desk.rules.budget
    resets = desk.store.spent(who.user_id, limit) if limit != ANY else None
    if resets:
        seconds = max(1, int((resets - datetime.now(UTC)).total_seconds()))
        raise Problem("budget-spent", f"Ask again from {resets.isoformat()}.", headers={"Retry-After": str(seconds)})


def _known(desk: Desk, channels: Sequence[str]) -> None:
    """Refuse a channel that there is not: its answer would go nowhere. Raises Problem."""
    known = desk.defaults().channels
    wrong = [number for number, channel in enumerate(channels) if channel not in known]
    if wrong:
        said = f"there is no such channel: {', '.join(sorted(known))}"
        raise Problem(
            "invalid", errors=[{"pointer": f"/delivery/channels/{number}", "detail": said} for number in wrong]
        )


def _accept(desk: Desk, who: Principal, kind: Source, call: Call) -> Accepted:
    ask = call.body
    _within_budget(desk, who)
    if ask.delivery and ask.delivery.critical and who.role not in ("service", "admin"):
        raise Problem("forbidden", detail="Only a service or an admin may call an answer critical.")
    if ask.delivery and ask.delivery.channels:
        _known(desk, ask.delivery.channels)
    new = NewRequest(
        id=ids.new(),
        user_id=who.user_id,
        session=SessionWanted(id=ask.session_id),
        source=kind,
        content=ask.content,
        principal=f"user:{who.caller}",
        route="requests",
        key=idempotency_key(call.headers, required=kind == "tool"),
        fingerprint=_fingerprint(kind, who, ask),
        context=ask.facts(),
        delivery=ask.delivery.kept() if ask.delivery else None,
        traceparent=trace(call.headers),
        asked_by=who.actor_id,
        unless_busy=ask.on_busy == "reject",
        coalesce=ask.on_busy == "coalesce",
    )
    try:
        return desk.store.accept(new)
    except KeyReused:
        raise Problem("key-reused") from None
    except NoSuchSession:
        raise Problem("not-found", detail="There is no such session, or it is not yours.") from None
    except SessionBusy:
        raise Problem("busy") from None


def _fingerprint(kind: str, who: Principal, ask: Any) -> str:
    """Say what is asked and for whom, not how: `on_busy` may change from one attempt to the next."""
    asked = ask.model_dump(mode="json", exclude={"on_busy", "user"})
    return hashlib.sha256(envelope.dumps([kind, str(who.user_id), asked])).hexdigest()


def _route(alias: str, kind: Source, body: Any, what: str, *, required: bool = False) -> Route:
    return Route(
        "POST",
        f"/api/v1/requests{alias}",
        _asking(kind, what),
        {200: "RequestResult", 202: "RequestStatus"},
        tag="requests",
        scope="requests:write",
        body=body,
        headers=(
            "Idempotency-Key!" if required else "Idempotency-Key",
            "Prefer",
            "Parley-User",
            "traceparent",
            "tracestate",
        ),
        problems=("not-found", "busy", "key-reused", "gone", *(("key-required",) if required else ())),
        name=f"ask{alias.replace('/', '_')}",
    )


ROUTES = (
    _route("", "generic", bodies.Ask, "Ask a question."),
    _route("/generic", "generic", bodies.Ask, "Ask a question."),
    _route("/web", "web", bodies.AskWeb, "Ask a question from a web page."),
    _route("/cli", "cli", bodies.AskCli, "Ask a question from a terminal."),
    _route("/tool", "tool", bodies.AskTool, "Ask a question as a tool; this needs an Idempotency-Key.", required=True),
)

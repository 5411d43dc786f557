"""Requests: how they stand, what came of them, and what their owners do with them."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from parley import logs
from parley.api import access, bodies, views
from parley.api.desk import Desk
from parley.api.paging import Page, page, place
from parley.api.preferences import preference
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.domain import turn
from parley.domain.keys import STAFF
from parley.domain.requests import TERMINAL

ONE = "/api/v1/requests/{request_id}"


class Wanted(Page):
    """Which requests."""

    session_id: Annotated[UUID | None, Field(description="Only those of this conversation.")] = None
    status: Literal["queued", "running", "requires_action", "completed", "failed", "cancelled"] | None = None
    user_id: Annotated[str | None, Field(max_length=36, description="Whose: `me`, or for staff an id or `all`.")] = None
    results: Annotated[bool, Field(description="Also what came of your own: a conversation by one call.")] = False


def list_(desk: Desk, call: Call) -> Answer:
    """List requests, the newest first."""
    who, wanted = call.principal, call.query
    [before] = place(wanted.cursor, UUID)
    everybody = wanted.user_id == "all"
    if everybody and who.role not in STAFF:
        raise Problem("forbidden", detail="Only staff sees everybody's.")
    user_id = None if everybody else desk.person(who, wanted.user_id or "me", "see")
    chosen = {"session_id": wanted.session_id, "state": wanted.status, "results": wanted.results}
    rows = desk.views.requests(user_id=user_id, before=before, limit=wanted.limit + 1, **chosen)
    own = [row for row in rows if access.is_own(who, row)]
    return page(call, rows, lambda row: views.item(row, readable=row in own), lambda row: (row["id"],))


def status(desk: Desk, call: Call) -> Answer:
    """
    Tell how a request stands.

    `If-None-Match` with `Prefer: wait=N` is a long poll: it is answered when there is a newer version, else with 304.
    """
    who, request_id = call.principal, call.path["request_id"]
    row = desk.request(who, request_id, "see")
    _, seconds = preference(call.headers.get("Prefer", ""))
    applied = {} if seconds is None else {"Preference-Applied": f"wait={seconds:g}"}
    if _is_known(call.headers.get("If-None-Match", ""), views.etag(row)):
        version = row["version"]
        if not seconds or not desk.waiting.wait(request_id, lambda now, _: now != version, seconds, call.gone):
            return Answer(None, 304, {"ETag": views.etag(row), **applied})
        row = desk.request(who, request_id, "see")
    return Answer(views.status(row, desk.actions(row)), 200, {"ETag": views.etag(row), **applied})


def result(desk: Desk, call: Call) -> Answer:
    """Give what came of a request: its result when it is over, 202 and how it stands until then."""
    return _outcome(desk, desk.request(call.principal, call.path["request_id"], "read"))


def cancel(desk: Desk, call: Call) -> Answer:
    """End a request without an answer: at once while it waits, at its next step while it runs."""
    who, request_id = call.principal, call.path["request_id"]
    logs.bind(request_id=request_id)
    row = desk.request(who, request_id, "change")
    if row["state"] not in TERMINAL:
        cancelled(desk, request_id, row["user_id"])
        row = desk.request(who, request_id, "see")
    return _outcome(desk, row)


def cancelled(desk: Desk, request_id: UUID, user_id: UUID) -> None:
    """Cancel a request, and nudge the one that it held up."""
    if nudge := desk.store.cancel(request_id, user_id, turn.CANCELLED):
        desk.publish(nudge)


def erase(desk: Desk, call: Call) -> Answer:
    """Erase what was said in a request, for good; that it was asked, and when, stays in the books."""
    request_id = call.path["request_id"]
    row = desk.request(call.principal, request_id, "change")
    if row["state"] not in TERMINAL:
        raise Problem("conflict", detail="It is still open: cancel it first.")
    with desk.unwalled():
        desk.privacy.erase_request(request_id)
    return Answer(None, 204)


def feedback(desk: Desk, call: Call) -> Answer:
    """Say what you think of an answer; the last word counts."""
    row = desk.request(call.principal, call.path["request_id"], "read")
    if row["state"] not in TERMINAL:
        raise Problem("conflict", detail="There is no answer yet.")
    said = call.body
    desk.views.feedback(row["id"], call.principal.user_id, said.rating, said.reason, said.comment)
    return Answer(None, 204)


def escalate(desk: Desk, call: Call) -> Answer:
    """Hand a question over to people; they see it with its conversation."""
    row = desk.request(call.principal, call.path["request_id"], "change")
    found, due = desk.escalations.open(row, call.body.reason if call.body else None)
    for one in due:
        desk.publish(one.emit(f"escalated {found['id']}", None))
    return Answer(views.owned(found), 202)


def decide(desk: Desk, call: Call) -> Answer:
    """Say yes or no to what a turn wants to do. `digest` is that of the action as it was shown."""
    who, request_id, action_id = call.principal, call.path["request_id"], call.path["action_id"]
    row = desk.request(who, request_id, "read")
    if not access.is_own(who, row):
        raise Problem("forbidden", detail="Only whom it is done for decides.")
    state = "approved" if call.body.decision == "approve" else "denied"
    found = desk.decisions.decide(action_id, row["user_id"], digest=call.body.digest, approve=state == "approved")
    if found is None or found.request_id != request_id:
        raise Problem("not-found")
    if found.state != state:
        raise _undecidable(found.state)
    if found.emit:
        desk.publish(found.emit)
    return Answer({"action_id": str(action_id), "state": state}, 202)


def _undecidable(state: str) -> Problem:
    if state == "open":
        return Problem("conflict", detail="What was shown is not what would be done: read it again.")
    return Problem("gone" if state == "expired" else "conflict", detail=f"It is {state} already.")


def _outcome(desk: Desk, row: dict[str, Any]) -> Answer:
    if row["state"] in TERMINAL:
        return Answer(views.result(row), 200, {"ETag": views.etag(row)})
    return Answer(views.status(row, desk.actions(row)), 202, {"Retry-After": "1"})


def _is_known(header: str, etag: str) -> bool:
    """Whether `If-None-Match` names this version, compared weakly (RFC 9110 §13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or "*" in tags


_READ: dict[str, Any] = {"tag": "requests", "scope": "requests:read"}
_WRITE: dict[str, Any] = {"tag": "requests", "scope": "requests:write"}
_OUTCOME: dict[int, str | None] = {200: "RequestResult", 202: "RequestStatus"}
_GONE = ("gone",)

ROUTES = (
    Route("GET", "/api/v1/requests", list_, {200: "RequestPage"}, **_READ, query=Wanted, problems=("not-found",),
          name="list_requests"),
    Route("GET", f"{ONE}/status", status, {200: "RequestStatus", 304: None}, **_READ,
          headers=("If-None-Match", "Prefer"), problems=_GONE),
    Route("GET", f"{ONE}/result", result, _OUTCOME, **_READ, problems=_GONE),
    Route("POST", f"{ONE}/cancel", cancel, _OUTCOME, **_WRITE, problems=_GONE),
    Route("DELETE", ONE, erase, {204: None}, tag="privacy", scope="data", problems=("conflict", "gone"),
          name="erase_request"),
    Route("POST", f"{ONE}/feedback", feedback, {204: None}, **_WRITE, body=bodies.Feedback,
          problems=("conflict", "gone")),
    Route("POST", f"{ONE}/escalate", escalate, {202: "Escalation"}, **_WRITE, body=bodies.Escalate,
          body_is_optional=True, problems=_GONE),
    Route("POST", f"{ONE}/actions/{{action_id}}", decide, {202: "Decision"}, **_WRITE, body=bodies.Decide,
          problems=("conflict", "gone"), name="decide"),
)  # fmt: skip

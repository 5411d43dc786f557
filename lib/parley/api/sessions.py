"""Sessions: conversations, made, read, changed, begun anew and erased."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from parley.api import bodies, views
from parley.api.desk import Desk
from parley.api.paging import Page, page, place
from parley.api.preferences import version
from parley.api.problems import Problem
from parley.api.requests import cancelled
from parley.api.route import Answer, Call, Route

ONE = "/api/v1/sessions/{session_id}"


class Wanted(Page):
    """Which sessions."""

    status: Literal["open", "closed"] | None = None
    user_id: str = "me"


class Said(Page):
    """Which messages."""

    order: Literal["asc", "desc"] = "asc"


def create(desk: Desk, call: Call) -> Answer:
    """Begin a conversation. A question without a session begins one by itself."""
    row = desk.sessions.create(call.principal.user_id, call.body.title, dict(call.body.metadata))
    return _one(row, 201)


def made_before(desk: Desk, call: Call, session_id: str) -> Answer:
    """Show the conversation that the first call began."""
    return _one(desk.session(call.principal, UUID(session_id), "see"), 201)


def list_(desk: Desk, call: Call) -> Answer:
    """List conversations, the latest used first."""
    wanted = call.query
    user_id = desk.person(call.principal, wanted.user_id, "see")
    at, before = place(wanted.cursor, datetime.fromisoformat, UUID)
    rows = desk.sessions.of(user_id, wanted.status, (at, before), wanted.limit + 1)
    return page(call, rows, views.session, lambda row: (row["updated_at"].isoformat(), row["id"]))


def get(desk: Desk, call: Call) -> Answer:
    """Show a conversation."""
    return _one(desk.session(call.principal, call.path["session_id"], "see"))


def change(desk: Desk, call: Call) -> Answer:
    """Change title, metadata or status; what is left out stays. `If-Match` names the version that was read."""
    session_id = call.path["session_id"]
    row = desk.session(call.principal, session_id, "change")
    wanted = version(call.headers, required=True)
    changes = call.body.model_dump(exclude_unset=True)
    if not desk.sessions.change(session_id, row["version"] if wanted is None else wanted, changes):
        raise Problem("precondition-failed")
    return _one(desk.session(call.principal, session_id, "see"))


def erase(desk: Desk, call: Call) -> Answer:
    """Erase a conversation with everything that was said in it. What waits is cancelled; what runs is in the way."""
    session_id = call.path["session_id"]
    row = desk.session(call.principal, session_id, "change")
    wanted = version(call.headers, required=True)
    if wanted is not None and wanted != row["version"]:
        raise Problem("precondition-failed")
    for waiting in desk.views.requests(user_id=None, session_id=session_id, state="queued", before=None, limit=1000):
        cancelled(desk, waiting["id"], waiting["user_id"])
    with desk.unwalled():
        if not desk.privacy.erase_session(session_id):
            raise Problem("busy", detail="A request of this session still runs: cancel it first.")
    return Answer(None, 204)


def messages(desk: Desk, call: Call) -> Answer:
    """List what was said, in order."""
    session_id = desk.session(call.principal, call.path["session_id"], "read")["id"]
    [after] = place(call.query.cursor, int)
    rows = desk.sessions.messages(
        session_id, after=after, newest_first=call.query.order == "desc", limit=call.query.limit + 1
    )
    return page(call, rows, _message, lambda row: (row["place"],))


def reset(desk: Desk, call: Call) -> Answer:
    """Close a conversation and begin its successor, which knows nothing of what was said."""
    old = desk.session(call.principal, call.path["session_id"], "change")["id"]
    row = desk.sessions.get(desk.sessions.reset(old))
    assert row, "it was just made"
    return _successor(_one(row, 201), old)


def reset_before(desk: Desk, call: Call, session_id: str) -> Answer:
    """Show the successor that the first call began."""
    return _successor(made_before(desk, call, session_id), call.path["session_id"])


def _successor(answer: Answer, old: UUID) -> Answer:
    answer.body["previous_session_id"] = str(old)
    return answer


def _one(row: dict[str, object], status: int = 200) -> Answer:
    headers = {"ETag": views.etag(row), **({"Location": f"/api/v1/sessions/{row['id']}"} if status == 201 else {})}
    return Answer(views.session(row), status, headers, made=str(row["id"]))


def _message(row: dict[str, object]) -> dict[str, object]:
    shown: dict[str, object] = views.plain(row)
    del shown["place"]
    return shown


ROUTES = (
    Route("POST", "/api/v1/sessions", create, {201: "Session"}, tag="sessions", scope="sessions:write",
          body=bodies.BeginSession, problems=("not-found",), again=made_before, name="create_session"),
    Route("GET", "/api/v1/sessions", list_, {200: "SessionPage"}, tag="sessions", scope="sessions:read", query=Wanted,
          problems=("not-found",), name="list_sessions"),
    Route("GET", ONE, get, {200: "Session"}, tag="sessions", scope="sessions:read", name="get_session"),
    Route("PATCH", ONE, change, {200: "Session"}, tag="sessions", scope="sessions:write", body=bodies.ChangeSession,
          headers=("If-Match!",), problems=("precondition-required", "precondition-failed"), name="change_session"),
    Route("DELETE", ONE, erase, {204: None}, tag="sessions", scope="data", headers=("If-Match!",),
          problems=("precondition-required", "precondition-failed", "busy"), name="erase_session"),
    Route("GET", f"{ONE}/messages", messages, {200: "MessagePage"}, tag="sessions", scope="sessions:read", query=Said,
          name="list_messages"),
    Route("POST", f"{ONE}/reset", reset, {201: "NewSession"}, tag="sessions", scope="sessions:write",
          again=reset_before, name="reset_session"),
)  # fmt: skip

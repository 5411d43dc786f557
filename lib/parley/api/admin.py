"""For support and admins: what is stuck, dead letters, what waits for people, who did what."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from parley.adapters.postgres.letters import Letters
from parley.api import views
from parley.api.desk import Desk
from parley.api.paging import Page, page, place
from parley.api.problems import Problem
from parley.api.route import ADMIN, Answer, Call, Route
from parley.domain.keys import STAFF
from parley.errors import Rejected

LETTERS = "/api/v1/admin/dead-letters"
LATE = 60.0  # seconds after which a nudge should have helped


class WantedLetters(Page):
    """Which dead letters."""

    type: Annotated[
        str | None, Field(max_length=255, pattern=r"^[A-Za-z0-9._-]+$", description="Only events of this type.")
    ] = None
    all: Annotated[bool, Field(description="Those replayed and closed, too.")] = False


class WantedEscalations(Page):
    """Which escalations."""

    state: Literal["open", "closed"] = "open"


def stuck(desk: Desk, _: Call) -> Answer:
    """Show the 100 latest rows whose time has passed, and what waits for somebody to mend something."""
    return Answer({"items": [views.plain(row) for row in desk.staff.stuck(LATE, 100)]})


def dead_letters(desk: Desk, call: Call) -> Answer:
    """List events that a function could not take, the newest first."""
    wanted = call.query
    before = tuple(place(wanted.cursor, datetime.fromisoformat, UUID))
    rows = desk.staff.dead_letters(
        closed=wanted.all, type_=wanted.type, before=(before[0], before[1]), limit=wanted.limit + 1
    )
    return page(call, rows, views.plain, lambda row: (row["stored_at"].isoformat(), row["id"]))


def dead_letter(desk: Desk, call: Call) -> Answer:
    """Show a dead letter with its event, which may hold what somebody said."""
    row = Letters(desk.database).get(call.path["letter_id"])
    if row is None:
        raise Problem("not-found")
    desk.audit(call.principal, "read dead letter", f"letter {row['id']}")
    del row["body"]
    return Answer(views.plain(row))


def replay(desk: Desk, call: Call) -> Answer:
    """Publish a dead letter again, as it was."""
    letter_id, send = call.path["letter_id"], getattr(desk.publisher, "send", None)
    assert send, "the publisher sends events as they are"
    letters = Letters(desk.database)
    if letters.get(letter_id) is None:
        raise Problem("not-found")
    try:
        if not letters.replay(letter_id, send):
            raise Problem("conflict", detail="It is not open, or is being replayed now.")
    except Rejected:
        raise Problem("conflict", detail="The broker does not take it for an event.") from None
    desk.audit(call.principal, "replay dead letter", f"letter {letter_id}")
    return Answer(None, 202)


def escalations(desk: Desk, call: Call) -> Answer:
    """List what waits for people, the oldest first."""
    [after] = place(call.query.cursor, UUID)
    rows = desk.staff.escalations(call.query.state, after, call.query.limit + 1)
    return page(call, rows, views.owned, lambda row: (row["id"],))


def close_escalation(desk: Desk, call: Call) -> Answer:
    """Say that people have taken care of it."""
    escalation_id = call.path["escalation_id"]
    if not desk.staff.close_escalation(escalation_id, call.principal.user_id):
        raise Problem("not-found")
    desk.audit(call.principal, "close escalation", f"escalation {escalation_id}")
    return Answer(None, 204)


def audit_log(desk: Desk, call: Call) -> Answer:
    """List what staff did with what is not their own, the newest first."""
    [before] = place(call.query.cursor, _bigint)
    rows = desk.staff.audit_log(before, call.query.limit + 1)
    return page(call, rows, views.plain, lambda row: (row["id"],))


def _bigint(text: str) -> int:
    number = int(text)
    if not 0 <= number < 1 << 63:
        raise ValueError
    return number


ROUTES = (
    Route("GET", "/api/v1/admin/stuck", stuck, {200: "Stuck"}, tag="admin", scope="admin", roles=STAFF),
    Route("GET", LETTERS, dead_letters, {200: "DeadLetterPage"}, tag="admin", scope="admin", roles=STAFF,
          query=WantedLetters, name="list_dead_letters"),
    Route("GET", f"{LETTERS}/{{letter_id}}", dead_letter, {200: "DeadLetter"}, tag="admin", scope="admin", roles=ADMIN,
          name="get_dead_letter"),
    Route("POST", f"{LETTERS}/{{letter_id}}/replay", replay, {202: None}, tag="admin", scope="admin", roles=STAFF,
          problems=("conflict",), name="replay_dead_letter"),
    Route("GET", "/api/v1/admin/escalations", escalations, {200: "EscalationPage"}, tag="admin", scope="admin",
          roles=STAFF, query=WantedEscalations, name="list_escalations"),
    Route("POST", "/api/v1/admin/escalations/{escalation_id}/close", close_escalation, {204: None}, tag="admin",
          scope="admin", roles=STAFF, name="close_escalation"),
    Route("GET", "/api/v1/admin/audit-log", audit_log, {200: "AuditPage"}, tag="admin", scope="admin", roles=ADMIN,
          query=Page, name="list_audit_log"),
)  # fmt: skip

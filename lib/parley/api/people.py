"""A user's own data: who they are, all that is kept of them, and its erasure."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from parley.adapters.postgres.privacy import Erased, Privacy
from parley.api import views
from parley.api.desk import Desk
from parley.api.requests import cancelled
from parley.api.route import Answer, Call, Route


def me(desk: Desk, call: Call) -> Answer:
    """Tell who the caller is, and what the key may do."""
    who = call.principal
    row = desk.views.me(who.user_id)
    assert row, "a caller is a user"
    scopes = None if who.scopes is None else sorted(who.scopes)
    shown = {"user_id": str(row["user_id"]), "email": row["email"], "display_name": row["display_name"]}
    return Answer({**shown, "role": who.role, "scopes": scopes, "acting_for": who.actor_id is not None})


def export(desk: Desk, call: Call) -> Answer:
    """Give everything that is kept of a user, as JSON."""
    user_id = desk.person(call.principal, call.path["user_id"], "read")
    with desk.unwalled():  # some of it is behind the wall for everybody, such as the service desk's tables
        found = views.plain(desk.privacy.export(user_id))
    headers = {"Content-Disposition": 'attachment; filename="parley-export.json"'}
    return Answer({"exported_at": views.time(datetime.now(UTC)), **found}, headers=headers)


def erase(desk: Desk, call: Call) -> Answer:
    """
    Erase everything of a user, for good: questions, answers, messages, addresses, settings, keys, name and e-mail.

    What still runs is cancelled and counted as `waiting`: call again when it is over. Bare rows without content stay
    for the books.
    """
    user_id = desk.person(call.principal, call.path["user_id"], "change")
    with desk.unwalled():
        desk.audit(call.principal, "erase user", f"user {user_id}")
        done = erased(desk.privacy, partial(cancelled, desk), user_id)
    return Answer(asdict(done))


def erased(privacy: Privacy, cancel: Callable[[UUID, UUID], object], user_id: UUID) -> Erased:
    """Cancel what is open of a user, and erase everything else."""
    for request_id in privacy.open_requests(user_id):
        cancel(request_id, user_id)
    return privacy.erase_user(user_id)


ROUTES = (
    Route("GET", "/api/v1/me", me, {200: "Me"}, tag="people"),
    Route("GET", "/api/v1/users/{user_id}/export", export, {200: "Export"}, tag="privacy", scope="data"),
    Route("DELETE", "/api/v1/users/{user_id}/data", erase, {200: "Erased"}, tag="privacy", scope="data",
          name="erase_user"),
)  # fmt: skip

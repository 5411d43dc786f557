"""
Idempotency-Key for whatever makes something else than a request: the same call again shows what the first one made.

The key is written first, in the one transaction of all that the view does: of two at once the second waits, and a call
that died or was refused has left nothing, not even its key.
"""

import hashlib

from parley import envelope
from parley.api.desk import Desk
from parley.api.preferences import idempotency_key
from parley.api.problems import Problem
from parley.api.route import Answer, Call, Route
from parley.errors import Unavailable


def answered(desk: Desk, route: Route, call: Call) -> Answer:
    """Answer a call, once for its key on a route that takes one. Raises Problem."""
    key = idempotency_key(call.headers, required=False) if route.again else None
    if key is None or route.again is None:
        return route.view(desk, call)
    who = call.principal
    taken = {"principal": f"user:{who.caller}", "route": f"{route.method} {route.path}", "key": key}
    body = call.body.model_dump(mode="json") if call.body else None
    fingerprint = hashlib.sha256(envelope.dumps([call.address, str(who.user_id), body])).hexdigest()
    with desk.publishing_later(), desk.database.whole() as whole:
        if whole.run("take_key", **taken, fingerprint=fingerprint, request_id=None):
            answer = route.view(desk, call)
            whole.run("key_made", **taken, made=answer.made)
            return answer
        row = whole.row("key_taken", **taken)
        if row is None:
            raise Unavailable("the key has just been purged")
        if row["fingerprint"] != fingerprint:
            raise Problem("key-reused")
        answer = route.again(desk, call, row["made"])
    answer.headers["Idempotency-Replayed"] = "true"
    return answer

"""A broker behind which every question is answered at once, as agent-turn would."""

import uuid
from contextlib import contextmanager
from datetime import UTC, datetime

from devkit.serving import LocalServer, Reply
from parley import envelope
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.requests import Requests
from parley.domain.plan import Plan

NOTHING = Plan("first", (), (), datetime(2026, 11, 23, tzinfo=UTC))
ANSWER = {"text": "Four years.", "citations": [], "agent": "it-desk"}


@contextmanager
def answering(url):
    """Give a broker's URL; whoever publishes a question there finds it answered, and the next one of its session."""
    database = Database(url, name="answering", max_connections=4)
    requests = Requests(database)

    def take(request):
        event = envelope.parse(request.headers, request.body)
        request_id = uuid.UUID(event.subject) if event.type == "parley.request.created" else None
        while request_id:
            turn = requests.claim(request_id, owner="test", revision="1")
            if turn is None or turn.verdict not in ("take", "cancelled"):
                break
            if turn.verdict == "cancelled":
                end = {"type": "urn:parley:problem:cancelled", "title": "The request was cancelled."}
                _, following = requests.end(turn, "cancelled", end, NOTHING)
            else:
                _, following = requests.complete(turn, ANSWER, NOTHING)
            request_id = following.contract.request_id if following else None
        return Reply(202)

    with LocalServer(take) as broker:
        yield broker.url
    database.close()

"""Who may send: the decision on a locked row."""

from uuid import UUID

import pytest

from parley.domain.delivery import Due, decide

OPEN = {
    "state": "queued", "due_at": "now", "leased": False, "moot": False, "past_deadline": False, "behind": False,
    "early": 0.0, "barred": None, "tripped": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (None, "over"),
        ({**OPEN, "due_at": None}, "over"),
        (OPEN, "take"),
        ({**OPEN, "leased": True}, "busy"),
        ({**OPEN, "leased": True, "past_deadline": True}, "busy"),
        ({**OPEN, "past_deadline": True, "behind": True}, "expired"),
        ({**OPEN, "behind": True, "early": 5.0}, "behind"),
        ({**OPEN, "early": 0.1}, "early"),
        ({**OPEN, "moot": True, "behind": True}, "moot"),
        ({**OPEN, "barred": "the user has turned it off", "past_deadline": True}, "skipped"),
        ({**OPEN, "leased": True, "barred": "the user has turned it off"}, "busy"),
        ({**OPEN, "tripped": True, "behind": True, "early": 5.0}, "tripped"),
        ({**OPEN, "tripped": True, "past_deadline": True}, "expired"),
        ({**OPEN, "state": "accepted"}, "awaiting"),
        ({**OPEN, "state": "accepted", "past_deadline": True, "tripped": True}, "unconfirmed"),
    ],
)
def test_verdicts(row, verdict):
    """The first reason that holds decides; a sender at work is never disturbed, not even by the deadline."""
    assert decide(row) == verdict


def test_the_same_cause_gives_the_same_nudge():
    """The event of a due delivery carries its ids and channel, so that brokers can route it."""
    due = Due(UUID(int=1), "email", UUID(int=2), UUID(int=3), "failure")

    emit = due.emit("after x", "trace")

    assert emit.contract.extensions()["channel"] == "email"
    assert (emit.contract.subject(), emit.contract.kind, emit.cause) == (str(UUID(int=1)), "failure", "after x")

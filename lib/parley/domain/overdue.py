"""
What should happen to a row whose time has passed: its function is nudged, and the next nudge comes later each time.

The nudged function decides on the locked row what is the matter (a lease that ended, a deadline that passed, an event
that was lost): see `turn.decide` and `delivery`. So a nudge that is one too many does nothing.

Nudges end. A row whose deadline has passed is nudged once more, so that its own function ends it and tells the user;
when that was not heard either, recover ends it. Between nudges of a request there are p, 2p, 4p … seconds and more, p
being half of `Pace.first` when its function is never reached, and 4 when the function takes the turn and gives it back
each time. So in its D seconds it gets at most 2 + log₂(1 + D/p) nudges: 7 or 9 of a request with 900. With its first
event, and the one of whoever ended the request before it, these are at most 11 events, hence 11 dead letters. A row
that stays open for hours, as a delivery may, gets 2·D / `Pace.longest` more. No nudge follows from a dead letter, so
nothing goes round.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parley.domain.events import Emit, RequestCreated, ResponseReady


@dataclass(frozen=True)
class Pace:
    """Seconds: the first pause between nudges, and the longest."""

    first: float = 30.0
    longest: float = 900.0


@dataclass(frozen=True)
class Action:
    """
    Publish `emit`; look at the row again after `pause` seconds.

    When `ends`, the row that `emit` names is to be ended instead, if its function has not done so by then.
    """

    emit: Emit
    pause: float
    ends: bool = False


def overdue(row: Mapping[str, Any], pace: Pace, chance: float) -> Action:
    """
    Decide on an overdue row of `requests` or `deliveries`, with its `past_deadline` and `called`.

    Pauses grow as first * 2^n up to the longest; `chance` in [0, 1) spreads them over the upper half of that. Past the
    deadline the pause is the first one.
    """
    growth = 0 if row["past_deadline"] else min(row["nudges"], 30)
    pause = min(pace.first * 2**growth, pace.longest) * (0.5 + chance / 2)
    cause = f"nudge {row['nudges'] + 1} of epoch {row['epoch']}"
    contract: RequestCreated | ResponseReady
    if row["kind"] == "request":
        contract = RequestCreated(request_id=row["id"], session_id=row["session_id"])
    else:
        contract = ResponseReady(
            request_id=row["request_id"],
            delivery_id=row["id"],
            session_id=row["session_id"],
            channel=row["channel"],
            kind=row["about"],
        )
    ends = row["past_deadline"] and row["called"]
    return Action(Emit(contract, cause=cause, traceparent=row["traceparent"]), pause, ends)

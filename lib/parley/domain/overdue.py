"""
What should happen to a row whose time has passed: its function is nudged, and the next nudge comes later each time.

The nudged function decides on the locked row what is the matter (a lease that ended, a deadline that passed, an event
that was lost): see `turn.decide` and `delivery`. So a nudge that is one too many does nothing.
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
    """Publish `emit`; look at the row again after `pause` seconds."""

    emit: Emit
    pause: float


def overdue(row: Mapping[str, Any], pace: Pace, chance: float) -> Action:
    """
    Decide on an overdue row of `requests` or `deliveries`.

    Pauses grow as first * 2^n up to the longest; `chance` in [0, 1) spreads them over the upper half of that.
    """
    pause = min(pace.first * 2 ** min(row["nudges"], 30), pace.longest) * (0.5 + chance / 2)
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
    return Action(Emit(contract, cause=cause, traceparent=row["traceparent"]), pause)

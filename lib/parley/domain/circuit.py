"""
A circuit: what several deliveries depend on, such as the credentials of a workspace or one receiver.

While it is open nothing is sent through it, the next ranks take over, and one delivery after each pause tries whether
it is cured. Trouble with credentials opens it at once. A vendor or receiver that is down opens it by the time since the
last success: two failures of a quiet one are not enough, nor may a busy one burn for hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Self

OPENS_AFTER = timedelta(hours=1)  # since the first failure after the last success
OPENS_AT = 5  # failures since then, at least
SHORTEST, LONGEST = 300.0, 3600.0  # seconds until a cure is tried
GIVEN_UP = timedelta(days=5)  # a receiver without success for so long is not called any more

Outcome = Literal["delivered", "wait", "retry", "unsure", "failed", "parked"]


@dataclass(frozen=True)
class Circuit:
    """The trouble of one circuit; one without trouble has no row. `until`: when a cure is tried; None: closed."""

    failing_since: datetime
    failures: int = 0
    trips: int = 0
    opened_at: datetime | None = None
    until: datetime | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read a row of `circuits`."""
        return cls(*(row[name] for name in ("failing_since", "failures", "trips", "opened_at", "until")))

    @property
    def is_open(self) -> bool:
        """Whether deliveries are parked."""
        return self.until is not None

    def is_given_up(self, now: datetime) -> bool:
        """Whether its receiver has been without success for so long that it is not called any more."""
        return self.is_open and now - self.failing_since >= GIVEN_UP


def after(circuit: Circuit | None, outcome: Outcome, now: datetime, *, of_receiver: bool) -> Circuit | None:
    """
    Say how the circuit stands after an attempt; None: no trouble.

    A vendor that asks to wait is well. A refusal is the recipient's matter and not the vendor's, unless it is a
    receiver's own.
    """
    if outcome in ("delivered", "wait") or (outcome == "failed" and not of_receiver):
        return None if outcome == "delivered" or circuit is None or not circuit.is_open else circuit
    then = circuit or Circuit(now)
    then = replace(then, failures=then.failures + 1)
    is_old = now - then.failing_since >= OPENS_AFTER and then.failures >= OPENS_AT
    if not (then.is_open or is_old or outcome == "parked"):
        return then
    pause = min(SHORTEST * 2 ** min(then.trips, 10), LONGEST)
    opened = then.opened_at or now
    return replace(then, trips=then.trips + 1, opened_at=opened, until=now + timedelta(seconds=pause))

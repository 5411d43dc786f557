"""
Quiet hours: what interrupts a person waits until they end, in the person's own zone.

What somebody has just asked for is never put off: who asks at night wants to know at night.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any, Self

FRESH = timedelta(minutes=15)  # how long a person is taken to be waiting for the answer


@dataclass(frozen=True)
class Quiet:
    """From one time of the day until another, which may be on the next day; both the same: never."""

    begin: time
    end: time
    zone: str = "UTC"
    fresh: timedelta = FRESH

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `as_dict` gave."""
        begin, end = time.fromisoformat(kept["from"]), time.fromisoformat(kept["until"])
        return cls(begin, end, kept["zone"], timedelta(seconds=kept["fresh"]))

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON: kept with each delivery that it may put off."""
        begin, end = (one.isoformat("minutes") for one in (self.begin, self.end))
        return {"from": begin, "until": end, "zone": self.zone, "fresh": self.fresh.total_seconds()}

    def until(self, now: datetime, acted_at: datetime | None) -> datetime | None:
        """Say when quiet hours end in which it is now; None outside of them, and when the person has just acted."""
        if self.begin == self.end or (acted_at is not None and now - acted_at <= self.fresh):
            return None
        here = now.astimezone(zone(self.zone))
        clock = here.time()
        inside = self.begin <= clock < self.end if self.begin < self.end else not self.end <= clock < self.begin
        if not inside:
            return None
        day = here.date() if clock < self.end else here.date() + timedelta(days=1)
        # An hour that a clock change leaves out is taken as the one after it; the way by UTC makes it a real time.
        return datetime.combine(day, self.end, here.tzinfo).astimezone(UTC)


def zone(name: str | None) -> tzinfo:
    """Give a time zone by its name; UTC for one that is not known here."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return UTC

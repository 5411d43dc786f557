"""Why an answer went where it went, in words; and what is in force for a user, field by field."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from parley.domain.defaults import LOCKABLE, Default, Defaults
from parley.domain.plan import Override

_SAYS: Mapping[str, str] = {
    "planned": "waits for its turn, should what comes before it fail",
    "queued": "is about to be sent",
    "sending": "is being sent",
    "accepted": "was taken for delivery",
    "delivered": "was delivered",
    "seen": "was delivered and seen",
    "deferred": "waits until quiet hours end",
    "parked": "is kept until trouble with it is over",
    "failed": "failed",
    "skipped": "was not used when its turn came",
    "expired": "was not sent in time",
    "cancelled": "was not needed",
    "undeliverable": "failed, and nothing is left to try; the answer can be fetched",
    "unknown": "may have arrived: it could not be found out",
}


def explained(
    plan: Mapping[str, Any] | None, deliveries: Iterable[Mapping[str, Any]], names: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """
    Say of each channel of a stored plan why it was or was not used, and what became of it.

    `deliveries`: rows of the same answer with channel, rank, state, reason, not_before and finished_at; `names`: what
    people call the channels.
    """
    if not plan:
        return []
    called, kept = names or {}, {(row["channel"], row["rank"]): row for row in deliveries}
    found = []
    for rank in plan["ranks"]:
        row = kept.get((rank["channel"], rank["rank"]))
        name = called.get(rank["channel"], rank["channel"])
        state = row["state"] if row else None
        says = ", ".join(_parts(name, rank, row, len(plan["ranks"]), plan["mode"])) + "."
        found.append({"channel": rank["channel"], "rank": rank["rank"], "state": state, "says": says})
    for skip in plan["skipped"]:
        says = f"{called.get(skip['channel'], skip['channel'])}: not used: {skip['reason']}."
        found.append({"channel": skip["channel"], "rank": None, "state": "skipped", "says": says})
    return found


def _parts(name: str, rank: Mapping[str, Any], row: Mapping[str, Any] | None, count: int, mode: str) -> Iterator[str]:
    order = "at the same time as the others" if mode == "all" and count > 1 else f"number {rank['rank']} of {count}"
    why = f": {rank['why']}" if rank.get("why") else ""
    yield f"{name}, {order}{why}"
    if row is None:
        return
    reason = f" ({row['reason']})" if row.get("reason") else ""
    until = row.get("not_before")
    when = f" at {_clock(until)}" if row["state"] == "deferred" and until else ""
    yield f"it {_SAYS[row['state']]}{when}{reason}"


def _clock(at: datetime | str) -> str:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or 'UTC'}"


def effective(defaults: Defaults, overrides: Iterable[Override]) -> list[dict[str, Any]]:
    """Give what is in force for a user on each channel, and of each field where it comes from."""
    own: dict[str, Override] = {override.channel: override for override in overrides}
    return [_in_force(name, default, own.get(name)) for name, default in defaults.channels.items()]


def _in_force(channel: str, default: Default, override: Override | None) -> dict[str, Any]:
    chosen = _values(override)
    found: dict[str, Any] = {"channel": channel}
    origin: dict[str, str] = {}
    for name, value in _values(default).items():
        own = chosen.get(name)
        origin[name] = "locked" if name in default.locked else "default" if own is None else "user"
        found[name] = own if origin[name] == "user" else value
    found["patience_seconds"] = found.pop("patience").total_seconds()
    origin["patience_seconds"] = origin.pop("patience")
    found["config"] = dict(override.config) if override else {}
    found["origin"] = origin
    if default.locked:
        found["because"] = default.because
    if override and override.trouble:
        found["trouble"] = override.trouble
    return found


def _values(one: Default | Override | None) -> dict[str, Any]:
    return {name: getattr(one, name) for name in LOCKABLE} if one else {}


def refused(default: Default, values: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Give the fields that a user wants to set and cannot, each with the reason."""
    wanted = {name for name, value in values.items() if value is not None}
    wanted = {"patience" if name == "patience_seconds" else name for name in wanted}
    return [(name, default.because) for name in LOCKABLE if name in wanted & default.locked]

"""
The delivery plan: where an answer goes, in which order, and why not elsewhere.

A pure function of the system's defaults, the user's overrides, the request and the clock. Per field the request wins
over the user, and the user over the default unless the field is locked. `enabled: false` means never.

    the request                         the plan
    asked in a conversation (origin)    mode origin: there, then the user's ranks
    names channels                      mode first: these, in this order; or mode all: these at once
    mode first or all, no channels      the user's ranks, one after the other or at once
    nothing of these                    empty: the answer is polled
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Any, Literal, cast, get_args

from parley.domain import places
from parley.domain.defaults import LEVELS, RETRY, Default, Defaults, Invalid, Level, parse_defaults
from parley.domain.events import Channel
from parley.domain.places import Place
from parley.domain.quiet import Quiet

__all__ = [
    "LEVELS", "Asked", "Default", "Defaults", "Invalid", "Level", "Mode", "Override", "Plan", "Rank", "Skip", "inputs",
    "last_resort", "notice", "parse_defaults", "plan",
]  # fmt: skip

Mode = Literal["first", "all", "origin"]
MODES: tuple[Mode, ...] = get_args(Mode)

_LAST = timedelta(hours=1)  # how long it may still be said that there is no answer


@dataclass(frozen=True)
class Override:
    """
    A user's own setting for a channel; None inherits. `config` holds the address, `id` is the setting's own.

    `trouble`: why the place cannot be used now, such as a receiver that said it is gone; not the user's to choose.
    """

    channel: Channel
    enabled: bool | None = None
    rank: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    level: Level | None = None
    patience: timedelta | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class Asked:
    """
    What the plan needs to know of the request and its user.

    `origin`: {"channel", "workspace", "conversation", "thread"}; `wanted`: {"channels": […], "mode", "critical",
    "level", "patience_seconds"}, each of them optional; `slack`: the user's identities, such as `T1:U1`; `quiet`: from
    and until, when the user has said so; `acted_at`: when the user last did something about it; `suppressed`: places
    that must not be used, with the reason.
    """

    source: str
    origin: Mapping[str, Any] | None = None
    wanted: Mapping[str, Any] | None = None
    kind: str = "answer"
    email: str | None = None
    slack: tuple[str, ...] = ()
    timezone: str | None = None
    quiet: tuple[time, time] | None = None
    acted_at: datetime | None = None
    suppressed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rank:
    """
    One place to try. `address_key` names the place: order is kept per session and place.

    `why` it is used, in words; `not_before`: when quiet hours end, for one that is due now; `locked`: the user cannot
    turn it off. The rest is as in `Default`.
    """

    channel: Channel
    rank: int
    address: dict[str, Any]
    address_key: str
    patience: timedelta
    level: Level = "accepted"
    confirm: timedelta = timedelta(minutes=10)
    retry: tuple[float, ...] = RETRY
    circuit: str = ""
    quiet: Quiet | None = None
    not_before: datetime | None = None
    locked: bool = False
    why: str = ""


@dataclass(frozen=True)
class Skip:
    """A channel that is not used, and why."""

    channel: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The ranks from 1 upwards, and what was skipped."""

    mode: Mode
    ranks: tuple[Rank, ...]
    skipped: tuple[Skip, ...]
    at: datetime
    critical: bool = False

    def is_due(self, rank: Rank) -> bool:
        """Whether a rank is due at once, or waits for the one before to end without success."""
        return rank.rank == 1 or self.mode == "all"

    def as_dict(self) -> dict[str, Any]:
        """Give the plan as JSON: stored on the request and shown to its user."""
        skipped = [{"channel": skip.channel, "reason": skip.reason} for skip in self.skipped]
        ranks = [_shown(rank) for rank in self.ranks]
        return {
            "mode": self.mode, "critical": self.critical, "ranks": ranks, "skipped": skipped, "at": self.at.isoformat()
        }  # fmt: skip


_Try = tuple[str, Place | None, str]


def plan(defaults: Defaults, overrides: Iterable[Override], asked: Asked, now: datetime) -> Plan:
    """Make the plan for a request's answer. Modes and channels that do not exist are skipped, never guessed at."""
    own: dict[str, Override] = {override.channel: override for override in overrides}
    mode, tries = _tries(defaults, own, asked)
    wanted = asked.wanted or {}
    made = Plan(mode, (), (), now, critical=wanted.get("critical") is True)
    quiet = None if made.critical else _quiet(defaults, asked)
    ranks: list[Rank] = []
    skipped: list[Skip] = []
    for channel, place, why in tries:
        found = _barred(defaults, own, channel) or place or _place(defaults, own, channel, asked)
        if not isinstance(found, str):
            found = asked.suppressed.get(found.key) or found
        if isinstance(found, str):
            skipped.append(Skip(channel, found))
        elif any(found.key == rank.address_key for rank in ranks):
            skipped.append(Skip(channel, "the same place has an earlier rank"))
        else:
            default = defaults.channels[channel]
            window = quiet if default.interrupts and place is None else None
            rank = _rank(channel, len(ranks) + 1, found, default, own.get(channel), wanted, why)
            not_before = window.until(now, asked.acted_at) if window and made.is_due(rank) else None
            ranks.append(replace(rank, quiet=window, not_before=not_before))
    return replace(made, ranks=tuple(ranks), skipped=tuple(skipped))


def last_resort(overrides: Iterable[Override], asked: Asked, now: datetime) -> Plan:
    """Plan without the system's defaults, to say that there is no answer: where it was asked, unless turned off."""
    channel = (asked.origin or {}).get("channel")
    if not isinstance(channel, str) or not channel:
        return Plan("first", (), (), now)
    defaults = Defaults({channel: Default(enabled=True, rank=None, patience=_LAST)})
    return plan(defaults, overrides, replace(asked, wanted=None), now)


def notice(defaults: Defaults, overrides: Iterable[Override], asked: Asked, about: str, now: datetime) -> Plan:
    """Plan how a user is told that their channel `about` is in trouble: by the first other one."""
    others = Defaults({name: one for name, one in defaults.channels.items() if name != about}, defaults.quiet)
    return plan(others, overrides, replace(asked, origin=None, wanted={"mode": "first"}, acted_at=None), now)


def inputs(user: Mapping[str, Any]) -> tuple[list[Override], dict[str, Any]]:
    """Read what the store knows of a user: the overrides, and the fields of `Asked`."""
    overrides = [
        Override(
            o["channel"], o["enabled"], o["rank"], o["config"], str(o["id"]), o.get("level"),
            timedelta(seconds=o["patience_seconds"]) if o.get("patience_seconds") else None, o.get("trouble"),
        )
        for o in user["overrides"]
    ]  # fmt: skip
    begin, end = user.get("quiet_from"), user.get("quiet_until")
    quiet = (begin, end) if begin is not None and end is not None else None
    told = {"email": user["email"], "slack": tuple(user["slack"]), "timezone": user.get("timezone"), "quiet": quiet}
    return overrides, {**told, "suppressed": user.get("suppressed") or {}}


def _tries(defaults: Defaults, own: Mapping[str, Override], asked: Asked) -> tuple[Mode, Iterator[_Try]]:
    wanted = asked.wanted or {}
    channels: Sequence[str] = wanted.get("channels") or ()
    mode = wanted.get("mode")
    mode = cast(Mode, mode) if mode in MODES else None
    there: list[_Try] = []
    if asked.origin:
        there = [(str(asked.origin["channel"]), places.thread(asked.origin), "the question was asked there")]
    named: list[_Try] = [(channel, None, "the request asks for it") for channel in channels]
    if named:
        before = there if mode == "origin" else []
        return mode or "first", iter([*before, *named])
    ranked: list[_Try] = [(channel, None, why) for channel, why in _ranked(defaults, own)]
    if asked.origin and mode != "first":
        return mode or "origin", iter([*there, *ranked])
    return mode or "first", iter(ranked if mode else ())


def _ranked(defaults: Defaults, own: Mapping[str, Override]) -> list[tuple[Channel, str]]:
    """Give the channels that have a rank, in order; of two with the same rank the user's own comes first."""
    found: list[tuple[int, bool, Channel]] = []
    for channel, default in defaults.channels.items():
        override = own.get(channel)
        chosen = override.rank if override and "rank" not in default.locked else None
        rank = default.rank if chosen is None else chosen
        if rank is not None:
            found.append((rank, chosen is None, channel))
    return [(name, f"it has the {'default' if of else 'user'}'s rank {rank}") for rank, of, name in sorted(found)]


def _barred(defaults: Defaults, own: Mapping[str, Override], channel: str) -> str | None:
    default, override = defaults.channels.get(channel), own.get(channel)
    if default is None:
        return "there is no such channel"
    if override and override.enabled is not None and "enabled" not in default.locked:
        if not override.enabled:
            return "the user has turned it off"
    elif not default.enabled:
        return "it is turned off for everybody"
    return override.trouble if override else None


def _place(defaults: Defaults, own: Mapping[str, Override], channel: str, asked: Asked) -> Place | str:
    override = own.get(channel)
    if channel == "slack":
        return places.direct(asked.origin, asked.slack)
    config, id_ = (override.config, override.id) if override else ({}, "")
    return places.own(channel, defaults.channels[channel], config, id_, {"email": asked.email})


def _quiet(defaults: Defaults, asked: Asked) -> Quiet | None:
    zone = asked.timezone or defaults.zone
    if asked.quiet is not None:
        return Quiet(*asked.quiet, zone, defaults.fresh)
    return replace(defaults.quiet, zone=zone) if defaults.quiet else None


def _rank(
    channel: str, number: int, place: Place, default: Default, override: Override | None, wanted: Mapping[str, Any],
    why: str,
) -> Rank:  # fmt: skip
    """Put a rank together: per field the request's value, else the user's unless it is locked, else the default's."""
    level, patience = default.level, default.patience
    if override and override.level and "level" not in default.locked:
        level = override.level
    if override and override.patience and "patience" not in default.locked:
        patience = override.patience
    if wanted.get("level") in LEVELS:
        level = cast(Level, wanted["level"])
    seconds = wanted.get("patience_seconds")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds <= 30 * 86_400:
        patience = timedelta(seconds=seconds)
    return Rank(
        channel, number, place.address, place.key, patience, level, default.confirm, default.retry, place.circuit,
        locked="enabled" in default.locked, why=why,
    )  # fmt: skip


def _shown(rank: Rank) -> dict[str, Any]:
    shown = {
        "channel": rank.channel, "rank": rank.rank, "address": rank.address, "level": rank.level, "why": rank.why,
        "patience_seconds": rank.patience.total_seconds(),
    }  # fmt: skip
    if rank.not_before:
        shown["deferred_until"] = rank.not_before.isoformat()
    return shown

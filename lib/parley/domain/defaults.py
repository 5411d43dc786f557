"""
The system's defaults: which channels there are and how each is used (`config/integrations.yaml`).

A channel that is not here does not exist. Nothing of this is ever copied into the database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any, Literal, get_args

from parley.domain.events import CHANNEL, Channel
from parley.domain.quiet import FRESH, Quiet

Level = Literal["accepted", "delivered", "seen"]
LEVELS: tuple[Level, ...] = get_args(Level)  # each includes those before it
FieldKind = Literal["email", "phone", "url", "text"]
LOCKABLE = ("enabled", "rank", "level", "patience")
RETRY = (5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 900.0)  # seconds between attempts while a vendor is down

_NEEDED = ("enabled", "rank", "patience")
_OPTIONAL = ("level", "confirm", "interrupts", "retry", "address", "options", "locked", "because", "name")
_DURATION = re.compile(r"([1-9]\d{0,6})([smh])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d\Z")
_CHANNEL = re.compile(CHANNEL)


@dataclass(frozen=True)
class Default:
    """
    The system's default for a channel. A `rank` of None: only when asked for by name, or ranked by the user.

    `patience`: how long what is due may still be sent; `level`: what counts as success, and `confirm`: how long that is
    waited for; `interrupts`: quiet hours put it off; `retry`: seconds between attempts; `address`: the fields of a
    user's setting, and `options` those with few values, the first being what holds; `locked`: the fields that users
    cannot change, `because` of what.
    """

    enabled: bool
    rank: int | None
    patience: timedelta
    level: Level = "accepted"
    confirm: timedelta = timedelta(minutes=10)
    interrupts: bool = False
    retry: tuple[float, ...] = RETRY
    address: Mapping[str, FieldKind] = field(default_factory=dict)
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    locked: frozenset[str] = frozenset()
    because: str = ""
    name: str = ""


@dataclass(frozen=True)
class Defaults:
    """The defaults of all channels; quiet hours and time zone of who has told none."""

    channels: Mapping[Channel, Default]
    quiet: Quiet | None = None
    zone: str = "UTC"
    fresh: timedelta = FRESH


class Invalid(ValueError):
    """The defaults are wrong; the text names the field."""


def parse_defaults(document: Any) -> Defaults:
    """Read {"channels": {name: {…}}, "quiet"?, "zone"?, "fresh"?}. Raises Invalid."""
    whole = _mapping(document, "the file", ("channels",), ("quiet", "zone", "fresh"))
    given = whole["channels"]
    if not isinstance(given, Mapping) or not given:
        raise Invalid("channels: must be a mapping that names at least one")
    parsed: dict[Channel, Default] = {}
    for channel, value in given.items():
        if not isinstance(channel, str) or not _CHANNEL.match(channel):
            raise Invalid(f"channels: {channel} is no name of a channel")
        parsed[channel] = _default(value, f"channels.{channel}")
    ranks = [default.rank for default in parsed.values() if default.rank is not None]
    if len(ranks) != len(set(ranks)):
        raise Invalid("channels: two channels have the same rank")
    zone, fresh = whole.get("zone", "UTC"), _duration(whole.get("fresh", "15m"), "fresh")
    if not isinstance(zone, str) or not zone:
        raise Invalid("zone: must be the name of a time zone")
    return Defaults(parsed, _quiet(whole.get("quiet"), zone, fresh), zone, fresh)


def _quiet(value: Any, zone: str, fresh: timedelta) -> Quiet | None:
    if value is None:
        return None
    fields = _mapping(value, "quiet", ("from", "until"))
    for name, text in fields.items():
        if not _CLOCK.match(str(text)):
            raise Invalid(f'quiet.{name}: must be a time such as "22:00"')
    begin, end = (time.fromisoformat(str(fields[name])) for name in ("from", "until"))
    return Quiet(begin, end, zone, fresh)


def _default(value: Any, where: str) -> Default:
    given = _mapping(value, where, _NEEDED, _OPTIONAL)
    fields: dict[str, Any] = dict(given)
    for name in ("enabled", "interrupts"):
        if not isinstance(fields.setdefault(name, False), bool):
            raise Invalid(f"{where}.{name}: must be true or false")
    rank = fields["rank"]
    if rank is not None and (not isinstance(rank, int) or isinstance(rank, bool) or rank < 1):
        raise Invalid(f"{where}.rank: must be a whole number from 1, or null")
    if fields.setdefault("level", "accepted") not in LEVELS:
        raise Invalid(f"{where}.level: must be one of {', '.join(LEVELS)}")
    fields["patience"] = _duration(fields["patience"], f"{where}.patience")
    fields["confirm"] = _duration(fields.get("confirm", "10m"), f"{where}.confirm")
    if "retry" in fields:
        fields["retry"] = _pauses(fields["retry"], f"{where}.retry")
    fields["address"] = _address(fields.get("address", {}), f"{where}.address")
    fields["options"] = _choices(fields.get("options", {}), f"{where}.options")
    fields["locked"] = _locked(fields, where)
    fields["name"] = fields.get("name") or where.rpartition(".")[2]
    return Default(**fields)


def _locked(fields: Mapping[str, Any], where: str) -> frozenset[str]:
    locked = fields.get("locked", [])
    if not isinstance(locked, list) or not set(locked) <= set(LOCKABLE):
        raise Invalid(f"{where}.locked: must be a list of {', '.join(LOCKABLE)}")
    if locked and not fields.get("because"):
        raise Invalid(f"{where}.because: missing: whoever finds it locked is told why")
    return frozenset(locked)


def _pauses(value: Any, where: str) -> tuple[float, ...]:
    if not isinstance(value, list) or not value:
        raise Invalid(f"{where}: must be a list of durations")
    return tuple(_duration(one, where).total_seconds() for one in value)


def _address(value: Any, where: str) -> Mapping[str, FieldKind]:
    kinds = get_args(FieldKind)
    if not isinstance(value, Mapping) or not all(kind in kinds for kind in value.values()):
        raise Invalid(f"{where}: must give each field one of {', '.join(kinds)}")
    return value


def _choices(value: Any, where: str) -> Mapping[str, tuple[str, ...]]:
    if not isinstance(value, Mapping) or not all(isinstance(words, list) and words for words in value.values()):
        raise Invalid(f"{where}: must give each field a list of words")
    return {name: tuple(str(word) for word in words) for name, words in value.items()}


def _duration(value: Any, where: str) -> timedelta:
    match = _DURATION.match(str(value))
    if not match:
        raise Invalid(f"{where}: must be a duration such as 90s, 30m or 72h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _mapping(value: Any, where: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Invalid(f"{where}: must be a mapping")
    if unknown := sorted(str(name) for name in value if name not in (*needed, *optional)):
        raise Invalid(f"{where}: unknown field {unknown[0]}")
    if missing := sorted(set(needed) - set(value)):
        raise Invalid(f"{where}.{missing[0]}: missing")
    return value

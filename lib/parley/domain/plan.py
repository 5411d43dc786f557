"""
The delivery plan: where an answer goes, in which order, and why not elsewhere.

A pure function of the system's defaults, the user's overrides, the request and the clock. Per field the user's value
wins over the default, and a request says which channels to use and in which order. `enabled: false` means never.

    the request                         the plan
    asked in a conversation (origin)    mode origin: there, then the user's ranks
    names channels                      mode first: these, in this order
    mode first without channels         mode first: the user's ranks
    nothing of these                    empty: the answer is polled
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from parley.domain.events import Channel

Mode = Literal["first", "origin"]
MODES: tuple[Mode, ...] = get_args(Mode)
CHANNELS: tuple[Channel, ...] = get_args(Channel)

_FIELDS = {"enabled", "rank", "patience"}
_DURATION = re.compile(r"([1-9]\d{0,6})([smh])\Z")
_LAST = timedelta(hours=1)  # how long it may still be said that there is no answer
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,64}@[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,255}\Z")
E164 = re.compile(r"\+[1-9]\d{6,14}\Z")


@dataclass(frozen=True)
class Default:
    """The system's default for a channel. A `rank` of None: only when asked for by name, or ranked by the user."""

    enabled: bool
    rank: int | None
    patience: timedelta


@dataclass(frozen=True)
class Defaults:
    """The defaults of all channels."""

    channels: Mapping[Channel, Default]


@dataclass(frozen=True)
class Override:
    """A user's own setting for a channel; None inherits. `config` holds the address, `id` is the setting's own."""

    channel: Channel
    enabled: bool | None = None
    rank: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True)
class Asked:
    """
    What the plan needs to know of the request and its user.

    `origin`: {"channel", "workspace", "conversation", "thread"}, `wanted`: {"channels": […], "mode"?}, `slack`: the
    user's identities, such as `T1:U1`.
    """

    source: str
    origin: Mapping[str, Any] | None = None
    wanted: Mapping[str, Any] | None = None
    kind: str = "answer"
    email: str | None = None
    slack: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rank:
    """One place to try. `address_key` names the place: order is kept per session and place."""

    channel: Channel
    rank: int
    address: dict[str, Any]
    address_key: str
    patience: timedelta


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

    def as_dict(self) -> dict[str, Any]:
        """Give the plan as JSON: stored on the request and shown to its user."""
        ranks = [
            {"channel": r.channel, "rank": r.rank, "address": r.address, "patience_seconds": r.patience.total_seconds()}
            for r in self.ranks
        ]
        skipped = [{"channel": skip.channel, "reason": skip.reason} for skip in self.skipped]
        return {"mode": self.mode, "ranks": ranks, "skipped": skipped, "at": self.at.isoformat()}


class Invalid(ValueError):
    """The defaults are wrong; the text names the field."""


@dataclass(frozen=True)
class _Place:
    address: dict[str, Any]
    key: str


def plan(defaults: Defaults, overrides: Iterable[Override], asked: Asked, now: datetime) -> Plan:
    """Make the plan for a request's answer. Modes and channels that do not exist are skipped, never guessed at."""
    own: dict[str, Override] = {override.channel: override for override in overrides}
    mode, tries = _tries(defaults, own, asked)
    ranks: list[Rank] = []
    skipped: list[Skip] = []
    for channel, place in tries:
        reason = _barred(defaults, own, channel)
        found = reason or place or _address(channel, own.get(channel), asked)
        if isinstance(found, str):
            skipped.append(Skip(channel, found))
        elif any(found.key == rank.address_key for rank in ranks):
            skipped.append(Skip(channel, "the same place has an earlier rank"))
        else:
            known = cast(Channel, channel)
            patience = defaults.channels[known].patience
            ranks.append(Rank(known, len(ranks) + 1, found.address, found.key, patience))
    return Plan(mode, tuple(ranks), tuple(skipped), now)


def last_resort(overrides: Iterable[Override], asked: Asked, now: datetime) -> Plan:
    """Plan without the system's defaults, to say that there is no answer: where it was asked, unless turned off."""
    channel = (asked.origin or {}).get("channel")
    if channel not in CHANNELS:
        return Plan("first", (), (), now)
    defaults = Defaults({channel: Default(enabled=True, rank=None, patience=_LAST)})
    return plan(defaults, overrides, replace(asked, wanted=None), now)


def parse_defaults(document: Any) -> Defaults:
    """Read {"channels": {name: {"enabled", "rank", "patience"}}}; every channel and field is there. Raises Invalid."""
    channels = _mapping(document, "the file", {"channels"})["channels"]
    parsed: dict[Channel, Default] = {}
    for channel, value in _mapping(channels, "channels", set(CHANNELS)).items():
        parsed[channel] = _default(value, f"channels.{channel}")
    ranks = [default.rank for default in parsed.values() if default.rank is not None]
    if len(ranks) != len(set(ranks)):
        raise Invalid("channels: two channels have the same rank")
    return Defaults(parsed)


def _tries(
    defaults: Defaults, own: Mapping[str, Override], asked: Asked
) -> tuple[Mode, Iterator[tuple[str, _Place | None]]]:
    wanted = asked.wanted or {}
    channels: Sequence[str] = wanted.get("channels") or ()
    if channels:
        return "first", ((channel, None) for channel in channels)
    ranked = _ranked(defaults, own)
    if asked.origin and wanted.get("mode") != "first":
        first = (str(asked.origin["channel"]), _slack_thread(asked.origin))
        rest = ((channel, None) for channel in ranked)
        return "origin", (pair for pair in (first, *rest))
    if wanted.get("mode") == "first":
        return "first", ((channel, None) for channel in ranked)
    return "first", iter(())


def _ranked(defaults: Defaults, own: Mapping[str, Override]) -> list[Channel]:
    """Give the channels that have a rank, in order; of two with the same rank the user's own comes first."""
    found: list[tuple[int, bool, Channel]] = []
    for channel, default in defaults.channels.items():
        override = own.get(channel)
        chosen = override.rank if override else None
        rank = default.rank if chosen is None else chosen
        if rank is not None:
            found.append((rank, chosen is None, channel))
    return [channel for _, _, channel in sorted(found)]


def _barred(defaults: Defaults, own: Mapping[str, Override], channel: str) -> str | None:
    if channel not in defaults.channels:
        return "there is no such channel"
    override = own.get(channel)
    if override and override.enabled is not None:
        return None if override.enabled else "the user has turned it off"
    return None if defaults.channels[cast(Channel, channel)].enabled else "it is turned off for everybody"


def _address(channel: str, override: Override | None, asked: Asked) -> _Place | str:
    config = override.config if override else {}
    match channel:
        case "slack":
            return _slack_direct(asked)
        case "email":
            return _email(config.get("address") or asked.email)
        case "sms":
            return _sms(config.get("number"))
        case "webhook":
            return _webhook(config.get("url"), override.id if override else "")
        case _:
            return _Place({}, channel)


def _slack_thread(origin: Mapping[str, Any]) -> _Place:
    address = {name: origin.get(name) for name in ("workspace", "conversation", "thread")}
    return _Place(address, ":".join(["slack", *(str(part) for part in address.values() if part)]))


def _slack_direct(asked: Asked) -> _Place | str:
    """The user's direct messages, in the workspace where they asked if there is one."""
    origin = asked.origin or {}
    if str(origin.get("conversation", "")).startswith("D"):
        return "the question came from there"
    home = f"{origin.get('workspace')}:"
    identity = next((one for one in asked.slack if one.startswith(home)), next(iter(asked.slack), None))
    if identity is None:
        return "no Slack account is known"
    workspace, _, user = identity.partition(":")
    return _Place({"workspace": workspace, "conversation": user, "thread": None}, f"slack:{identity}")


def _email(address: Any) -> _Place | str:
    if not address:
        return "no e-mail address is known"
    if not isinstance(address, str) or not _EMAIL.match(address):
        return "the e-mail address is not valid"
    return _Place({"to": address}, f"email:{address.lower()}")


def _sms(number: Any) -> _Place | str:
    if not number:
        return "no telephone number is known"
    if not isinstance(number, str) or not E164.match(number):
        return "the telephone number is not in the form +491234567"
    return _Place({"to": number}, f"sms:{number}")


def _webhook(url: Any, integration: str) -> _Place | str:
    if not url:
        return "no URL is registered"
    if not isinstance(url, str) or not _is_web(url):
        return "the URL is not valid"
    return _Place({"url": url, "integration": integration}, f"webhook:{url}")


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _default(value: Any, where: str) -> Default:
    fields = _mapping(value, where, _FIELDS)
    enabled, rank = fields["enabled"], fields["rank"]
    if not isinstance(enabled, bool):
        raise Invalid(f"{where}.enabled: must be true or false")
    if rank is not None and (not isinstance(rank, int) or isinstance(rank, bool) or rank < 1):
        raise Invalid(f"{where}.rank: must be a whole number from 1, or null")
    match = _DURATION.match(str(fields["patience"]))
    if not match:
        raise Invalid(f"{where}.patience: must be a duration such as 90s, 30m or 72h")
    return Default(enabled, rank, timedelta(**{_UNITS[match[2]]: int(match[1])}))


def _mapping(value: Any, where: str, names: set[Any]) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise Invalid(f"{where}: must be a mapping")
    if unknown := sorted(str(name) for name in value if name not in names):
        raise Invalid(f"{where}: unknown field {unknown[0]}")
    if missing := sorted(names - set(value)):
        raise Invalid(f"{where}.{missing[0]}: missing")
    return value

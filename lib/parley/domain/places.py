"""Places: where on a channel somebody is reached, by what their settings, profile and question say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from parley.domain.defaults import Default

_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,64}@[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]{1,255}\Z")
E164 = re.compile(r"\+[1-9]\d{6,14}\Z")

_UNKNOWN = {
    "email": "no e-mail address is known", "phone": "no telephone number is known", "url": "no URL is registered",
    "text": "it is not set up",
}  # fmt: skip
_WRONG = {
    "email": "the e-mail address is not valid", "phone": "the telephone number is not in the form +491234567",
    "url": "the URL is not valid", "text": "the setting is not valid",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """
    One place. `key` names it: order is kept per session and place.

    `circuit` names what it depends on besides: a channel's credentials, a workspace's, or one receiver.
    """

    address: dict[str, Any]
    key: str
    circuit: str


def thread(origin: Mapping[str, Any]) -> Place:
    """Give the place where a question was asked."""
    channel = str(origin["channel"])
    address = {name: origin.get(name) for name in ("workspace", "conversation", "thread")}
    key = ":".join([channel, *(str(part) for part in address.values() if part)])
    return Place(address, key, f"{channel}:{address['workspace']}")


def direct(origin: Mapping[str, Any] | None, identities: tuple[str, ...]) -> Place | str:
    """Give the user's direct messages in Slack, in the workspace where they asked if there is one; else why not."""
    origin = origin or {}
    if str(origin.get("conversation", "")).startswith("D"):
        return "the question came from there"
    home = f"{origin.get('workspace')}:"
    identity = next((one for one in identities if one.startswith(home)), next(iter(identities), None))
    if identity is None:
        return "no Slack account is known"
    workspace, _, user = identity.partition(":")
    address = {"workspace": workspace, "conversation": user, "thread": None}
    return Place(address, f"slack:{identity}", f"slack:{workspace}")


def own(
    channel: str, default: Default, config: Mapping[str, Any], integration: str, profile: Mapping[str, str | None]
) -> Place | str:
    """Give the place that a user's setting names, `profile` standing in by kind of field; else why there is none."""
    found = {}
    for name, kind in default.address.items():
        value = config.get(name) or profile.get(kind)
        if not value:
            return _UNKNOWN[kind]
        if not is_valid(kind, value):
            return _WRONG[kind]
        found[name] = value
    key = ":".join([channel, *(value.lower() if kind == "email" else value for kind, value in
                               zip(default.address.values(), found.values(), strict=True))])  # fmt: skip
    kinds = set(default.address.values())
    if "url" in kinds:
        return Place({**found, "integration": integration}, key, f"{channel}:{integration}")
    address = {"to": next(iter(found.values()))} if kinds & {"email", "phone"} else found
    return Place(address, key, channel)


def faults(default: Default, config: Mapping[str, Any], *, needed: bool = True) -> dict[str, str]:
    """Say which fields of a user's setting are wrong; with `needed`, which are missing, too (an e-mail's is not)."""
    found = {}
    for name, kind in default.address.items():
        if name not in config:
            if needed and kind != "email":
                found[name] = _UNKNOWN[kind]
        elif not is_valid(kind, config[name]):
            found[name] = _WRONG[kind]
    for name, words in default.options.items():
        if config.get(name, words[0]) not in words:
            found[name] = f"it must be one of {', '.join(words)}"
    known = {*default.address, *default.options}
    return found | {str(name): "there is no such field" for name in config if name not in known}


def is_valid(kind: str, value: Any) -> bool:
    """Whether a field of this kind may hold it."""
    if not isinstance(value, str) or not 0 < len(value) <= 2000 or not value.isprintable():
        return False  # neither empty nor with what could end a line
    match kind:
        case "email":
            return len(value) <= 254 and bool(_EMAIL.match(value))
        case "phone":
            return bool(E164.match(value))
        case "url":
            return _is_web(value)
    return True


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and " " not in url
    return is_whole and parts.username is None and parts.password is None

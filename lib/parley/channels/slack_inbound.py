"""
What Slack sends: signatures and events. Standard library only, since slack-ingest starts for each message from zero.

Sources: https://docs.slack.dev/authentication/verifying-requests-from-slack
         https://docs.slack.dev/reference/events/message and …/app_mention
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

LONGEST_ID = 60  # characters; Slack's are about 20
WINDOW = 300  # seconds that a timestamp may be off, both ways

# The subtypes that a person's own message can have, besides none. All others tell of changes, joins, bots.
_SAID = frozenset({"file_share", "thread_broadcast"})


@dataclass(frozen=True)
class Challenge:
    """Slack asks whether this URL is ours: answer with the text."""

    text: str


@dataclass(frozen=True)
class Said:
    """A person said something to us: the data of `parley.message.received`."""

    data: dict[str, Any]


@dataclass(frozen=True)
class Ignored:
    """Nothing for us."""

    reason: str


class NotSlack(Exception):
    """The body is nothing that Slack sends."""


def is_signed(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """
    Whether Slack signed these bytes within the last five minutes.

    Never raises: a missing or malformed header is a wrong signature. Several secrets allow rotation.
    """
    stamp = headers.get("X-Slack-Request-Timestamp", "")
    given = headers.get("X-Slack-Signature", "").encode("utf-8", "replace")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12) or abs(now - int(stamp)) > WINDOW:
        return False
    base = b"v0:" + stamp.encode() + b":" + body
    made = [b"v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest().encode() for secret in secrets]
    return any(hmac.compare_digest(given, signature) for signature in made)


def read(body: bytes) -> Challenge | Said | Ignored:
    """Read one verified request of the Events API. Raises NotSlack."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise NotSlack from None
    if not isinstance(payload, dict):
        raise NotSlack
    if payload.get("type") == "url_verification":
        return Challenge(str(payload.get("challenge", "")))
    event = payload.get("event")
    if payload.get("type") != "event_callback" or not isinstance(event, dict):
        return Ignored("no event of the Events API")
    if event.get("type") not in ("message", "app_mention"):
        return Ignored("neither a message nor a mention")
    return _message(payload, event)


def _message(payload: Mapping[str, Any], event: Mapping[str, Any]) -> Said | Ignored:
    ours = _ourselves(payload.get("authorizations"))
    workspace, sender, conversation, stamp = (
        _text(value) for value in (payload.get("team_id"), event.get("user"), event.get("channel"), event.get("ts"))
    )
    if reason := _not_for_us(event, ours, workspace, sender):
        return Ignored(reason)
    if not all(0 < len(part) <= LONGEST_ID for part in (workspace, sender, conversation, stamp)):
        return Ignored("incomplete")
    text = _text(event.get("text"))
    thread = _text(event.get("thread_ts"))[:LONGEST_ID] or stamp
    is_direct = event.get("channel_type") == "im" or conversation.startswith("D")
    is_mention = event["type"] == "app_mention" or any(f"<@{bot}" in text for bot in ours)
    is_reply = thread != stamp
    if not (is_direct or is_mention or is_reply):
        return Ignored("said to others")
    return Said(
        {
            "kind": "message",
            "origin": "slack",
            "key": f"slack:{workspace}:{conversation}:{stamp}",
            "workspace": workspace,
            "sender": sender,
            "conversation": conversation,
            "thread": thread,
            "is_reply": is_reply,
            "is_direct": is_direct,
            "is_mention": is_mention,
            "text": _spoken(text, ours),
        }
    )


def _ourselves(authorizations: Any) -> set[str]:
    """Give our own user ids: an app that is installed twice in a workspace has two."""
    listed = authorizations if isinstance(authorizations, list) else []
    return {_text(one.get("user_id")) for one in listed if isinstance(one, dict)} - {""}


def _not_for_us(event: Mapping[str, Any], ours: set[str], workspace: str, sender: str) -> str | None:
    subtype = event.get("subtype")
    if not (subtype is None or (isinstance(subtype, str) and subtype in _SAID)) or event.get("hidden"):
        return "not said by a person"
    if event.get("bot_id") or event.get("app_id") or not sender or sender in ours or sender == "USLACKBOT":
        return "said by a bot"
    teams = [team for team in (_text(event.get("user_team")), _text(event.get("source_team"))) if team]
    if teams and workspace not in teams:
        return "said by somebody outside of the workspace"
    return None


def _spoken(text: str, ours: set[str]) -> str:
    """Give the text without our own mention, with Slack's escapes undone; line breaks stay."""
    for bot in ours:
        text = text.replace(f"<@{bot}>", "")
    return unescape(text.replace("\x00", "")).strip()[:40_000]


def _text(value: Any) -> str:
    """Give a text; no NUL (PostgreSQL stores none), nothing that is not Unicode (a lone surrogate)."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""

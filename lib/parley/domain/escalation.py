"""Handing a conversation to a person: where they are, and what they are told."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from parley.domain.places import E164
from parley.domain.plan import Rank
from parley.domain.turn import Message
from parley.errors import Misconfigured

PATIENCE = timedelta(hours=72)
LONGEST = 30_000  # characters of a transcript


@dataclass(frozen=True)
class Escalation:
    """A conversation for a person, and where they are told; without a place it waits in the list of open ones."""

    reason: str
    transcript: str
    place: Rank | None = None


def place(setting: str | None) -> Rank | None:
    """Read where people are told: `email:desk@example.org`, `slack:T1:C1`, `sms:+491234567`. Raises Misconfigured."""
    if not setting:
        return None
    channel, _, rest = setting.partition(":")
    address = _address(channel, rest)
    if address is None:
        raise Misconfigured("ESCALATE_TO: expected email:ADDRESS, slack:WORKSPACE:CHANNEL, sms:+NUMBER or test")
    return Rank(channel, 1, address, f"escalation:{setting.lower()}", PATIENCE)


def transcript(question: str, history: Iterable[Message], *, reason: str, summary: str = "", who: str = "") -> str:
    """Give what a person needs to go on: why, who, and what was said; the oldest is left out when it is too long."""
    head = "\n".join(filter(None, (f"Reason: {reason}" if reason else "", f"From: {who}" if who else "")))
    said = [f"**{one.agent or 'Person'}:** {one.content}" for one in history]
    lines = [*([f"(before that) {summary}"] if summary else []), *said, f"**Person:** {question}"]
    kept: list[str] = []
    for line in reversed(lines):
        if sum(map(len, kept)) + len(line) > LONGEST:
            kept.append("(the beginning is left out)")
            break
        kept.append(line[:LONGEST])
    return f"{head}\n\n" + "\n\n".join(reversed(kept))


def _address(channel: str, rest: str) -> dict[str, Any] | None:
    match channel:
        case "email" if "@" in rest:
            return {"to": rest}
        case "slack" if rest.count(":") == 1 and all(rest.split(":")):
            workspace, conversation = rest.split(":")
            return {"workspace": workspace, "conversation": conversation, "thread": None}
        case "sms" if E164.match(rest):
            return {"to": rest}
        case "test" if not rest:
            return {}
    return None

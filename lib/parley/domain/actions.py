"""
Actions that wait for a person: what was shown is what is decided, and a message may decide.

    state        what it says
    open         the turn waits; the session's slot is kept
    approved     the turn goes on and calls the tool, once
    denied       the turn goes on without it
    expired      nobody decided in time; the turn goes on without it
    superseded   the user said something else, or cancelled: the turn has ended
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

State = Literal["open", "approved", "denied", "expired", "superseded"]
Decision = Literal["approved", "denied", "expired"]

_MENTION = re.compile(r"<@[^>]*>|:[a-z_]+:(?::skin-tone-\d:)?|[^\w\s+']")
_SIGNS = {"👍": "yes", "👎": "no", ":+1:": "yes", ":-1:": "no", ":thumbsup:": "yes", ":thumbsdown:": "no",
          ":white_check_mark:": "yes", "✅": "yes", "❌": "no", ":x:": "no"}  # fmt: skip
_YES = frozenset({
    "yes", "y", "yep", "yeah", "yes do", "yes do it", "yes do that", "yes go ahead", "yes i approve", "yes approve",
    "yes i confirm", "yes confirm", "yes proceed", "ok", "okay", "sure", "approve", "approved", "i approve",
    "confirm", "confirmed", "i confirm", "go ahead", "do it", "proceed", "ja", "ja bitte", "genehmigt",
})  # fmt: skip
_NO = frozenset({
    "no", "n", "nope", "no thanks", "no thank you", "no don't", "no do not", "don't", "do not", "don't do it",
    "do not do it", "deny", "denied", "reject", "rejected", "decline", "cancel", "stop", "nein", "nein danke",
})  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """
    A call of a tool for which somebody is asked. `fingerprint`: of the decision to ask.

    `summary` is what a person reads, `patience` how many seconds there are to decide.
    """

    tool: str
    arguments: dict[str, Any]
    risk: str
    summary: str
    fingerprint: str
    patience: float


@dataclass(frozen=True)
class Action:
    """One call of a tool that waits for a decision, or waited."""

    id: UUID
    request_id: UUID
    session_id: UUID
    tool: str
    arguments: Mapping[str, Any]
    digest: str
    risk: str
    summary: str
    state: State
    expires_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None


def digest(tool: str, arguments: Mapping[str, Any]) -> str:
    """Give the SHA-256 of a tool and its arguments in one canonical form."""
    text = json.dumps([tool, arguments], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def said(text: str) -> bool | None:
    """
    Read a message as a decision: True for yes, False for no, None for anything that is not clearly one of them.

    The whole message has to be it; a name that is mentioned and a "please" do not count.
    """
    for sign, word in _SIGNS.items():
        text = text.replace(sign, f" {word} ")
    words = _MENTION.sub(" ", text.replace("\u2019", "'").casefold()).split()
    plain = " ".join(word for word in dict.fromkeys(words) if word != "please")
    if plain in _YES:
        return True
    return False if plain in _NO else None

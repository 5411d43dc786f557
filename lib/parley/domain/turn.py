"""
Who may take a turn: decisions on a row that is locked, made without touching anything.

    verdict     what the caller does
    unknown     no such row: an event that outran its commit, or a forged one
    over        terminal: answer with a delivery that is still due, if any
    busy        somebody holds a living lease
    behind      an earlier request of the session is open; whoever ends it nudges this one
    waiting     somebody is to decide an action first: whoever does, or the clock, nudges it
    cancelled   end it as the user asked
    expired     its deadline has passed: fail it and tell the user
    spent       taken over too often without a step in between: fail it and tell the user
    take        take it
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from parley.domain.requests import TERMINAL

Verdict = Literal["unknown", "over", "busy", "behind", "waiting", "cancelled", "expired", "spent", "take"]


# How a turn ends without an answer: state, type and title of its error.
ENDINGS: Mapping[str, tuple[str, str, str]] = {
    "cancelled": ("cancelled", "urn:parley:problem:cancelled", "The request was cancelled."),
    "expired": ("failed", "urn:parley:problem:deadline", "No answer could be given in time. Please ask again."),
    "spent": ("failed", "urn:parley:problem:attempts", "This could not be answered. Please contact the service desk."),
}
CANCELLED: dict[str, Any] = {"type": ENDINGS["cancelled"][1], "title": ENDINGS["cancelled"][2]}


class LeaseLost(Exception):
    """Somebody else has taken over: stop at once, write nothing more."""


class Spent(Exception):
    """The user has spent what may be spent until `resets`; the lease is still ours."""

    def __init__(self, resets: datetime) -> None:
        super().__init__(resets.isoformat())
        self.resets = resets


class Cancelled(Exception):
    """The user has cancelled the request that this turn is for; the lease is still ours."""


@dataclass(frozen=True)
class Message:
    """One thing said in the session before."""

    role: Literal["user", "assistant"]
    content: str
    agent: str | None = None
    seq: int = 0  # of its request in the session


@dataclass(frozen=True)
class Read:
    """A file that came with a message: its text, or why it was not read (`fault`, for the person)."""

    name: str
    text: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Step:
    """One step of a turn in the journal; `started`, with its effect key, is an intent without a known outcome."""

    number: int
    kind: str
    fingerprint: str
    output: dict[str, Any]
    started: bool = False
    effect_key: UUID | None = None


@dataclass
class Turn:
    """
    A turn that is held: the lease is ours until it ends. `step` is the number of the next step.

    Of the session: `summary` of what was said up to `summarised_to`, which `history` follows; `tainted` once text of
    strangers was read in it. `forgets`: the session begins anew after this turn. `escalation`: why a person is wanted.
    `untold`: what of the progress log is written together with the end.

    `files` came with the question and are named only; `known` were read earlier in the session. `since`: seconds since
    the turn was begun.
    """

    request_id: UUID
    session_id: UUID
    user_id: UUID
    source: str
    content: str
    agent: str | None
    epoch: int
    step: int
    revision: str
    verdict: Verdict
    origin: dict[str, Any] | None = None
    delivery: dict[str, Any] | None = None
    traceparent: str | None = None
    taken_in: str | None = None  # the trace context of the claim before this one
    acted_at: datetime | None = None  # when the user last did something about it
    history: tuple[Message, ...] = ()
    files: tuple[Mapping[str, Any], ...] = ()
    known: tuple[Read, ...] = ()
    since: float = 0.0
    journal: dict[int, Step] = field(default_factory=dict)
    summary: str = ""
    summarised_to: int = 0
    tainted: bool = False
    forgets: bool = False
    escalation: str | None = None
    untold: tuple[tuple[str, dict[str, Any]], ...] = ()

    def journaled(self, mark: str) -> Step | None:
        """Give the step of this fingerprint."""
        return next((step for step in self.journal.values() if step.fingerprint == mark), None)


def decide(row: Mapping[str, Any] | None, *, max_attempts: int) -> Verdict:
    """Decide on a locked row of `requests` with its `leased`, `behind`, `waiting` and `past_deadline`."""
    if row is None:
        return "unknown"
    first: tuple[tuple[Verdict, bool], ...] = (
        ("over", row["state"] in TERMINAL),
        ("busy", row["leased"]),
        ("behind", row["behind"]),
        ("waiting", row["waiting"]),
        ("cancelled", row["cancel_requested"]),
        ("expired", row["past_deadline"]),
        ("spent", row["attempt"] >= max_attempts),
    )
    return next((verdict for verdict, holds in first if holds), "take")


def takeover(row: Mapping[str, Any]) -> bool:
    """Whether taking this row is a takeover of an expired lease, and so counts as an attempt."""
    return bool(row["state"] == "running")


def fingerprint(*decision: Any) -> str:
    """Give the fingerprint of a decision; a journaled step is reused only when it is the same (SHA-256, 32 hex)."""
    return hashlib.sha256(json.dumps(decision, sort_keys=True, default=str).encode()).hexdigest()[:32]

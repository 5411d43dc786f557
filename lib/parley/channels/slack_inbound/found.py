"""What a request of Slack's comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_ID = 60  # characters; Slack's are about 20
LONGEST_TEXT = 40_000  # characters


class NotSlack(Exception):
    """The body is nothing that Slack sends."""


@dataclass(frozen=True)
class Found:
    """
    What to do, in this order, within Slack's three seconds.

    `view` is opened in `workspace` for `trigger`, which dies in three seconds; `data` is published as
    `parley.message.received`; `answer` is the JSON of the 200 (None: an empty one). `again` says that Slack sends the
    request again when it is answered 503; where it does not, `sorry` is the answer that tells the person. `ignored` is
    why nothing is done.
    """

    data: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    view: Mapping[str, Any] | None = None
    trigger: str = ""
    workspace: str = ""
    enterprise: str = ""
    again: bool = False
    sorry: Mapping[str, Any] | None = None
    ignored: str = ""


def text(value: Any) -> str:
    """Give a text; no NUL (PostgreSQL stores none), nothing that is not Unicode (a lone surrogate)."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def ids(*values: Any) -> tuple[str, ...] | None:
    """Give ids of Slack's as texts, or None when one of them is none."""
    read = tuple(text(value) for value in values)
    return read if all(0 < len(one) <= LONGEST_ID for one in read) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """Give a JSON object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Give the JSON objects of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def ephemeral(words: str) -> dict[str, Any]:
    """Give an answer to a command that only its sender sees."""
    return {"response_type": "ephemeral", "text": words}

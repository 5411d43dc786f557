"""Pages of a list: keyset cursors, which hold where the last page ended and nothing that a caller could not know."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from parley.api.problems import Problem
from parley.api.route import Answer, Call

Limit = Annotated[int, Field(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[
    str | None, Field(max_length=500, description="Where the page before ended: from `next_cursor` or `Link`.")
]


class Page(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    limit: Limit = 50
    cursor: Cursor = None


def cursor(*values: Any) -> str:
    """Make the cursor of a place in the order of a list."""
    text = json.dumps([str(value) for value in values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place(text: str | None, *kinds: Callable[[str], Any]) -> list[Any]:
    """Read a cursor; as many Nones without one. Raises Problem for one that is not ours."""
    if text is None:
        return [None] * len(kinds)
    try:
        values = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        return [kind(str(value)) for kind, value in zip(kinds, values, strict=True)]
    except (TypeError, ValueError, binascii.Error, RecursionError):
        raise Problem("bad-request", detail="The cursor is none of ours.") from None


def page(call: Call, rows: Sequence[Any], shown: Callable[[Any], Any], key: Callable[[Any], Sequence[Any]]) -> Answer:
    """Give a page of `limit` from rows of which one more was read, with a link to the next one when there is one."""
    limit = call.query.limit
    body: dict[str, Any] = {"items": [shown(row) for row in rows[:limit]], "next_cursor": None}
    if len(rows) <= limit:
        return Answer(body)
    body["next_cursor"] = cursor(*key(rows[limit - 1]))
    asked = call.query.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    link = f"{call.address}?{urlencode({**asked, 'cursor': body['next_cursor']})}"
    return Answer(body, headers={"Link": f'<{link}>; rel="next"'})

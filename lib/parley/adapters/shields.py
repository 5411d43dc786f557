"""
Shields of Llama Stack: who looks at what comes in, at what was read, and at what goes out.

A shield is named as the server names it (`/v1/shields`); `moderation:MODEL` asks `/v1/moderations` instead, which other
servers of the OpenAI API have, too.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from parley.adapters.llama_stack import once_more
from parley.errors import Unavailable

log = logging.getLogger("parley.shields")

MODERATION = "moderation:"
LONGEST = 20_000  # characters of one look
OVERLAP = 500  # of two looks: nothing slips through between them


class Shields:
    """Asks shields, one after the other. `client` gives Llama Stack's, opened at its first use."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def objection(self, names: Sequence[str], text: str, role: str) -> str | None:
        """Give the name of the first shield that objects to a text, None when none does. Raises Unavailable."""
        for name in names if text.strip() else ():
            for start in range(0, max(len(text) - OVERLAP, 1), LONGEST - OVERLAP):
                if self._objects(name, text[start : start + LONGEST], role):
                    log.warning("a shield objects", extra={"fields": {"shield": name, "role": role}})
                    return name
        return None

    def _objects(self, name: str, text: str, role: str) -> bool:
        import httpx
        from llama_stack_client import APIError

        client = self._client()
        try:
            if name.startswith(MODERATION):
                model = name.removeprefix(MODERATION)
                found = once_more(lambda: client.moderations.create(input=text, model=model))
                return any(result.flagged for result in found.results)
            message = {"role": role, "content": text}
            seen = once_more(lambda: client.safety.run_shield(shield_id=name, messages=[message]))
            return seen.violation is not None
        except (APIError, httpx.HTTPError) as error:
            raise Unavailable(f"the shield {name} cannot be asked: {type(error).__name__}") from None

"""
What a person in Slack sees while their answer is being made: the text so far and a line that says what is done.

A stream only grows. A text that is begun anew (`reset`) cannot be taken out of it, so that the message is edited from
then on. Sources: https://docs.slack.dev/reference/methods/chat.appendStream, …/assistant.threads.setStatus
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from parley.channels.slack_text import size

LONGEST = 11_000  # characters that are streamed; the rest comes with the whole answer
STATUS = 100  # characters of the line
ENDINGS = frozenset({"completed", "failed", "cancelled", "requires_action"})
THINKING = "is thinking…"

_CALL = re.compile(r"<(?=[!@#])|@(?=(?:here|channel|everyone)\b)", re.IGNORECASE)
_MAYBE = re.compile(r"(?:<|@[a-z]*)\Z", re.IGNORECASE)  # what the next piece could make a call of


@dataclass
class Script:
    """The progress log as it is read, from its first line to `seq`."""

    seq: int = 0
    texts: dict[int, str] = field(default_factory=dict)  # by step
    status: str = THINKING
    ended: str | None = None
    anew: bool = False  # a text was discarded that may have been shown
    result: str = ""  # the whole answer, when it is there
    shown: int = 0  # characters of `said` that are in the stream

    def read(self, events: Iterable[tuple[int, str, dict[str, Any]]]) -> None:
        """Read on."""
        for seq, kind, data in events:
            self.seq = seq
            step = int(data.get("step", 0))
            if kind == "text":
                self.texts[step] = self.texts.get(step, "") + str(data.get("delta", ""))
            elif kind == "reset" and self.texts.pop(step, ""):
                self.anew = True
            elif kind == "tool_call" and data.get("state") == "started":
                self.status = f"is using {str(data.get('tool', 'a tool')).replace('_', ' ')}…"[:STATUS]
            elif kind == "step" and data.get("state") == "started" and data.get("kind") == "model":
                self.status = THINKING
            elif kind == "step" and data.get("state") == "started" and data.get("kind") == "file":
                self.status = "is reading your file…"
            elif kind in ENDINGS:
                self.ended = kind
                self.result = str((data.get("result") or {}).get("text") or "")
            elif kind == "status" and data.get("status") == "running":
                self.ended = None

    @property
    def said(self) -> str:
        """The text so far, which calls nobody."""
        whole = "\n\n".join(self.texts[step] for step in sorted(self.texts) if self.texts[step].strip())
        return _CALL.sub(lambda match: f"{match[0]}\u200b", whole)

    def more(self, *, last: bool = False) -> str:
        """Give what can be appended; what the next piece could make a call of is kept back, unless `last`."""
        ready = self.said if last else _MAYBE.sub("", self.said)
        return "" if size(ready) > LONGEST else ready[self.shown :]

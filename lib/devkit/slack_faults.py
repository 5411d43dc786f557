"""
What can be made to go wrong with a call of the stand-in for Slack.

Slack's own forms: https://docs.slack.dev/apis/web-api/rate-limits (429, Retry-After, about one message a second for
each channel) and https://docs.slack.dev/apis/web-api#responses (errors come with status 200). The others are what
networks do.
Left out: the short bursts that Slack may let through, limits of a whole workspace, the tiers of other methods.
"""

import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from devkit.serving import Reply, as_json

type Kind = Literal["error", "status", "ratelimited", "delay", "reset", "hang", "trickle"]


@dataclass
class Fault:
    """
    What happens to the next calls of `method` ("*": of any), after `skip` that pass and for `times`.

    * "error": status 200 with `{"ok": false, "error": error}`
    * "status": HTTP `status` with a body that is no JSON, or that of `error`
    * "ratelimited": HTTP 429 with Retry-After of `seconds`
    * "delay": the answer comes `seconds` later
    * "reset", "hang": no answer
    * "trickle": the answer comes one byte each `seconds`

    With `accepted` the call takes effect first, and only its answer is lost or replaced. A "trickle" always takes
    effect; a "delay" does so after the wait, with `accepted` before it.
    """

    kind: Kind
    method: str = "*"
    times: int = 1
    skip: int = 0
    accepted: bool = False
    error: str = ""
    status: int = 500
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind.__value__):
            raise ValueError(f"no such kind of fault: {self.kind}")

    def reply(self, answer: Reply | None) -> Reply:
        """Give what goes out. `answer` is that of the call, None when it must not take effect."""
        match self.kind:
            case "error":
                return as_json({"ok": False, "error": self.error})
            case "status":
                body = json.dumps({"ok": False, "error": self.error}) if self.error else "<html>Server Error</html>"
                kind = "application/json; charset=utf-8" if self.error else "text/html"
                return Reply(self.status, body.encode(), {"Content-Type": kind})
            case "ratelimited":
                return ratelimited(self.seconds)
            case "reset" | "hang":
                return Reply(breaks=self.kind)
            case "trickle":
                assert answer
                return replace(answer, breaks="trickle", pace=self.seconds)
            case "delay":
                assert answer
                return replace(answer, delay=self.seconds if self.accepted else 0)

    @property
    def takes_effect(self) -> bool:
        """Whether the call is done."""
        return self.accepted or self.kind in ("delay", "trickle")


class Faults:
    """Those still to come, and the pace that each channel is held to."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()
        self._gap = 0.0
        self._posted: dict[str, float] = {}

    def add(self, fault: Fault) -> None:
        """Expect one more."""
        with self._lock:
            self._waiting.append(replace(fault))

    def take(self, method: str) -> Fault | None:
        """Give the fault that this call meets: of those for its method the one that was added first."""
        with self._lock:
            for fault in self._waiting:
                if fault.method not in ("*", method) or fault.times <= 0:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    return None
                fault.times -= 1
                return fault
        return None

    def clear(self) -> None:
        """Let everything pass again."""
        with self._lock:
            self._waiting.clear()
            self._posted.clear()
            self._gap = 0.0

    def pace(self, seconds: float) -> None:
        """Take one message each `seconds` for each channel."""
        with self._lock:
            self._gap = seconds

    def too_fast(self, channel: Any) -> Reply | None:
        """Give the 429 for a message that comes too early; else count it."""
        with self._lock:
            now = self._monotonic()
            wait = self._posted.get(str(channel), -math.inf) + self._gap - now
            if self._gap and wait > 0:
                return ratelimited(wait)
            self._posted[str(channel)] = now
        return None


def ratelimited(seconds: float) -> Reply:
    """Give Slack's 429, which counts in whole seconds."""
    return as_json({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(max(1, math.ceil(seconds)))})

"""
A sign of life: while a turn runs, the person who asked sees what is done and the answer as it is written.

Best effort. Whatever goes wrong here ends the stream and nothing else: the delivery puts the whole answer into the
message that was begun, or posts it. Any instance goes on where another one stopped: what was shown stands in the row.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from parley.channels.slack_stream import Script
from parley.delivery import Courier
from parley.domain.events import Emit, ResponseReady, TurnStarted

log = logging.getLogger("parley.streams")

EACH = 0.7  # seconds between two additions: Slack takes a hundred a minute
EDITS = 1.5  # seconds between two edits: Slack takes fifty a minute


@dataclass
class Begun:
    """A question whose answer is shown as it is written. `ts` is None until its message is there."""

    request_id: UUID
    workspace: str
    conversation: str
    thread: str
    person: str | None
    enterprise: str | None = None
    ts: str | None = None
    seq: int = 0  # of the progress log: what was shown
    question: str = ""


class StreamOver(Exception):
    """Slack takes no more of it; `stopped`: the person has stopped it."""

    def __init__(self, reason: str, *, stopped: bool = False, editable: bool = False) -> None:
        super().__init__(reason)
        self.stopped = stopped
        self.editable = editable


@dataclass(frozen=True)
class Titled:
    """A thread that wants a title, and what was asked first in it."""

    workspace: str
    conversation: str
    thread: str
    question: str
    enterprise: str | None = None


class Store(Protocol):
    """Where streams are kept, and the progress log that they are made from."""

    def begin(self, request_id: UUID, lease: float) -> Begun | None: ...
    def untitled(self, request_id: UUID) -> Titled | None: ...
    def opened(self, begun: Begun, ts: str) -> bool: ...
    def advance(self, begun: Begun, seq: int, lease: float) -> bool: ...
    def leave(self, begun: Begun) -> None: ...
    def events(self, request_id: UUID, after: int) -> list[tuple[int, str, dict[str, Any]]]: ...
    def cancel(self, request_id: UUID) -> None: ...


class Screen(Protocol):
    """What Slack can show. Each raises StreamOver."""

    def title(self, thread: Titled) -> None: ...
    def working(self, begun: Begun) -> None: ...
    def rested(self, begun: Begun, *, waits: bool) -> None: ...
    def status(self, begun: Begun, text: str) -> None: ...
    def start(self, begun: Begun) -> str: ...
    def append(self, begun: Begun, text: str) -> None: ...
    def stop(self, begun: Begun) -> None: ...
    def edit(self, begun: Begun, text: str) -> None: ...
    def remove(self, begun: Begun, ts: str) -> None: ...


@dataclass
class _View:
    """Whether a message still grows or is edited, and what the last edit said."""

    editing: bool = False
    edited: str = ""

    def wanted(self, script: Script) -> str:
        """Give what is to be shown next."""
        if not self.editing:
            return script.more()
        return script.said if script.said != self.edited else ""


class Both:
    """The handler of a channel that delivers answers, and shows them as they are written."""

    def __init__(self, courier: Courier, streams: "Streams") -> None:
        self._courier = courier
        self._streams = streams
        self.ready = courier.ready
        self.close = courier.close

    def __call__(self, event: ResponseReady | TurnStarted) -> Emit | None:
        if isinstance(event, ResponseReady):
            return self._courier(event)
        self._streams(event)
        return None


class Streams:
    """
    The handler of parley.turn.started. At most `most` are followed at once, so that answers always find a thread.

    Seconds: `patience` before anything is shown, `lease` of a stream, `longest` that one invocation follows it.
    """

    def __init__(
        self,
        store: Store,
        screen: Screen,
        *,
        most: int = 2,
        lease: float = 15.0,
        longest: float = 200.0,
        patience: float = 0.5,
        beat: float = 0.3,
        leaving: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._screen = screen
        self._places = threading.Semaphore(most)
        self._lease = lease
        self._longest = longest
        self._patience = patience
        self._beat = beat
        self._leaving = leaving
        self._clock = clock
        self._sleep = sleep

    def __call__(self, started: TurnStarted) -> None:
        """Follow a turn until it ends."""
        called = self._clock()
        self._titled(started.request_id)
        if (rest := self._patience - (self._clock() - called)) > 0:
            self._sleep(rest)  # an answer that comes at once needs no sign of life
        begun = self._store.begin(started.request_id, self._lease)
        if begun is None:
            return
        following = self._places.acquire(blocking=False)
        try:
            if following:
                self._screen.working(begun)
                self._follow(begun)
            else:
                self._screen.status(begun, Script().status)
        except StreamOver as over:
            log.info("stream over", extra={"fields": {"reason": str(over)}})
            if over.stopped:
                self._store.cancel(begun.request_id)
        finally:
            if following:
                self._places.release()
            self._store.leave(begun)

    def _titled(self, request_id: UUID) -> None:
        """Name the thread after its first question, once; nobody is owed a title."""
        if thread := self._store.untitled(request_id):
            try:
                self._screen.title(thread)
            except StreamOver as over:
                log.info("no title", extra={"fields": {"reason": str(over)}})

    def _follow(self, begun: Begun) -> None:
        script = Script()
        try:
            self._followed(begun, script)
        finally:
            if script.ended or not self._leaving():  # else another instance goes on with it
                self._screen.rested(begun, waits=script.ended == "requires_action")

    def _followed(self, begun: Begun, script: Script) -> None:
        until, kept = self._clock() + self._longest, self._clock()
        told, last, view = "", 0.0, _View()
        self._catch_up(script, begun)
        while self._clock() < until and not self._leaving():
            script.read(self._store.events(begun.request_id, script.seq))
            if script.ended:
                break
            self._begun_anew(script, begun, view)
            now = self._clock()
            if script.status != told and not script.said:
                told = script.status
                self._screen.status(begun, told)
            if now - last >= (EDITS if view.editing else EACH) and (more := view.wanted(script)):
                self._shown(script, begun, more, view)
                last = now
            if now - kept > self._lease / 3:
                if not self._store.advance(begun, begun.seq, self._lease):
                    return  # somebody else follows it, or the answer is there
                kept = now
            self._sleep(self._beat)
        if script.ended in ("cancelled", "requires_action") and begun.ts:
            self._rest(script, begun, view)
        elif script.ended == "cancelled" and told:
            self._screen.status(begun, "")

    def _catch_up(self, script: Script, begun: Begun) -> None:
        """What another instance has shown is not shown again."""
        if begun.ts:
            script.read(one for one in self._store.events(begun.request_id, 0) if one[0] <= begun.seq)
            script.shown, script.anew = len(script.more()), False

    def _begun_anew(self, script: Script, begun: Begun, view: "_View") -> None:
        if script.anew and begun.ts and not view.editing:
            self._screen.stop(begun)
            view.editing = True
        script.anew = False

    def _shown(self, script: Script, begun: Begun, more: str, view: "_View") -> None:
        try:
            self._show(script, begun, more, view)
        except StreamOver as over:
            if not over.editable:
                raise
            view.editing = True  # its five minutes are over, or an approval came between

    def _show(self, script: Script, begun: Begun, more: str, view: "_View") -> None:
        if begun.ts is None:
            ts = self._screen.start(begun)
            if not self._store.opened(begun, ts):
                self._screen.remove(begun, ts)  # the answer was posted meanwhile
                raise StreamOver("the answer is there already")
            begun.ts = ts
        if not self._store.advance(begun, script.seq, self._lease):
            raise StreamOver("somebody else follows it, or the answer is there")
        begun.seq = script.seq
        if not view.editing:
            self._screen.append(begun, more)
            script.shown += len(more)
            return
        self._screen.edit(begun, more)
        view.edited = more
        if not self._store.advance(begun, begun.seq, self._lease):
            self._repair(script, begun)

    def _repair(self, script: Script, begun: Begun) -> None:
        """The answer came while we edited: nobody knows which was last, so it is put there once more."""
        script.read(self._store.events(begun.request_id, script.seq))
        if script.result:
            self._screen.edit(begun, script.result)
        raise StreamOver("the answer is there")

    def _rest(self, script: Script, begun: Begun, view: "_View") -> None:
        if not view.editing and (more := script.more(last=True)):
            self._screen.append(begun, more)
        self._screen.stop(begun)
        if script.ended == "cancelled":
            self._screen.edit(begun, f"{script.said}\n\n*Stopped.*")

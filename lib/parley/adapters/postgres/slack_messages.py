"""What Slack was told so far: the messages of an answer, when the next one may go to a channel."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database
from parley.domain.delivery import Job
from parley.streams import Begun, Titled

STOPPED = {"type": "about:blank", "title": "Stopped by the user."}


@dataclass(frozen=True)
class Posted:
    """One message of an answer; `ts` is None while it is being started."""

    part: int
    conversation: str
    ts: str | None
    state: str
    seq: int = 0


class SlackMessages:
    """The store beside the deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, job: Job) -> dict[int, Posted]:
        """Give the messages that an answer has so far, by part."""
        rows = self._database.rows("slack_messages_of", request_id=job.request_id, kind=job.kind)
        return {row["part"]: Posted(**row) for row in rows}

    def keep(self, job: Job, part: int, conversation: str, ts: str) -> None:
        """Write down that a part was posted."""
        self._database.run(
            "keep_slack_message", request_id=job.request_id, kind=job.kind, part=part, conversation=conversation, ts=ts
        )

    def drop_start(self, job: Job) -> None:
        """Forget a stream whose message nobody has written down: it will be taken away by whoever began it."""
        self._database.run("drop_start", request_id=job.request_id)

    def forget(self, job: Job, part: int) -> None:
        """Forget a message that is no more."""
        self._database.run("forget_slack_message", request_id=job.request_id, kind=job.kind, part=part)


class StreamRows:
    """The streams, and the progress log that they are made from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, request_id: UUID, lease: float) -> Begun | None:
        """Take the stream of a question; None when somebody has it, or there is to be none."""
        taken = self._database.row("begin_stream", request_id=request_id, lease=lease)
        place = taken and self._database.row("stream_place", request_id=request_id)
        if not taken or not place:
            return None
        origin, person = place["origin"], place["person"]
        where = (str(origin.get("workspace") or ""), str(origin["conversation"]), str(origin["thread"]))
        seen = (taken["ts"], taken["seq"], place["question"])
        return Begun(request_id, *where, person, origin.get("enterprise"), *seen)

    def untitled(self, request_id: UUID) -> Titled | None:
        """Give the thread of a question, once: of the first in a thread of a direct conversation with us."""
        row = self._database.row("take_title", request_id=request_id)
        if row is None:
            return None
        origin = row["origin"]
        where = (str(origin.get("workspace") or ""), str(origin["conversation"]), str(origin["thread"]))
        return Titled(*where, row["question"] or row["file"] or "", origin.get("enterprise"))

    def opened(self, begun: Begun, ts: str) -> bool:
        """Write down the message of a stream; False when the answer was posted meanwhile."""
        return bool(self._database.run("stream_opened", request_id=begun.request_id, ts=ts))

    def advance(self, begun: Begun, seq: int, lease: float) -> bool:
        """Say that so much is shown, and keep the stream; False when somebody else has it, or the answer is there."""
        known = begun.seq
        return bool(
            self._database.run("advance_stream", request_id=begun.request_id, seq=seq, known=known, lease=lease)
        )

    def leave(self, begun: Begun) -> None:
        """Let somebody else go on with it; one that was never opened is forgotten."""
        if begun.ts is None:
            self._database.run("drop_start", request_id=begun.request_id)
        else:
            self._database.run("leave_stream", request_id=begun.request_id)

    def events(self, request_id: UUID, after: int) -> list[tuple[int, str, dict[str, Any]]]:
        """Give the progress log from there on."""
        rows = self._database.rows("stream_events", request_id=request_id, after=after)
        return [(row["seq"], row["type"], row["data"]) for row in rows]

    def cancel(self, request_id: UUID) -> None:
        """The person has stopped it: the turn ends at its next step."""
        if row := self._database.row("stream_cancel", request_id=request_id):
            from parley.adapters.postgres.requests import Requests  # rarely needed

            Requests(self._database).cancel(request_id, row["user_id"], STOPPED)


class Paces:
    """So many messages to a place, over all instances. `gap`: seconds between two."""

    def __init__(self, database: Database, gap: float) -> None:
        self._database = database
        self._gap = gap

    def take(self, key: str, budget: float) -> tuple[bool, float]:
        """
        Take the next slot, when it is no further away than `budget`.

        Gives whether it was taken, and the seconds until it.
        """
        if self._gap <= 0:
            return True, 0.0
        for _ in range(2):
            with self._database.autocommit() as alone:
                if taken := alone.row("take_slot", key=key, gap=self._gap, budget=budget):
                    return True, taken["pause"]
                if row := alone.row("next_slot", key=key):
                    return False, row["pause"]
                alone.run("open_pace", key=key)
        return False, self._gap

    def hold(self, key: str, seconds: float) -> None:
        """Let nobody send there for so long: we were asked to wait."""
        self._database.run("hold_pace", key=key, seconds=seconds)

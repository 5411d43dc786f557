"""What Slack was told so far: the messages of an answer, when the next one may go to a channel."""

from dataclasses import dataclass

from parley.adapters.postgres.database import Database
from parley.domain.delivery import Job


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

    def forget(self, job: Job, part: int) -> None:
        """Forget a message that is no more."""
        self._database.run("forget_slack_message", request_id=job.request_id, kind=job.kind, part=part)


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

"""What a chat shows and changes: questions by their messages, a person's own requests and preferences."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Row
from parley.channels.slack_actions import CHANNELS
from parley.domain import ids

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_RATINGS = {"good": "up", "bad": "down"}


class Chat:
    """The store of `deeds`. `origin` is the chat system, such as `slack`."""

    def __init__(self, database: Database, origin: str = "slack") -> None:
        self._database = database
        self._origin = origin

    def question(self, message: str) -> Row | None:
        """Give the request (`id`, `user_id`) that a message's identity was accepted as."""
        workspace = message.split(":")[1] if message.count(":") > 1 else ""
        return self._database.row("question_of_message", principal=f"{self._origin}:{workspace}", key=message)

    def edit(self, request_id: UUID, user_id: UUID, text: str) -> bool:
        """Replace the text of a question whose turn has not begun. Says whether it was replaced."""
        with self._database.transaction() as tx:
            tx.row("lock_session_of", id=request_id)
            return bool(tx.run("edit_question", id=request_id, user_id=user_id, text=text))

    def open_in_thread(self, thread: str, user_id: UUID) -> Sequence[UUID]:
        """Name a person's open requests in a thread, first to last."""
        return [row["id"] for row in self._database.rows("open_in_thread", thread=thread, user_id=user_id)]

    def recent(self, user_id: UUID) -> Sequence[Row]:
        """Give a person's latest requests: `id`, `question`, `state`, `asked`."""
        return self._database.rows("recent_questions", user_id=user_id, limit=10)

    def to_hand_over(self, user_id: UUID, request_id: UUID | None) -> Row | None:
        """Give a person's request, the latest one for None, as `Escalations.open` takes it."""
        return self._database.row("request_to_hand_over", user_id=user_id, id=request_id)

    def start_over(self, user_id: UUID, conversations: Sequence[str]) -> int:
        """Close a person's sessions in these conversations. Gives how many."""
        return self._database.run("close_sessions", user_id=user_id, conversations=list(conversations))

    def preferences(self, user_id: UUID) -> Row:
        """Give `channels` {name: rank, 0: never, None: as everybody}, `quiet` (from, until) or None, `timezone`."""
        user = self._database.row("chat_preferences", user_id=user_id)
        assert user, "a user who did something exists"
        begin, end = user.pop("quiet_from"), user.pop("quiet_until")
        chosen = {one["channel"]: 0 if one["enabled"] is False else one["rank"] for one in user["channels"]}
        quiet = (begin, end) if begin and end and begin != end else None
        return {**user, "quiet": quiet, "channels": {name: chosen.get(name) for name in CHANNELS}}

    def prefer(self, user_id: UUID, values: Mapping[str, str]) -> None:
        """Keep what was filled into the form of preferences; a field that is not there stays."""
        with self._database.transaction() as tx:
            for name in CHANNELS:
                if (choice := values.get(f"channel_{name}")) is not None:
                    tx.run("prefer_channel", id=ids.new(), user_id=user_id, channel=name, **_choice(choice))
            begin, end = values.get("quiet_from"), values.get("quiet_until")
            if begin is not None and end is not None:
                tx.run("prefer_quiet", user_id=user_id, begin=_time(begin), end=_time(end))
            if (zone := values.get("parley_timezone")) and _is_zone(zone):
                tx.run("prefer_timezone", user_id=user_id, timezone=zone)

    def vote(self, request_id: UUID, user_id: UUID, rating: str) -> bool:
        """Keep what a person thinks of an answer of theirs, the last word counting. Says whether it is theirs."""
        return bool(self._database.run("vote", id=request_id, user_id=user_id, rating=_RATINGS[rating]))


def _choice(text: str) -> dict[str, Any]:
    if text == "never":
        return {"enabled": False, "rank": None}
    return {"enabled": None, "rank": int(text) if text in ("1", "2", "3", "4") else None}


def _time(text: str) -> str | None:
    """Give a time of the form's, `22:00`; None for none."""
    return text if _TIME.fullmatch(text) else None


def _is_zone(name: str) -> bool:
    from zoneinfo import available_timezones

    return name in available_timezones()

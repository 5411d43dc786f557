"""
The state of one pretended Slack workspace: its people, its conversations, their messages. No HTTP here.

Shapes follow https://docs.slack.dev/reference/objects/user-object, …/conversation-object, …/file-object and
https://docs.slack.dev/reference/events/message. Left out: edits by people, Slack Connect, enterprise grids.
"""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

type Message = dict[str, Any]

TEAM = "T0PARLEY1"
APP = "A0PARLEY1"
BOT = "B0PARLEY1"
BOT_USER = "U0PARLEYB"
ALICE = "U0ALICE01"
BOB = "U0BOB0001"
GENERAL = "C0GENERAL"
TOKEN = "xoxb-stand-in"  # noqa: S105 - opens nothing but this stand-in


@dataclass
class Conversation:
    """A channel ("channel"), a direct message with the app ("im") or one of several people ("mpim")."""

    id: str
    name: str = ""
    kind: str = "channel"
    members: tuple[str, ...] = ()
    archived: bool = False
    messages: dict[str, Message] = field(default_factory=dict)


class Workspace:
    """
    One workspace with the app installed.

    `clock` gives seconds since 1970; every timestamp is made from it, unique and rising over the whole workspace.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = 0
        self._numbers = itertools.count(1)
        self.changed = threading.Condition(threading.RLock())
        self.now = clock
        self.statuses: list[str] = []
        self.sessions: dict[
            tuple[str, str], dict[str, Any]
        ] = {}  # by conversation and thread: `status`, `title`, `seen`
        self.titles: dict[tuple[str, str], str] = {}  # by conversation and thread
        self.files: dict[str, tuple[dict[str, Any], bytes]] = {}  # by id: the file object, and what is in it
        self.users: dict[str, dict[str, Any]] = {}
        self.conversations: dict[str, Conversation] = {}
        self.add_user("Parley", "", id=BOT_USER, is_bot=True)
        self.add_user("Alice Adams", "alice@example.com", id=ALICE)
        self.add_user("Bob Brown", "bob@example.com", id=BOB, tz="America/New_York")
        self.add_channel("general", id=GENERAL)

    def add_user(self, real_name: str, email: str, **fields: Any) -> str:
        """Add a person, or with `is_bot` a bot; gives the id. `fields` go into the user object, `id` and `tz` too."""
        with self.changed:
            user = _user(real_name, email, {"id": f"U0{next(self._numbers):07d}", **fields})
            self.users[user["id"]] = user
            return str(user["id"])

    def add_channel(self, name: str, *, id: str = "", bot_in: bool = True, archived: bool = False) -> str:  # noqa: A002
        """Add a public channel with everybody in it, the app only when `bot_in`; gives the id."""
        with self.changed:
            people = tuple(user for user in self.users if bot_in or user != BOT_USER)
            return self._add(Conversation(id or f"C0{next(self._numbers):07d}", name, "channel", people, archived))

    def open(self, users: tuple[str, ...]) -> tuple[str, bool]:
        """Open the app's conversation with these people; gives the id and whether it was open already."""
        with self.changed:
            members = (*sorted(set(users)), BOT_USER)
            kind, prefix = ("im", "D0") if len(members) == 2 else ("mpim", "G0")
            for conversation in self.conversations.values():
                if conversation.kind == kind and conversation.members == members:
                    return conversation.id, True
            return self._add(Conversation(f"{prefix}{next(self._numbers):07d}", "", kind, members)), False

    def upload(self, user: str, name: str, content: bytes, url: str, fields: dict[str, Any]) -> str:
        """Keep a file of a person's; gives its id. `url` is where Slack is."""
        with self.changed:
            file_id = f"F0{next(self._numbers):07d}"
            address = f"{url}/files-pri/{TEAM}-{file_id}"
            known = {
                "id": file_id, "created": int(self._clock()), "timestamp": int(self._clock()), "name": name,
                "title": name, "mimetype": "application/octet-stream", "filetype": name.rpartition(".")[2],
                "user": user, "user_team": TEAM, "mode": "hosted", "is_external": False, "size": len(content),
                "url_private": f"{address}/{name}", "url_private_download": f"{address}/download/{name}",
                "file_access": "visible",
            }  # fmt: skip
            self.files[file_id] = ({**known, **fields}, content)
            return file_id

    def shared(self, files: Sequence[str]) -> list[dict[str, Any]]:
        """Give the file objects of an event: of a file of another organisation, its id and the word to ask."""
        short = ("id", "created", "timestamp", "file_access")
        found = [self.files[file_id][0] for file_id in files]
        return [
            {name: one[name] for name in short} if one["file_access"] == "check_file_info" else one for one in found
        ]

    def say(self, conversation: str, message: Message) -> Message:
        """Add a message, or with a `ts` that exists replace it; gives it with its `ts`."""
        with self.changed:
            ts = message.get("ts") or self._timestamp()
            stored = {**message, "ts": ts}
            self.conversations[conversation].messages[ts] = stored
            self.changed.notify_all()
            return stored

    def remove(self, conversation: str, ts: str) -> None:
        """Take a message away."""
        with self.changed:
            del self.conversations[conversation].messages[ts]
            self.changed.notify_all()

    def all_messages(self) -> list[Message]:
        """Give every message in the order it was accepted, each with its `channel`."""
        with self.changed:
            found = [{**m, "channel": c.id} for c in self.conversations.values() for m in c.messages.values()]
        return sorted(found, key=lambda message: str(message["ts"]))

    def thread(self, conversation: str, ts: str) -> list[Message]:
        """Give the thread that a message is in, parent first; empty when there is no such message."""
        with self.changed:
            messages = self.conversations[conversation].messages
            if ts not in messages:
                return []
            root = messages[ts].get("thread_ts", ts)
            return [self.shown(conversation, m) for m in messages.values() if root in (m["ts"], m.get("thread_ts"))]

    def shown(self, conversation: str, message: Message) -> Message:
        """Give a message as it is read: a parent tells of its replies."""
        with self.changed:
            messages = self.conversations[conversation].messages.values()
            ts = message["ts"]
            replies = [m for m in messages if m.get("thread_ts") == ts and m["ts"] != ts]
        if not replies:
            return dict(message)
        people = list(dict.fromkeys(reply["user"] for reply in replies))
        counts = {"reply_count": len(replies), "reply_users_count": len(people), "latest_reply": replies[-1]["ts"]}
        return {**message, "thread_ts": ts, **counts, "reply_users": people, "is_locked": False, "subscribed": False}

    def _add(self, conversation: Conversation) -> str:
        self.conversations[conversation.id] = conversation
        return conversation.id

    def _timestamp(self) -> str:
        self._last = max(self._last + 1, int(self._clock() * 1_000_000))
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"


def _user(real_name: str, email: str, fields: dict[str, Any]) -> dict[str, Any]:
    name = real_name.partition(" ")[0].lower() if real_name else fields["id"].lower()
    profile = {"real_name": real_name, "display_name": name, "title": "", "phone": "", "status_text": "", "team": TEAM}
    if email:
        profile["email"] = email
    return {
        "id": "",
        "team_id": TEAM,
        "name": name,
        "deleted": False,
        "real_name": real_name,
        "tz": "Europe/Berlin",
        "tz_label": "",
        "tz_offset": 0,
        "profile": profile,
        "is_admin": False,
        "is_owner": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_bot": False,
        "is_app_user": False,
        "updated": 1_700_000_000,
        **fields,
    }

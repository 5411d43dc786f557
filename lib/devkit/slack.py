"""
A stand-in for Slack: its Web API over HTTP, and the people who write to the app.

    with SlackStandIn() as slack:
        client = WebClient(slack.token, base_url=slack.api_url)
        ts = slack.say(GENERAL, ALICE, f"<@{BOT_USER}> hello")
        for payload in slack.events_for(ts):
            deliver(app_url, payload, slack.signing_secret)

True to https://docs.slack.dev/apis/web-api and the pages named in the modules slack_*.py, which also say what each
leaves out. As a whole it leaves out: scopes, several workspaces, TLS. Files are served under
/files-pri/, as Slack does: who brings no token that opens is sent to a page to sign in.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from devkit import slack_methods
from devkit.serving import LocalServer, Reply, Request, StandIn, as_json
from devkit.slack_arguments import Refused, read
from devkit.slack_events import (
    Attempt,
    Payload,
    deliver,
    deliver_form,
    deliver_with_retries,
    events,
    of_person,
    sign,
    stopped,
)
from devkit.slack_faults import Fault, Faults
from devkit.slack_oauth import OAuth
from devkit.slack_surfaces import Fields, Surfaces
from devkit.slack_workspace import ALICE, APP, BOB, BOT, BOT_USER, GENERAL, TEAM, TOKEN, Message, Workspace

__all__ = [
    "ALICE", "APP", "BOB", "BOT", "BOT_USER", "GENERAL", "TEAM", "TOKEN",
    "Attempt", "Fault", "Fields", "SlackStandIn", "deliver", "deliver_form", "deliver_with_retries", "sign",
]  # fmt: skip


class SlackStandIn(StandIn):
    """One workspace behind one server."""

    signing_secret = "stand-in-signing-secret"  # noqa: S105 - signs nothing but tests
    app_token = "xapp-stand-in"  # noqa: S105 - opens nothing but this stand-in

    def __init__(
        self, *, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.token = TOKEN
        self.faults = Faults(monotonic)
        self._clock = clock
        self._server = LocalServer(self._answer)
        self._calls: list[dict[str, Any]] = []
        self._events: dict[str, list[Payload]] = {}
        self.workspace = Workspace(clock)
        self.surfaces = Surfaces(clock, lambda: self.url)
        self.oauth = OAuth(clock)
        self.sends_to_sign_in = False  # whoever fetches a file, as without the scope files:read
        self.socket_url = ""  # of a SocketStandIn: what apps.connections.open gives

    @property
    def url(self) -> str:
        """http://127.0.0.1:port."""
        return self._server.url

    @property
    def api_url(self) -> str:
        """The base_url of slack_sdk's WebClient."""
        return f"{self.url}/api/"

    def fail(self, fault: Fault) -> None:
        """Let the next calls meet this fault."""
        self.faults.add(fault)

    def rate_limit_per_channel(self, seconds: float) -> None:
        """Take one message each `seconds` for each channel, as Slack does with 1 s; 0 takes all."""
        self.faults.pace(seconds)

    def upload(self, user: str, name: str, content: bytes, **fields: Any) -> str:
        """Let a person upload a file, to be sent with `say`; gives its id. `fields` go into the file object."""
        return self.workspace.upload(user, name, content, self.url, fields)

    def say(
        self, channel: str, user: str, text: str, thread_ts: str | None = None, *, files: Sequence[str] = ()
    ) -> str:
        """
        Let a person write; gives the message's ts.

        `channel` is that of a conversation, or the person's own id for their direct message with the app; `files` were
        uploaded. Raises KeyError when the conversation, the person, the thread or a file does not exist.
        """
        with self.workspace.changed:
            place = self.workspace.open((user,))[0] if channel == user else channel
            message = {**of_person(user, text), "user": self.workspace.users[user]["id"]}
            if thread_ts:
                parent = self.workspace.conversations[place].messages[thread_ts]
                message |= {"thread_ts": thread_ts, "parent_user_id": parent["user"]}
            if files:
                message |= {"subtype": "file_share", "upload": True, "files": self.workspace.shared(files)}
            return str(self.workspace.say(place, message)["ts"])

    def events_for(self, ts: str) -> list[Payload]:
        """Give what Slack sends the app for this message, every time with the same ids. Raises KeyError."""
        with self.workspace.changed:
            for conversation in self.workspace.conversations.values():
                if ts in conversation.messages:
                    made = self._events.get(ts) or events(conversation, conversation.messages[ts], self._clock())
                    return self._events.setdefault(ts, made)
        raise KeyError(ts)

    def stop(self, user: str, channel: str, thread_ts: str) -> Payload:
        """Press the Stop button of a thread where we are at work; gives the event. Raises KeyError without one."""
        with self.workspace.changed:
            if self.workspace.sessions[channel, thread_ts]["status"] != "processing":
                raise KeyError("no Stop button is shown")
            growing = [
                m for m in self.workspace.thread(channel, thread_ts) if m.get("streaming_state") == "in_progress"
            ]
            for message in growing:
                self.workspace.say(channel, {**message, "stream": {**message["stream"], "stopped_by": user}})
            return stopped(user, channel, thread_ts, [message["ts"] for message in growing], self._clock())

    def messages(self, channel: str | None = None, *, from_bot: bool = False) -> list[Message]:
        """Give what was said, in order; each with its `channel`, with `from_bot` only what the app said."""
        return [
            message
            for message in self.workspace.all_messages()
            if channel in (None, message["channel"]) and (not from_bot or message["user"] == BOT_USER)
        ]

    def wait_for_messages(self, count: int, *, from_bot: bool = True, timeout: float = 10) -> list[Message]:
        """Wait until the app (or anybody) has said so much; what still grows does not count. Raises TimeoutError."""

        def said() -> list[Message]:
            return [m for m in self.messages(from_bot=from_bot) if "stream" not in m or "metadata" in m]

        with self.workspace.changed:
            if self.workspace.changed.wait_for(lambda: len(said()) >= count, timeout):
                return said()
        raise TimeoutError(f"{len(said())} of {count} messages after {timeout} s")

    def calls(self, method: str | None = None) -> list[dict[str, Any]]:
        """Give each call so far: `method`, `arguments`, `at`, `error` (None: it was done) and `fault` (its kind)."""
        return [call for call in list(self._calls) if method in (None, call["method"])]

    def _answer(self, request: Request) -> Reply:
        if request.path.startswith("/hooks/"):
            status, words = self.surfaces.reply(request.path, request.body)
            return Reply(status, words.encode())
        if request.path.startswith("/files-pri/"):
            return self._file(request)
        if not request.path.startswith("/api/"):
            return Reply(404)
        method = request.path.removeprefix("/api/")
        fault = self.faults.take(method)
        call: dict[str, Any] = {"method": method, "arguments": {}, "at": self._clock(), "error": None}
        call["fault"] = fault.kind if fault else None
        self._calls.append(call)
        if fault and fault.kind == "delay" and not fault.accepted:
            self._server.stopping.wait(fault.seconds)
        if fault is None:
            return self._done(call, request)
        return fault.reply(self._done(call, request) if fault.takes_effect else None)

    def _file(self, request: Request) -> Reply:
        call: dict[str, Any] = {"method": "files-pri", "arguments": {"path": request.path}, "at": self._clock()}
        fault = self.faults.take("files-pri")
        self._calls.append({**call, "error": None, "fault": fault.kind if fault else None})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        kept = self.workspace.files.get(request.path.split("/")[2].partition("-")[2])
        if self.sends_to_sign_in or scheme != "Bearer" or self._opens(token):
            reply = Reply(302, b"", {"Location": f"{self.url}/?redir={request.path}", "X-Slack-Meta": "?;acl_fail"})
        elif kept is None:
            reply = Reply(404, b"", {"Content-Type": "text/html"})
        else:
            reply = Reply(200, kept[1], {"Content-Type": kept[0]["mimetype"]})
        return fault.reply(reply) if fault else reply

    def _done(self, call: dict[str, Any], request: Request) -> Reply:
        try:
            if call["method"] == "oauth.v2.access":
                return as_json(self.oauth.access(request))
            call["arguments"] = read(call["method"], request, self._opens)
            if call["method"] == "auth.revoke":
                self.oauth.revoke(request.headers["authorization"].partition(" ")[2])
                return as_json({"ok": True, "revoked": True})
            if call["method"] == "chat.postMessage" and (reply := self.faults.too_fast(call["arguments"]["channel"])):
                call["error"] = "ratelimited"
                return reply
            return as_json(self._called(call["method"], call["arguments"]))
        except Refused as refused:
            call["error"] = refused.error
            return as_json(refused.body())

    def _opens(self, token: str) -> str:
        """Give Slack's word for what is wrong with a token, empty when it opens."""
        return "" if token in (self.token, self.app_token) else self.oauth.is_valid(token)

    def _called(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "apps.connections.open" if self.socket_url:
                return {"ok": True, "url": self.socket_url}
            case "views.open":
                return {"ok": True, **self.surfaces.open(arguments)}
            case "views.update":
                return {"ok": True, **self.surfaces.update(arguments)}
            case "views.publish":
                return {"ok": True, **self.surfaces.publish(arguments, self.workspace.users.__contains__)}
            case "assistant.threads.setSuggestedPrompts":
                return {"ok": True, **self.surfaces.suggest(arguments)}
        return slack_methods.call(self.workspace, method, arguments)

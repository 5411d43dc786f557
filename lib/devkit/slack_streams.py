"""
Slack's streaming messages and status line: begun, continued, ended, as strict as their pages.

Sources: https://docs.slack.dev/reference/methods/chat.startStream, …/chat.appendStream, …/chat.stopStream (arguments,
errors), …/chat.delete, …/assistant.threads.setStatus, …/agents.sessions.setStatus
A stream that lives longer than five minutes is over, which Slack does not document. Left out: chunks other than text,
the session status of chat.stopStream, loading messages.
"""

from collections.abc import Callable
from typing import Any

from devkit.slack_arguments import Refused
from devkit.slack_rich_text import length
from devkit.slack_workspace import BOT_USER, Conversation, Message, Workspace

type Answer = dict[str, Any]
type Arguments = dict[str, Any]

TEXT = 12_000
LIFE = 300.0  # seconds


class Streams:
    """What streams know of the other methods: how a message is written and checked."""

    def __init__(
        self,
        writable: Callable[[Workspace, str], Conversation],
        begun: Callable[[Workspace, Conversation, str], Message],
        check: Callable[[Arguments], None],
    ) -> None:
        self._writable = writable
        self._begun = begun
        self._check = check

    def start(self, workspace: Workspace, arguments: Arguments) -> Answer:
        """chat.startStream."""
        conversation = self._writable(workspace, arguments["channel"])
        if conversation.kind != "im":
            if not arguments.get("recipient_user_id"):
                raise Refused("missing_recipient_user_id")
            if not arguments.get("recipient_team_id"):
                raise Refused("missing_recipient_team_id")
            if arguments["recipient_user_id"] not in workspace.users:
                raise Refused("user_not_found")
        message = self._begun(workspace, conversation, arguments["thread_ts"])
        stream = {"since": workspace.now(), "stopped_by": ""}
        text = _text(arguments)
        stored = workspace.say(
            conversation.id, {**message, "text": text, "streaming_state": "in_progress", "stream": stream}
        )
        return {"channel": conversation.id, "ts": stored["ts"]}

    def append(self, workspace: Workspace, arguments: Arguments) -> Answer:
        """chat.appendStream."""
        conversation, message = self._streaming(workspace, arguments)
        if message["stream"]["stopped_by"]:
            raise Refused("stopped_by_user")
        text = _text(arguments)
        if not text:
            raise Refused("no_text")
        workspace.say(conversation.id, {**message, "text": message["text"] + text})
        return {"channel": conversation.id, "ts": message["ts"]}

    def stop(self, workspace: Workspace, arguments: Arguments) -> Answer:
        """chat.stopStream."""
        conversation, message = self._streaming(workspace, arguments)
        ended = {**message, "text": message["text"] + _text(arguments), "streaming_state": "completed"}
        if "blocks" in arguments:
            self._check({"text": ended["text"] or "x", **arguments})
            ended["blocks"] = arguments["blocks"]
        if "metadata" in arguments:
            ended["metadata"] = arguments["metadata"]
        stored = workspace.say(conversation.id, ended)
        return {"channel": conversation.id, "ts": message["ts"], "message": stored}

    def delete(self, workspace: Workspace, arguments: Arguments) -> Answer:
        """chat.delete."""
        conversation, message = self._own(workspace, arguments)
        workspace.remove(conversation.id, message["ts"])
        return {"channel": conversation.id, "ts": message["ts"]}

    def status(self, workspace: Workspace, arguments: Arguments) -> Answer:
        """assistant.threads.setStatus."""
        conversation = self._writable(workspace, arguments["channel_id"])
        if arguments["thread_ts"] not in conversation.messages:
            raise Refused("thread_not_found")
        if len(arguments.get("loading_messages", [])) > 10:
            raise Refused("invalid_arguments", "no more than 10 items allowed")
        workspace.statuses.append(arguments["status"])
        return {}

    def session(self, workspace: Workspace, arguments: Arguments) -> Answer:
        """agents.sessions.setStatus: of a thread; the first status makes the session, with its title."""
        conversation = self._writable(workspace, arguments.get("channel_id", ""))
        if arguments["status"] not in ("processing", "active", "suspended", "closed"):
            raise Refused("invalid_arguments", "status: must be a valid enum value")
        if len(arguments.get("title", "")) > 200:
            raise Refused("invalid_arguments", "title: must be less than 201 characters")
        thread = arguments.get("thread_ts", "")
        if thread not in conversation.messages:
            raise Refused("thread_not_found")
        if arguments.get("initiator_user_id", BOT_USER) not in conversation.members:
            raise Refused("user_not_found")
        known = workspace.sessions.get((conversation.id, thread), {"title": arguments.get("title", ""), "seen": []})
        seen = [*known["seen"], arguments["status"]]
        workspace.sessions[conversation.id, thread] = {**known, "status": arguments["status"], "seen": seen}
        return {"status": arguments["status"], "title": known["title"]}

    def _streaming(self, workspace: Workspace, arguments: Arguments) -> tuple[Conversation, Message]:
        conversation, message = self._own(workspace, arguments)
        if message.get("streaming_state") != "in_progress" or workspace.now() - message["stream"]["since"] > LIFE:
            raise Refused("message_not_in_streaming_state")
        return conversation, message

    def _own(self, workspace: Workspace, arguments: Arguments) -> tuple[Conversation, Message]:
        conversation = self._writable(workspace, arguments["channel"])
        message = conversation.messages.get(arguments["ts"])
        if message is None:
            raise Refused("message_not_found")
        if message["user"] != BOT_USER:
            raise Refused("message_not_owned_by_app")
        return conversation, message


def is_streaming(workspace: Workspace, message: Message) -> bool:
    """Whether a message still grows, so that it cannot be edited."""
    return message.get("streaming_state") == "in_progress" and workspace.now() - message["stream"]["since"] <= LIFE


def _text(arguments: Arguments) -> str:
    text = str(arguments.get("markdown_text", ""))
    if length(text) > TEXT:
        raise Refused("msg_too_long")
    return text

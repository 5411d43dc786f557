"""
The methods of Slack's Web API that Parley calls, over a pretended workspace.

Source: https://docs.slack.dev/reference/methods and the page of each method (arguments, errors, answers).
What is not documented and was chosen: a thread_ts without a message is `thread_not_found`, that of a reply is
`cannot_reply_to_message`; the parent stands on the first page of conversations.replies only. Left out: channels by
their name, translation of text into rich text, unfurling.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from devkit import slack_blocks, slack_streams
from devkit.slack_arguments import Refused
from devkit.slack_workspace import APP, BOT, BOT_USER, TEAM, Conversation, Message, Workspace

type Answer = dict[str, Any]
type Arguments = dict[str, Any]


def call(workspace: Workspace, method: str, arguments: Arguments) -> Answer:
    """Do what the method does; gives the answer's body. Raises Refused."""
    with workspace.changed:
        return {"ok": True, **_METHODS[method](workspace, arguments)}


def _auth_test(workspace: Workspace, _: Arguments) -> Answer:
    bot = workspace.users[BOT_USER]
    who = {"user": bot["name"], "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT}
    return {"url": "https://stand-in.slack.com/", "team": "Stand-in", **who, "is_enterprise_install": False}


def _users_info(workspace: Workspace, arguments: Arguments) -> Answer:
    if arguments["user"] not in workspace.users:
        raise Refused("user_not_found")
    user = workspace.users[arguments["user"]]
    return {"user": {**user, "locale": "en-US"} if arguments.get("include_locale") else user}


def _file_info(workspace: Workspace, arguments: Arguments) -> Answer:
    if arguments["file"] not in workspace.files:
        raise Refused("file_not_found")
    file, _ = workspace.files[arguments["file"]]
    return {"file": {**file, "file_access": "visible"}, "content_highlight_html": None}


def _title(workspace: Workspace, arguments: Arguments) -> Answer:
    conversation = _known(workspace, arguments["channel_id"])
    if conversation.kind != "im":
        raise Refused("channel_not_found")
    if arguments["thread_ts"] not in conversation.messages:
        raise Refused("invalid_thread_ts")
    if not arguments["title"]:
        raise Refused("invalid_arguments", "title: must not be empty")
    workspace.titles[conversation.id, arguments["thread_ts"]] = arguments["title"]
    return {}


def _users_lookup(workspace: Workspace, arguments: Arguments) -> Answer:
    for user in workspace.users.values():
        email = user["profile"].get("email", "")
        if email and email.lower() == arguments["email"].lower() and not user["deleted"]:
            return {"user": user}
    raise Refused("users_not_found")


def _open(workspace: Workspace, arguments: Arguments) -> Answer:
    if channel := arguments.get("channel"):
        conversation, known = _known(workspace, channel).id, True
    else:
        conversation, known = workspace.open(_people(workspace, arguments.get("users", [])))
    found = workspace.conversations[conversation]
    shown: Answer = {"id": found.id}
    if arguments.get("return_im"):
        other = next((user for user in found.members if user != BOT_USER), BOT_USER)
        shown = {"id": found.id, "is_im": found.kind == "im", "is_org_shared": False, "user": other, "is_open": True}
    return {"channel": shown, **({"no_op": True, "already_open": True} if known else {})}


def _people(workspace: Workspace, users: list[str]) -> tuple[str, ...]:
    if not users:
        raise Refused("users_list_not_supplied")
    if len(users) > 8:
        raise Refused("too_many_users")
    for user in users:
        if user not in workspace.users:
            raise Refused("user_not_found")
        if workspace.users[user]["deleted"]:
            raise Refused("user_disabled")
    return tuple(users)


def _history(workspace: Workspace, arguments: Arguments) -> Answer:
    conversation = _readable(workspace, arguments["channel"])
    top = [m for m in conversation.messages.values() if m.get("thread_ts", m["ts"]) == m["ts"]]
    start = _cursor(arguments)
    found = [m for m in reversed(_between(top, arguments)) if start is None or _micros(m["ts"]) <= start]
    return _page(workspace, conversation, found, arguments, 100)


def _replies(workspace: Workspace, arguments: Arguments) -> Answer:
    conversation = _readable(workspace, arguments["channel"])
    thread = workspace.thread(conversation.id, arguments["ts"])
    if not thread:
        raise Refused("thread_not_found")
    parent, start = thread[0], _cursor(arguments)
    found = [m for m in _between(thread[1:], arguments) if start is None or _micros(m["ts"]) >= start]
    return _page(workspace, conversation, found if start else [parent, *found], arguments, 1000)


def _between(messages: list[Message], arguments: Arguments) -> list[Message]:
    oldest, latest = arguments.get("oldest", 0), arguments.get("latest", 10**18)
    slack = 1 if arguments.get("inclusive") else 0
    return [m for m in messages if oldest - slack < _micros(m["ts"]) < latest + slack]


def _page(
    workspace: Workspace, conversation: Conversation, found: list[Message], arguments: Arguments, usual: int
) -> Answer:
    limit = arguments.get("limit", usual)
    if not 1 <= limit <= 1000:
        raise Refused("invalid_limit")
    hidden = () if arguments.get("include_all_metadata") else ("metadata",)
    shown = [workspace.shown(conversation.id, message) for message in found[:limit]]
    answer: Answer = {
        "messages": [{name: value for name, value in message.items() if name not in hidden} for message in shown],
        "has_more": len(found) > limit,
    }
    if len(found) > limit:
        mark = base64.b64encode(f"next_ts:{_micros(found[limit]['ts'])}".encode()).decode()
        answer["response_metadata"] = {"next_cursor": mark}
    return answer


def _cursor(arguments: Arguments) -> int | None:
    if not (cursor := arguments.get("cursor")):
        return None
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("next_ts:"))
    except (binascii.Error, ValueError):
        raise Refused("invalid_cursor") from None


def _post(workspace: Workspace, arguments: Arguments) -> Answer:
    conversation = _writable(workspace, arguments["channel"])
    slack_blocks.check(arguments, slack_blocks.TEXT)
    message = {**_from_bot(workspace), **_content(arguments)}
    if thread := arguments.get("thread_ts"):
        message |= _in_thread(conversation, thread)
        if arguments.get("reply_broadcast"):
            message["subtype"] = "thread_broadcast"
    stored = workspace.say(conversation.id, message)
    return {"channel": conversation.id, "ts": stored["ts"], "message": stored}


def _update(workspace: Workspace, arguments: Arguments) -> Answer:
    conversation = _writable(workspace, arguments["channel"])
    slack_blocks.check(arguments, slack_blocks.UPDATED_TEXT)
    if arguments["ts"] not in conversation.messages:
        raise Refused("message_not_found")
    before = conversation.messages[arguments["ts"]]
    if before["user"] != BOT_USER:
        raise Refused("cant_update_message")
    if slack_streams.is_streaming(workspace, before):
        raise Refused("streaming_state_conflict")
    kept = before if "blocks" in arguments else {name: v for name, v in before.items() if name != "blocks"}
    edited = {"edited": {"user": BOT_USER, "ts": arguments["ts"]}}
    stored = workspace.say(conversation.id, {**kept, **_content(arguments), **edited})
    return {"channel": conversation.id, "ts": stored["ts"], "text": stored["text"], "message": stored}


def _react(workspace: Workspace, arguments: Arguments) -> Answer:
    conversation = _readable(workspace, arguments["channel"])
    if arguments["timestamp"] not in conversation.messages:
        raise Refused("message_not_found")
    message, name = conversation.messages[arguments["timestamp"]], arguments["name"]
    if not name or ":" in name or " " in name:
        raise Refused("invalid_name")
    reactions = message.get("reactions", [])
    if any(reaction["name"] == name for reaction in reactions):
        raise Refused("already_reacted")
    added = {"name": name, "users": [BOT_USER], "count": 1}
    workspace.say(conversation.id, {**message, "reactions": [*reactions, added]})
    return {}


def _known(workspace: Workspace, channel: str) -> Conversation:
    if channel not in workspace.conversations:
        raise Refused("channel_not_found")
    return workspace.conversations[channel]


def _readable(workspace: Workspace, channel: str) -> Conversation:
    conversation = _known(workspace, channel)
    if BOT_USER not in conversation.members:
        raise Refused("not_in_channel")
    return conversation


def _writable(workspace: Workspace, channel: str) -> Conversation:
    """A person's id stands for the app's direct message with them."""
    if channel in workspace.users:
        channel = workspace.open((channel,))[0]
    conversation = _readable(workspace, channel)
    if conversation.archived:
        raise Refused("is_archived")
    return conversation


def _in_thread(conversation: Conversation, thread: str) -> Message:
    parent = conversation.messages.get(thread)
    if parent is None:
        raise Refused("thread_not_found")
    if parent.get("thread_ts", thread) != thread:
        raise Refused("cannot_reply_to_message")
    return {"thread_ts": thread, "parent_user_id": parent["user"]}


def _from_bot(workspace: Workspace) -> Message:
    name = workspace.users[BOT_USER]["real_name"]
    profile = {"id": BOT, "app_id": APP, "user_id": BOT_USER, "name": name, "team_id": TEAM, "deleted": False}
    return {"type": "message", "user": BOT_USER, "bot_id": BOT, "app_id": APP, "team": TEAM, "bot_profile": profile}


def _content(arguments: Arguments) -> Message:
    kept: Message = {name: arguments[name] for name in ("attachments", "metadata") if name in arguments}
    content: Message = {"text": arguments.get("text") or arguments.get("markdown_text", ""), **kept}
    if blocks := arguments.get("blocks"):
        content["blocks"] = [{"block_id": f"b{number}", **block} for number, block in enumerate(blocks)]
    return content


def _micros(ts: str) -> int:
    return int(ts.replace(".", ""))


_STREAMS = slack_streams.Streams(
    _writable,
    lambda workspace, conversation, thread: {**_from_bot(workspace), **_in_thread(conversation, thread)},
    lambda arguments: slack_blocks.check(arguments, slack_blocks.TEXT),
)

_METHODS: dict[str, Callable[[Workspace, Arguments], Answer]] = {
    "auth.test": _auth_test,
    "users.info": _users_info,
    "users.lookupByEmail": _users_lookup,
    "files.info": _file_info,
    "assistant.threads.setTitle": _title,
    "conversations.open": _open,
    "conversations.history": _history,
    "conversations.replies": _replies,
    "chat.postMessage": _post,
    "chat.update": _update,
    "chat.delete": _STREAMS.delete,
    "chat.startStream": _STREAMS.start,
    "chat.appendStream": _STREAMS.append,
    "chat.stopStream": _STREAMS.stop,
    "assistant.threads.setStatus": _STREAMS.status,
    "agents.sessions.setStatus": _STREAMS.session,
    "reactions.add": _react,
}

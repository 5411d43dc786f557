"""
What Slack sends, of every kind, and what follows: one line a case.

Shapes and ids follow Slack's documentation and the fixtures of its own libraries. `gives` is the kind of the event that
is published (None: nothing), `answer` the JSON of the 200 (None: empty), `opens` the form that is opened.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from parley.channels import slack_actions as names
from parley.channels.slack_inbound.commands import HELP

TS = "1700000000.000100"
THREAD = "1699999999.000001"
ACTION = "0198c0de-0000-7000-8000-000000000001"
REQUEST = "0198c0de-0000-7000-8000-000000000002"
HELPED = {"response_type": "ephemeral", "text": HELP}


@dataclass(frozen=True)
class Case:
    """One request of Slack's."""

    name: str
    payload: Mapping[str, Any]
    gives: str | None = None
    expect: Mapping[str, Any] = field(default_factory=dict)
    answer: Any = None
    opens: str | None = None
    is_form: bool = False  # of fields, not of a payload
    is_json: bool = False

    @property
    def body(self) -> bytes:
        """The bytes of the request."""
        if self.is_json:
            return json.dumps(self.payload).encode()
        fields = self.payload if self.is_form else {"payload": json.dumps(self.payload)}
        return urlencode(fields).encode()


def envelope(event: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Give an event_callback around an event."""
    authorization = {
        "enterprise_id": None,
        "team_id": "T1",
        "user_id": "UBOT",
        "is_bot": True,
        "is_enterprise_install": False,
    }
    return {
        "token": "x", "team_id": "T1", "enterprise_id": None, "api_app_id": "A1", "type": "event_callback", "event_id": "Ev1",
        "event_time": 1700000000, "authorizations": [authorization], "is_ext_shared_channel": False, "event": event, **more,
    }  # fmt: skip


def org(event: Mapping[str, Any], *, whole: bool = True) -> dict[str, Any]:
    """Give an event_callback of an organisation's installation."""
    authorization = {
        "enterprise_id": "E1",
        "team_id": "T1",
        "user_id": "UBOT",
        "is_bot": True,
        "is_enterprise_install": whole,
    }
    return envelope(event, enterprise_id="E1", authorizations=[authorization])


def said(**more: Any) -> dict[str, Any]:
    """Give a message event."""
    base = {
        "type": "message",
        "channel": "C1",
        "channel_type": "channel",
        "user": "U1",
        "text": "hello",
        "ts": TS,
        "team": "T1",
    }
    return {**base, "event_ts": TS, "client_msg_id": "7c1f", **more}


def direct(**more: Any) -> dict[str, Any]:
    """Give a message event of a direct message."""
    return said(**{"channel": "D1", "channel_type": "im", **more})


def changed(now: Mapping[str, Any], before: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Give a message_changed event."""
    base = {"type": "message", "user": "U1", "ts": TS, "team": "T1"}
    return {
        "type": "message", "subtype": "message_changed", "hidden": True, "channel": "D1", "channel_type": "im", "ts": "1700000009.1",
        "message": {**base, **now}, "previous_message": {**base, **before}, **more,
    }  # fmt: skip


def deleted(before: Mapping[str, Any]) -> dict[str, Any]:
    """Give a message_deleted event."""
    return {
        "type": "message", "subtype": "message_deleted", "hidden": True, "channel": "D1", "channel_type": "im", "deleted_ts": TS,
        "ts": "1700000009.1", "previous_message": {"type": "message", "user": "U1", "ts": TS, **before},
    }  # fmt: skip


def slash(text: str, **more: str) -> dict[str, str]:
    """Give the fields of a slash command."""
    return {
        "token": "x", "team_id": "T1", "team_domain": "alder", "channel_id": "C1", "channel_name": "general", "user_id": "U1",
        "user_name": "ann", "command": "/parley", "text": text, "api_app_id": "A1", "is_enterprise_install": "false",
        "response_url": "https://hooks.slack.com/commands/T1/1/x", "trigger_id": "1.2.3", **more,
    }  # fmt: skip


def interaction(kind: str, **more: Any) -> dict[str, Any]:
    """Give a payload of an interaction."""
    base = {"type": kind, "token": "x", "api_app_id": "A1", "team": {"id": "T1", "domain": "alder"}, "enterprise": None}
    user = {"id": "U1", "username": "ann", "name": "ann", "team_id": "T1"}
    return {**base, "user": user, "is_enterprise_install": False, "trigger_id": "1.2.3", **more}


def click(action: str, value: str = "", **more: Any) -> dict[str, Any]:
    """Give a click on a button under a message."""
    return interaction(
        "block_actions",
        container={"type": "message", "message_ts": TS, "channel_id": "D1", "is_ephemeral": False, "thread_ts": THREAD},
        channel={"id": "D1", "name": "directmessage"},
        message={"ts": TS, "thread_ts": THREAD, "text": "?"},
        response_url="https://hooks.slack.com/actions/T1/1/x",
        actions=[{"type": "button", "action_id": action, "block_id": "b", "value": value, "action_ts": "1700000005.5"}],
        **more,
    )


def view(callback: str, values: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Give a form as it is submitted."""
    return {
        "id": "V1", "team_id": "T1", "type": "modal", "callback_id": callback, "hash": "1700000005.abc", "private_metadata": "",
        "app_id": "A1", "bot_id": "B1", "app_installed_team_id": "T1", "state": {"values": values or {}}, **more,
    }  # fmt: skip


def typed(text: str | None) -> dict[str, Any]:
    """Give the state of the question's field."""
    return {names.QUESTION: {"text": {"type": "plain_text_input", "value": text}}}


def preferences(begin: str | None = None, end: str | None = None, **ranks: str) -> dict[str, Any]:
    """Give the state of the form of preferences."""
    chosen = {
        f"channel_{n}": {"rank": {"type": "static_select", "selected_option": {"value": v}}} for n, v in ranks.items()
    }
    zone = {"type": "external_select", "selected_option": {"value": "Europe/Berlin"}}
    times = {names.QUIET_FROM: begin, names.QUIET_UNTIL: end}
    quiet = {name: {"time": {"type": "timepicker", "selected_time": at}} for name, at in times.items()}
    return {**chosen, **quiet, names.TIMEZONE: {names.TIMEZONE: zone}}


def wrong(block: str, words: str) -> dict[str, Any]:
    """Give the answer that marks a field of a form."""
    return {"response_action": "errors", "errors": {block: words}}


def _event(name: str, event: Any, gives: str | None = None, /, **expect: Any) -> Case:
    return Case(name, event if "event" in event else envelope(event), gives, expect, is_json=True)


def _raw(name: str, payload: Any, answer: Any = None) -> Case:
    return Case(name, payload, answer=answer, is_json=True)


def _command(
    name: str, text: str, gives: str | None = None, *, answer: Any = None, opens: Any = None, **fields: str
) -> Case:
    return Case(name, slash(text, **fields), gives, answer=answer, opens=opens, is_form=True)


_ON_IT = {"response_type": "ephemeral", "text": "I am on it, and answer in our direct messages."}
_ON_IT_HERE = {"response_type": "ephemeral", "text": "I am on it."}
_KEY, _KEY_DM = f"slack:T1:C1:{TS}", f"slack:T1:D1:{TS}"
_EDITED = {"user": "U1", "ts": "1700000009.000000"}
_MENTION = {"type": "app_mention", "text": "<@UBOT> hi", "channel_type": None}
_FILE = {"id": "F1", "name": "a.pdf", "mimetype": "application/pdf", "size": 9}

MESSAGES = [
    _event("direct message", direct(), "message", is_direct=True, thread=TS, is_reply=False, key=_KEY_DM, text="hello"),
    _event("direct message in a thread", direct(thread_ts=THREAD), "message", thread=THREAD, is_reply=True),
    _event("direct message, no channel_type", direct(channel_type=None), "message", is_direct=True),
    _event("mention", said(**_MENTION), "message", is_mention=True, text="hi", key=_KEY),
    _event("mention as message event", said(text="<@UBOT> hi"), "message", is_mention=True, text="hi", key=_KEY),
    _event("mention in the middle", said(text="please <@UBOT> help"), "message", text="please  help"),
    _event("mention alone", said(text="<@UBOT>"), "message", text=""),
    _event("mention of somebody else", said(text="<@U2> hi")),
    _event("mention in a thread", said(text="<@UBOT> hi", thread_ts=THREAD), "message", thread=THREAD),
    _event("reply without mention", said(thread_ts=THREAD), "message", is_reply=True, is_mention=False),
    _event("talk of others", said()),
    _event("group message with mention", said(channel="G1", channel_type="mpim", text="<@UBOT> hi"), "message", is_direct=False),
    _event("private channel", said(channel="G2", channel_type="group", text="<@UBOT> hi"), "message"),
    _event("file_share", direct(subtype="file_share", files=[_FILE]), "message", text="hello"),
    _event("file of another organisation", direct(subtype="file_share", files=[{"id": "F1", "file_access": "check_file_info"}]), "message", files=[{"id": "F1", "name": "", "media_type": "", "size": 0}]),
    _event("file without words", direct(subtype="file_share", text="", files=[_FILE]), "message", text=""),
    _event("thread_broadcast", said(subtype="thread_broadcast", thread_ts=THREAD), "message", is_reply=True),
    _event("escapes", direct(text="a &lt; b &amp;&amp; c &gt; d"), "message", text="a < b && c > d"),
    _event("lines stay", direct(text="one\ntwo"), "message", text="one\ntwo"),
    _event("NUL goes", direct(text="a\x00b"), "message", text="ab"),
    _event("half a character", direct(text="a\ud800b"), "message", text="a?b"),
    _event("right to left", direct(text="\u202eabc שלום"), "message", text="\u202eabc שלום"),
    _event("emoji", direct(text="🙂 :smile:"), "message", text="🙂 :smile:"),
    _event("40,001 characters", direct(text="x" * 40_001), "message", text="x" * 40_000),
    _event("no text", direct(text=None), "message", text=""),
    _event("text is a number", direct(text=7), "message", text=""),
    _event("bot of old", direct(subtype="bot_message", bot_id="B2", user=None)),
    _event("bot of today", direct(bot_id="B2", bot_profile={"id": "B2"}, user="UB2")),
    _event("an app's message for a person", direct(app_id="A2")),
    _event("our own message", direct(user="UBOT")),
    _event("slackbot", direct(user="USLACKBOT")),
    _event("join", said(subtype="channel_join", text="<@U1> has joined")),
    _event("leave", said(subtype="channel_leave")),
    _event("topic", said(subtype="channel_topic", topic="x")),
    _event("purpose", said(subtype="channel_purpose")),
    _event("name", said(subtype="channel_name")),
    _event("archive", said(subtype="channel_archive")),
    _event("pinned", said(subtype="pinned_item")),
    _event("me_message", direct(subtype="me_message")),
    _event("reminder", direct(subtype="reminder_add")),
    _event("ekm", direct(subtype="ekm_access_denied")),
    _event("message_replied", direct(subtype="message_replied")),
    _event("assistant thread's title", direct(subtype="assistant_app_thread")),
    _event("hidden", direct(hidden=True)),
    _event("no user", direct(user=None)),
    _event("no channel", said(channel=None, text="<@UBOT> hi")),
    _event("no ts", direct(ts=None)),
    _event("id too long", direct(user="U" * 61)),
    _event("subtype is a list", direct(subtype=["file_share"])),
    _event("event is a list", {"event": [], "type": "event_callback", "team_id": "T1"}),
    _event("shared channel, our own person", said(**_MENTION, user_team="T1", source_team="T1"), "message"),
    _event("shared channel, answered to the person alone", envelope(said(**_MENTION, user_team="T1"), is_ext_shared_channel=True), "message", conversation="U1", thread="", is_direct=True),
    _event("shared channel, thread without a mention", envelope(said(thread_ts=THREAD), is_ext_shared_channel=True)),
    _event("shared channel, a stranger by the team alone", envelope(said(**{**_MENTION, "team": "T2"}), is_ext_shared_channel=True)),
    _event("mention with a name", said(type="app_mention", text="<@UBOT|parley> hi"), "message", text="hi"),
    _event("references", direct(text="<#C9|general> <!here> <!subteam^S1|@desk> <https://a.example/x|the page> <https://b.example> <mailto:a@b.example|a@b.example> <@U9> &lt;x|y&gt;"), "message",
           text="#general @here @desk the page (https://a.example/x) https://b.example a@b.example <@U9> <x|y>"),
    _event("shared channel, a stranger", said(**_MENTION, user_team="T2", source_team="T2")),
    _event("shared channel, team of the event is theirs", envelope(said(**_MENTION, user_team="T2"), team_id="T2", is_ext_shared_channel=True)),
    _event("organisation", org(direct()), "message", workspace="T1"),
    _event("organisation, team is the organisation", org(direct(user_team="E1")), "message"),
    _event("organisation, installed in one workspace only", org(direct(user_team="E1"), whole=False)),
    _event("organisation, another one", org(direct(user_team="E2"))),
    _event("no authorizations", envelope(direct(), authorizations=None), "message", workspace="T1"),
    _event("two authorizations", envelope(said(text="<@UB2> hi"), authorizations=[
        {"team_id": "T1", "user_id": "UBOT"}, {"team_id": "T1", "user_id": "UB2"}]), "message", text="hi"),
    _event("no workspace", envelope(direct(), authorizations=[], team_id=None)),
]  # fmt: skip

CHANGES = [
    _event("edit", changed({"text": "B", "edited": _EDITED}, {"text": "A"}), "edit", about=_KEY_DM, text="B", sender="U1"),
    _event("edit that mentions us", changed({"text": "<@UBOT> B", "edited": _EDITED}, {"text": "A"}, channel="C1"), "edit", about=_KEY, text="B"),
    _event("edit in a thread", changed({"text": "B", "edited": _EDITED, "thread_ts": THREAD}, {"text": "A"}), "edit", thread=THREAD),
    _event("unfurl", changed({"text": "A", "attachments": [{}]}, {"text": "A"})),
    _event("unfurl of an edited message", changed({"text": "A", "edited": _EDITED}, {"text": "A", "edited": _EDITED})),
    _event("title set", changed({"text": "B", "subtype": "assistant_app_thread"}, {"text": "A"})),
    _event("edit by a bot", changed({"text": "B", "edited": _EDITED, "bot_id": "B1"}, {"text": "A"})),
    _event("edit of our own", changed({"text": "B", "edited": _EDITED, "user": "UBOT"}, {"text": "A"})),
    _event("edit by a stranger", changed({"text": "B", "edited": _EDITED, "user_team": "T2"}, {"text": "A"})),
    _event("edit without message", changed({}, {}, message=None)),
    _event("edit without ts", changed({"text": "B", "edited": _EDITED, "ts": None}, {"text": "A"})),
    _event("edit, marks of a list", changed({"text": "B", "edited": []}, {"text": "A"})),
    _event("deletion", deleted({}), "delete", about=_KEY_DM, sender="U1"),
    _event("deletion of ours", deleted({"user": "UBOT"})),
    _event("deletion of a bot's", deleted({"bot_id": "B1"})),
    _event("deletion without message", {**deleted({}), "previous_message": None}),
]  # fmt: skip

OURSELVES = [
    _raw("url_verification", {"type": "url_verification", "challenge": "abc", "token": "x"}, {"challenge": "abc"}),
    _raw("url_verification without challenge", {"type": "url_verification"}, {"challenge": ""}),
    _raw("app_rate_limited", {"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1, "api_app_id": "A1"}),
    _raw("unknown type", {"type": "something_new"}),
    _raw("no type", {}),
    _event("home opened", {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "home"}, "opened", name="home", sender="U1"),
    _event("messages opened", {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "messages"}, "opened", name="messages"),
    _event("about opened", {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "about"}),
    _event("home of nobody", {"type": "app_home_opened", "channel": "D1", "tab": "home"}),
    _event("assistant thread", {"type": "assistant_thread_started", "assistant_thread": {
        "user_id": "U1", "channel_id": "D1", "thread_ts": THREAD, "context": {}}}, "opened", name="messages", thread=THREAD),
    _event("assistant thread, empty", {"type": "assistant_thread_started", "assistant_thread": {}}),
    _event("assistant context", {"type": "assistant_thread_context_changed", "assistant_thread": {}}),
    _event("app context", {"type": "app_context_changed", "user": "U1", "channel": "D1", "context": {}}),
    _event("stop button", {"type": "agent_session_stopped", "channel": "D1", "thread_ts": THREAD, "user": "U1",
        "streaming_message_ts": [TS]}, "stop", thread=THREAD, conversation="D1"),
    _event("stop without thread", {"type": "agent_session_stopped", "channel": "D1", "user": "U1"}),
    _event("uninstalled", {"type": "app_uninstalled"}, "uninstalled", workspace="T1"),
    _event("our token revoked", {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["UBOT"]}}, "uninstalled"),
    _event("a person's token revoked", {"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": []}}),
    _event("tokens of no shape", {"type": "tokens_revoked", "tokens": 7}),
    _event("reaction", {"type": "reaction_added", "user": "U1", "item": {}}),
    _event("file_shared", {"type": "file_shared", "file_id": "F1", "user_id": "U1"}),
    _event("member joined", {"type": "member_joined_channel", "user": "U1", "channel": "C1"}),
]  # fmt: skip

COMMANDS = [
    _command("help", "help", answer=HELPED),
    _command("nothing", "", answer=HELPED),
    _command("blanks", "   ", answer=HELPED),
    _command("ask", "ask How old must it be?", "message", answer=_ON_IT),
    _command("ask in capitals", "ASK how?", "message", answer=_ON_IT),
    _command("ask in a direct message", "ask how?", "message", answer=_ON_IT_HERE, channel_id="D1"),
    _command("ask nothing", "ask", answer=HELPED),
    _command("just a question", "how old must it be?", "message", answer=_ON_IT),
    _command("one word", "vpn", "message", answer=_ON_IT),
    _command("status", "status", "command"),
    _command("status and more", "status of my order?", "message", answer=_ON_IT),
    _command("new and more", "new laptop, please", "message", answer=_ON_IT),
    _command("help and more", "help me with VPN", "message", answer=_ON_IT),
    _command("ask over lines", "ask\nhow?", "message", answer=_ON_IT),
    _command("person", "Person", "command"),
    _command("person and why", "person: nobody answers", "command"),
    _command("person and more", "person for VPN?", "message", answer=_ON_IT),
    _command("new", "new", "command"),
    _command("preferences", "preferences", "command", opens=names.PREFERENCES),
    _command("in an organisation", "status", "command", enterprise_id="E1", is_enterprise_install="true"),
    _command("no trigger", "status", trigger_id=""),
    _command("no team", "status", team_id=""),
    Case("ssl_check", {"ssl_check": "1", "token": "x"}, is_form=True),
]

CLICKS = [
    Case("approve", click(names.APPROVE, f"{ACTION}:ab12"), "action", {"about": ACTION, "text": "?", "values": {"digest": "ab12", "decision": "approve"}}),
    Case("deny", click(names.DENY, f"{ACTION}:ab12"), "action", {"about": ACTION, "values": {"digest": "ab12", "decision": "deny"}}),
    Case("approve, value of no shape", click(names.APPROVE, ACTION)),
    Case("approve, empty", click(names.APPROVE)),
    Case("good answer", click(names.VOTE, f"good:{REQUEST}"), "vote", {"about": REQUEST, "values": {"rating": "good"}}),
    Case("bad answer", click(names.VOTE, f"bad:{REQUEST}"), "vote", {"about": REQUEST, "values": {"rating": "bad"}}),
    Case("vote of no kind", click(names.VOTE, f"meh:{REQUEST}")),
    Case("stop", click(names.STOP, REQUEST), "stop", {"about": REQUEST, "thread": THREAD}),
    Case("stop what runs here", click(names.STOP), "stop", {"about": "", "thread": THREAD, "conversation": "D1"}),
    Case("stop in places of no length", {**click(names.STOP), "channel": {"id": "D" * 300}, "container": {"type": "message", "message_ts": TS, "thread_ts": "1" * 300}}, "stop"),
    Case("cancel at home", {**click(names.CANCEL, REQUEST), "channel": None, "container": {"type": "view", "view_id": "V1"}}, "stop", {"conversation": "U1"}),
    Case("escalate", click(names.ESCALATE, REQUEST), "command", {"name": "escalate", "about": REQUEST}),
    Case("escalate nothing", click(names.ESCALATE)),
    Case("ask button", click(names.OPEN_ASK), opens=names.ASK),
    Case("preferences button", click(names.OPEN_PREFERENCES), "command", {"name": "preferences"}, opens=names.PREFERENCES),
    Case("ask button, no trigger", {**click(names.OPEN_ASK), "trigger_id": None}),
    Case("a link's button", click("https_link", "x")),
    Case("no actions", {**click(names.STOP), "actions": []}),
    Case("actions of no shape", {**click(names.STOP), "actions": [7]}),
    Case("no container", {**click(names.STOP, REQUEST), "container": None}),
    Case("click in an organisation", click(names.STOP, REQUEST) | {"team": None, "enterprise": {"id": "E1"}}, "stop", {"workspace": "T1"}),
    Case("click, team is the organisation", click(names.STOP, REQUEST) | {
        "enterprise": {"id": "E1"}, "user": {"id": "U1", "team_id": "E1"}}, "stop"),
    Case("click by a stranger", click(names.STOP, REQUEST) | {"user": {"id": "U9", "team_id": "T9"}}),
    Case("click by nobody", click(names.STOP, REQUEST) | {"user": None}),
]  # fmt: skip

FORMS = [
    Case("ask form", interaction("view_submission", view=view(names.ASK, typed("How?"))), "message", {"text": "How?", "conversation": "U1", "is_direct": True}),
    Case("ask form about a message", interaction("view_submission", view=view(
        names.ASK, typed("What is this?"), private_metadata=json.dumps({"quoted": "one\ntwo"}))), "message", {"text": "What is this?\n\n> one\n> two"}),
    Case("ask form, metadata of no shape", interaction("view_submission", view=view(names.ASK, typed("How?"), private_metadata="{")), "message", {"text": "How?"}),
    Case("ask form, empty", interaction("view_submission", view=view(names.ASK, typed(None))), answer=wrong(names.QUESTION, "The field is needed.")),
    Case("ask form, blanks", interaction("view_submission", view=view(names.ASK, typed("  "))), answer=wrong(names.QUESTION, "The field is needed.")),
    Case("preferences form", interaction("view_submission", view=view(names.PREFERENCES, preferences("22:00", "07:00", slack="1", sms="never"))), "submitted", {
        "name": "preferences", "values": {"channel_slack": "1", "channel_sms": "never", names.QUIET_FROM: "22:00",
                                          names.QUIET_UNTIL: "07:00", names.TIMEZONE: "Europe/Berlin"}}),
    Case("preferences, no quiet hours", interaction("view_submission", view=view(names.PREFERENCES, preferences(email="default"))), "submitted"),
    Case("preferences, half a night", interaction("view_submission", view=view(names.PREFERENCES, preferences("22:00"))), answer=wrong(names.QUIET_UNTIL, "Both times, or none.")),
    Case("preferences, the other half", interaction("view_submission", view=view(names.PREFERENCES, preferences(end="07:00"))), answer=wrong(names.QUIET_FROM, "Both times, or none.")),
    Case("preferences, a field of somebody else's", interaction("view_submission", view=view(names.PREFERENCES, {"x": {"y": {"value": "z"}}})), "submitted", {"values": {}}),
    Case("form in Slack Connect", interaction("view_submission", team={"id": "T9"}, view=view(names.ASK, typed("How?"))), "message", {"workspace": "T1"}),
    Case("form of somebody else's", interaction("view_submission", view=view("other", {}))),
    Case("form without id", interaction("view_submission", view=view(names.ASK, typed("How?"), id=None))),
    Case("form without state", interaction("view_submission", view=view(names.ASK, typed("x"), state=None)), answer=wrong(names.QUESTION, "The field is needed.")),
    Case("form closed", interaction("view_closed", view=view(names.ASK), is_cleared=False)),
    Case("global shortcut", interaction("shortcut", callback_id=names.ASK, action_ts="1.1"), opens=names.ASK),
    Case("global shortcut of somebody else's", interaction("shortcut", callback_id="x", action_ts="1.1")),
    Case("message shortcut", interaction("message_action", callback_id=names.ASK_ABOUT, message={"text": "a &amp; b", "ts": TS}, channel={"id": "C1"}), opens=names.ASK),
    Case("message shortcut, no text", interaction("message_action", callback_id=names.ASK_ABOUT, message={}), opens=names.ASK),
    Case("message shortcut, long", interaction("message_action", callback_id=names.ASK_ABOUT, message={"text": "é\"" * 4000}), opens=names.ASK),
    Case("message shortcut of somebody else's", interaction("message_action", callback_id="x", message={})),
    Case("options", interaction("block_suggestion", action_id=names.TIMEZONE, block_id=names.TIMEZONE, value="berl"),
         answer={"options": [{"text": {"type": "plain_text", "text": "Europe/Berlin"}, "value": "Europe/Berlin"}]}),
    Case("options, nothing fits", interaction("block_suggestion", action_id=names.TIMEZONE, value="qqq"), answer={"options": []}),
    Case("options of somebody else's", interaction("block_suggestion", action_id="x", value="b"), answer={"options": []}),
    Case("interactive_message of old", interaction("interactive_message", callback_id="x")),
    Case("dialog_submission of old", interaction("dialog_submission", callback_id="x")),
    Case("interaction of no type", {**interaction("x"), "type": None}),
]  # fmt: skip

CASES = [*MESSAGES, *CHANGES, *OURSELVES, *COMMANDS, *CLICKS, *FORMS]


def spoilt(payload: Any, chance: Any) -> Any:
    """Give a payload with one or a few of its values gone, changed or swapped."""
    made = copy.deepcopy(payload)
    for _ in range(chance.randrange(1, 4)):
        at = made
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = chance.choice(keys)
            inner = at[key]
            if isinstance(inner, (dict, list)) and inner and chance.random() < 0.8:
                at = inner
                continue
            junk = (None, 7, "", "x", "\x00", "\ud800", [], {}, [7], {"a": {}}, True, "T9", "U" * 300, 2**70, inner)
            at[key] = chance.choice(junk)
            break
    return made

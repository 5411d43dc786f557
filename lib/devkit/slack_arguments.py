"""
What each method of Slack's Web API takes, and how Slack reads it from a request.

Source: https://docs.slack.dev/apis/web-api (POST bodies, authentication) and the page of each method below
https://docs.slack.dev/reference/methods. Stricter than Slack on purpose: an argument that a method does not have is
refused, where Slack would ignore it. As at Slack, only methods that write take JSON. Left out: multipart bodies, user
and app-level tokens, scopes.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from devkit.serving import Request

# "!" marks what is required
_METHODS: Mapping[str, str] = {
    "apps.connections.open": "",
    "auth.test": "",
    "auth.revoke": "test:boolean",
    "users.info": "user:string! include_locale:boolean",
    "users.lookupByEmail": "email:string!",
    "conversations.open": "channel:string return_im:boolean users:list prevent_creation:boolean",
    "conversations.history": "channel:string! cursor:string include_all_metadata:boolean inclusive:boolean"
    " latest:moment limit:integer oldest:moment",
    "conversations.replies": "channel:string! ts:timestamp! cursor:string include_all_metadata:boolean"
    " inclusive:boolean latest:moment limit:integer oldest:moment",
    "chat.postMessage": "channel:string! as_user:boolean attachments:json blocks:json icon_emoji:string icon_url:string"
    " link_names:boolean markdown_text:string metadata:json mrkdwn:boolean parse:string reply_broadcast:boolean"
    " text:string thread_ts:timestamp unfurl_links:boolean unfurl_media:boolean username:string",
    "chat.update": "channel:string! ts:timestamp! as_user:boolean attachments:json blocks:json link_names:boolean"
    " markdown_text:string metadata:json parse:string reply_broadcast:boolean text:string file_ids:list",
    "chat.delete": "channel:string! ts:timestamp! as_user:boolean",
    "chat.startStream": "channel:string! thread_ts:timestamp! markdown_text:string recipient_user_id:string"
    " recipient_team_id:string chunks:json task_display_mode:string icon_emoji:string icon_url:string username:string",
    "chat.appendStream": "channel:string! ts:timestamp! markdown_text:string! chunks:json",
    "chat.stopStream": "channel:string! ts:timestamp! markdown_text:string chunks:json blocks:json metadata:json"
    " session_status:string",
    "assistant.threads.setStatus": "channel_id:string! thread_ts:timestamp! status:string! loading_messages:list"
    " icon_emoji:string icon_url:string username:string",
    "assistant.threads.setTitle": "channel_id:string! thread_ts:timestamp! title:string!",
    "files.info": "file:string! count:integer page:integer cursor:string limit:integer",
    "agents.sessions.setStatus": "channel_id:string status:string! thread_ts:timestamp title:string"
    " initiator_user_id:string icon_emoji:string icon_url:string username:string",
    "reactions.add": "channel:string! name:string! timestamp:timestamp!",
    "views.open": "view:json! trigger_id:string! interactivity_pointer:string",
    "views.update": "view:json! view_id:string external_id:string hash:string",
    "views.publish": "view:json! user_id:string! hash:string",
    "assistant.threads.setSuggestedPrompts": "channel_id:string! prompts:json! thread_ts:timestamp title:string",
}
_READ_ONLY = frozenset(
    {"files.info", "users.info", "users.lookupByEmail", "conversations.history", "conversations.replies"}
)
_TIMESTAMP = re.compile(r"\d{10}\.\d{6}", re.ASCII)
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


class Refused(Exception):
    """Slack's `{"ok": false, "error": …}`; `messages` go into response_metadata."""

    def __init__(self, error: str, *messages: str) -> None:
        super().__init__(error)
        self.error = error
        self.messages = messages

    def body(self) -> dict[str, Any]:
        """Give the answer as Slack words it."""
        answer: dict[str, Any] = {"ok": False, "error": self.error}
        if self.messages:
            answer["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in self.messages]}
        if self.messages and self.error == "invalid_blocks":
            answer["errors"] = list(self.messages)
        return answer


def read(method: str, request: Request, opens: Callable[[str], str]) -> dict[str, Any]:
    """
    Give the arguments of a call, checked and in their types. Raises Refused, in the order in which Slack looks.

    `opens` gives Slack's word for what is wrong with a token, empty when nothing is.
    """
    if method not in _METHODS:
        raise Refused("unknown_method")
    given = _given(method, request)
    _authenticate(given.pop("token", None), request.headers.get("authorization", ""), opens)
    wanted = {name: kind for name, _, kind in (part.partition(":") for part in _METHODS[method].split())}
    faults = [f"missing required field: {n}" for n, kind in wanted.items() if kind.endswith("!") and n not in given]
    faults += [f"unknown field: {name}" for name in given if name not in wanted]
    values = {}
    for name, value in given.items():
        kind = wanted.get(name, "").rstrip("!")
        try:
            values[name] = _READERS[kind](value) if kind else value
        except ValueError:
            if name in ("blocks", "metadata"):
                raise Refused(f"invalid_{name}_format") from None
            faults.append(f"must be a {kind} [json-pointer:/{name}]")
    if faults:
        raise Refused("invalid_arguments", *faults)
    return values


def _given(method: str, request: Request) -> dict[str, Any]:
    # A token in the query is no token: Slack refuses it for apps made since 2021.
    query = {name: value for name, value in parse_qsl(request.query) if name not in ("token", "pretty")}
    if not request.body:
        return query
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _FORM:
        try:
            return {**query, **dict(parse_qsl(request.body.decode(), keep_blank_values=True))}
        except UnicodeDecodeError:
            raise Refused("invalid_form_data") from None
    if kind != _JSON:
        raise Refused("invalid_post_type" if kind else "missing_post_type")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused("invalid_json") from None
    if not isinstance(body, dict):
        raise Refused("json_not_object")
    body.pop("token", None)
    return query if method in _READ_ONLY else {**query, **{n: value for n, value in body.items() if value is not None}}


def _authenticate(in_form: str | None, header: str, opens: Callable[[str], str]) -> None:
    scheme, _, in_header = header.partition(" ")
    presented = in_header.strip() if scheme.lower() == "bearer" else in_form
    if not presented:
        raise Refused("not_authed")
    if wrong := opens(presented):
        raise Refused(wrong)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - one word for every wrong form
    return value


def _boolean(value: Any) -> bool:
    if value in (True, "true", "1"):
        return True
    if value in (False, "false", "0"):
        return False
    raise ValueError


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not str(value).isdecimal():
        raise ValueError
    return int(value)


def _moment(value: Any) -> int:
    """Read seconds since 1970 as microseconds."""
    if isinstance(value, bool) or not _NUMBER.fullmatch(str(value)):
        raise ValueError
    return int(Decimal(str(value)) * 1_000_000)


def _timestamp(value: Any) -> str:
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        raise ValueError
    return value


def _list(value: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError
    return [item.strip() for item in items if item.strip()]


def _json(value: Any) -> Any:
    found = json.loads(value) if isinstance(value, str) else value
    if not isinstance(found, (list, dict)):
        raise ValueError  # noqa: TRY004 - one word for every wrong form
    return found


_READERS = {
    "string": _string,
    "boolean": _boolean,
    "integer": _integer,
    "moment": _moment,
    "timestamp": _timestamp,
    "list": _list,
    "json": _json,
}

"""
Slack's Events API: what Slack POSTs to an app for a message, signed, and sent again until it is taken.

Sources: https://docs.slack.dev/apis/events-api (envelope, 3 s, three retries, X-Slack-No-Retry)
         https://docs.slack.dev/reference/events/app_mention and …/events/message.im
         https://docs.slack.dev/authentication/verifying-requests-from-slack (signature)
The 3 s hold for each step of a request (connect, each read), not for its whole. Left out: switching an app off that
fails too often, private channels.
"""

import hashlib
import hmac
import json
import re
import ssl
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from devkit.slack_workspace import APP, BOT_USER, TEAM, Conversation, Message

type Payload = dict[str, Any]

RETRIES = (0.0, 60.0, 300.0)  # seconds before each of the three
_MENTION = re.compile(r"(<@[UW][A-Z0-9]+>)")


@dataclass(frozen=True)
class Attempt:
    """One delivery. `reason` is Slack's word for its failure, None when it was taken; `status` None: no answer."""

    retry_num: int
    status: int | None
    reason: str | None
    body: bytes = b""
    no_retry: bool = False


def events(conversation: Conversation, message: Message, now: float) -> list[Payload]:
    """Give the envelopes of a message: its app_mention when it names the app outside a DM, and its message event."""
    if BOT_USER not in conversation.members:
        return []
    shared = {name: value for name, value in message.items() if name not in ("type", "metadata", "reactions")}
    event = {**shared, "channel": conversation.id, "event_ts": message["ts"]}
    found = [_envelope({"type": "message", **event, "channel_type": conversation.kind}, now)]
    if conversation.kind != "im" and f"<@{BOT_USER}>" in message["text"] and message["user"] != BOT_USER:
        mention = {name: value for name, value in event.items() if name != "subtype"}
        found.insert(0, _envelope({"type": "app_mention", **mention}, now))
    return found


def stopped(user: str, channel: str, thread: str, growing: list[str], now: float) -> Payload:
    """Give the event of somebody who presses Stop."""
    event = {"type": "agent_session_stopped", "user": user, "channel": channel, "thread_ts": thread}
    return _envelope({**event, "streaming_message_ts": growing, "event_ts": f"{now:.6f}"}, now)


def of_person(user: str, text: str) -> Message:
    """Give a message as a person's client sends it. `text` is Slack's: `&`, `<`, `>` escaped, `<@U…>` a mention."""
    parts = [part for part in _MENTION.split(text) if part]
    elements: list[dict[str, str]] = [
        {"type": "user", "user_id": part[2:-1]} if _MENTION.fullmatch(part) else {"type": "text", "text": part}
        for part in parts
    ]
    section = {"type": "rich_text_section", "elements": elements}
    blocks = [{"type": "rich_text", "block_id": uuid.uuid4().hex[:5], "elements": [section]}]
    return {
        "type": "message",
        "user": user,
        "client_msg_id": str(uuid.uuid4()),
        "text": text,
        "team": TEAM,
        "blocks": blocks,
    }


def sign(secret: str, body: bytes, now: int) -> dict[str, str]:
    """Give the two headers that prove that Slack sent this body at `now`, seconds since 1970."""
    base = b"v0:%d:%b" % (now, body)
    signature = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(now), "X-Slack-Signature": f"v0={signature}"}


def deliver(
    url: str,
    payload: Payload,
    secret: str,
    retry_num: int = 0,
    reason: str | None = None,
    clock: Callable[[], float] = time.time,
    timeout: float = 3.0,
) -> Attempt:
    """POST once, as Slack does; with `retry_num` as its retry because of `reason`."""
    body = json.dumps(payload, separators=(",", ":")).encode()
    return _posted(url, body, "application/json", secret, retry_num, reason, clock, timeout)


def deliver_form(
    url: str, fields: dict[str, str], secret: str, clock: Callable[[], float] = time.time, timeout: float = 3.0
) -> Attempt:
    """POST a command or an interaction, as Slack does: once, and never again."""
    body = urlencode(fields).encode()
    return _posted(url, body, "application/x-www-form-urlencoded", secret, 0, None, clock, timeout)


def _posted(
    url: str,
    body: bytes,
    kind: str,
    secret: str,
    retry_num: int,
    reason: str | None,
    clock: Callable[[], float],
    timeout: float,
) -> Attempt:
    headers = {
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "Content-Type": kind,
        "Accept": "*/*",
        **sign(secret, body, int(clock())),
    }
    if retry_num:
        headers |= {"X-Slack-Retry-Num": str(retry_num), "X-Slack-Retry-Reason": reason or "http_error"}
    try:
        with httpx.Client(timeout=timeout, follow_redirects=True, max_redirects=2, trust_env=False) as client:
            answer = client.post(url, content=body, headers=headers)
    except (httpx.HTTPError, ssl.SSLError) as error:
        return Attempt(retry_num, None, _reason(error))
    failed = None if answer.is_success else "http_error"
    no_retry = bool(failed) and answer.headers.get("X-Slack-No-Retry") == "1"
    return Attempt(retry_num, answer.status_code, failed, answer.content, no_retry)


def deliver_with_retries(
    url: str,
    payload: Payload,
    secret: str,
    *,
    scale: float = 1.0,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
    timeout: float = 3.0,
) -> list[Attempt]:
    """POST until it is taken, at most four times; `scale` shortens the waits of RETRIES. Gives every attempt."""
    attempts = [deliver(url, payload, secret, clock=clock, timeout=timeout)]
    for number, seconds in enumerate(RETRIES, start=1):
        last = attempts[-1]
        if last.reason is None or last.no_retry:
            break
        if seconds:
            wait(seconds * scale)
        attempts.append(deliver(url, payload, secret, number, last.reason, clock, timeout))
    return attempts


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TooManyRedirects):
        return "too_many_redirects"
    if isinstance(error, httpx.TimeoutException):
        return "http_timeout"
    if isinstance(error, httpx.ConnectError) and "ssl" in str(error).lower():
        return "ssl_error"
    return "connection_failed" if isinstance(error, httpx.TransportError) else "unknown_error"


def _envelope(event: dict[str, Any], now: float) -> Payload:
    return {
        "token": "stand-in",
        "team_id": TEAM,
        "enterprise_id": None,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev0{uuid.uuid4().hex[:8].upper()}",
        "event_time": int(now),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{uuid.uuid4().hex}",
    }

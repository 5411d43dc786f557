"""
Slack: an answer as chat.postMessage wants it, and what its answers mean.

Sources: https://docs.slack.dev/reference/methods/chat.postMessage (errors, limits)
         https://docs.slack.dev/messaging/formatting-message-text (mrkdwn, escaping)
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Parked, Retry, Unsure, kept_waiting
from parley.domain.delivery import Job

SECTION = 2_900  # characters of a section block: Slack's limit is 3,000
BLOCKS = 45  # Slack's limit is 50; two are for sources and notes
FALLBACK = 3_900  # characters of `text`, what notifications and screen readers show
EVENT = "parley_delivery"

_NOT_SENT = frozenset({"request_timeout", "service_unavailable", "team_added_to_org", "org_login_required"})
_UNSURE = frozenset({"fatal_error", "internal_error", "messaging_processing_failed"})
_CREDENTIAL = frozenset(
    {
        "invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_authed", "missing_scope",
        "not_allowed_token_type", "two_factor_setup_required", "accesslimited", "app_access_restricted",
        "message_limit_exceeded",
    }
)  # fmt: skip

_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_LINK = re.compile(r"\[([^\]\n]+)\]\((https?://[^\s)|&]+)\)")
_BOLD = re.compile(r"\*\*(.+?)\*\*|__(.+?)__")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_BULLET = re.compile(r"^(\s*)[-*+]\s+", re.MULTILINE)


def render(job: Job) -> dict[str, Any]:
    """Give the arguments of chat.postMessage."""
    text = mrkdwn(job.text)
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": piece}} for piece in pieces(text, SECTION)[:BLOCKS]
    ]
    if notes := list(_notes(job)):
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": note[:SECTION]} for note in notes]})
    arguments = {
        "channel": job.address["conversation"],
        "text": text[:FALLBACK],
        "blocks": blocks,
        "metadata": {"event_type": EVENT, "event_payload": {"key": str(job.delivery_id)}},
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if thread := job.address.get("thread"):
        arguments["thread_ts"] = thread
    return arguments


def outcome(answer: Answer) -> Outcome:
    """Say what an answer of Slack's means; most errors come with the status 200."""
    code = answer.code
    if answer.status == 429 or code in ("ratelimited", "rate_limited"):
        return kept_waiting(answer)
    if answer.status >= 500 or code in _UNSURE:
        return Unsure("Slack had an internal error", code or str(answer.status))
    if code is None:
        return Delivered(answer.provider_id)
    if code in _NOT_SENT:
        return Retry("Slack could not take it now", code)
    if code in _CREDENTIAL:
        return Parked("Slack refuses our token or plan", code)
    return Failed("Slack refuses the message or its place", code)


def found(job: Job, replies: Iterable[Mapping[str, Any]]) -> str | None:
    """Give the timestamp of this delivery's message among those of a thread, by the key in its metadata."""
    for reply in replies:
        metadata = reply.get("metadata") or {}
        payload = metadata.get("event_payload") or {}
        if metadata.get("event_type") == EVENT and payload.get("key") == str(job.delivery_id):
            return str(reply["ts"])
    return None


def mrkdwn(markdown: str) -> str:
    """Turn Markdown into Slack's mrkdwn. Everything is escaped first, so that no text can mention or broadcast."""
    escaped = markdown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    parts = _CODE.split(escaped)
    return "".join(part if _CODE.fullmatch(part) else _prose(part) for part in parts).strip() or "(no text)"


def pieces(text: str, size: int) -> list[str]:
    """Cut a text into pieces of at most `size` characters, at paragraphs, else lines, else words, else anywhere."""
    found = []
    while len(text) > size:
        cut = next((at for mark in ("\n\n", "\n", " ") if (at := text.rfind(mark, 1, size)) > 0), size)
        head, text = text[:cut], text[cut:].lstrip("\n ") if cut < size else text[cut:]
        found.append(head)
    return [*found, text] if text else found


def _prose(text: str) -> str:
    text = _HEADING.sub(r"*\1*", text)
    text = _BULLET.sub(r"\1• ", text)
    text = _BOLD.sub(lambda match: f"*{match[1] or match[2]}*", text)
    return _LINK.sub(r"<\2|\1>", text)


def _notes(job: Job) -> Iterable[str]:
    if job.citations:
        names = [f"{c['title']} › {c['heading']}" if c.get("heading") else c["title"] for c in job.citations]
        yield "Sources: " + "; ".join(mrkdwn(name) for name in names)
    if job.also_by:
        yield "May also have arrived by " + ", ".join(job.also_by)

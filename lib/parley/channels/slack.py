"""
Slack: an answer as chat.postMessage wants it, and what its answers mean.

Sources: https://docs.slack.dev/reference/methods/chat.postMessage (errors, limits)
         https://docs.slack.dev/messaging/formatting-message-text (mrkdwn, escaping)
All blocks together are refused somewhat above 13,000 characters, which Slack does not document.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from parley.channels import markdown, wording
from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Parked, Retry, Unsure, kept_waiting
from parley.domain.delivery import Job

SECTION = 3000  # characters of a section block
TOTAL = 12_000  # characters of all blocks
BLOCKS = 50
FALLBACK = 4000  # characters of `text`, what notifications and screen readers show
EVENT = "parley_delivery"
CUT = "_The answer is longer than Slack takes; this is its beginning._"

_NOT_SENT = frozenset({"request_timeout", "service_unavailable", "team_added_to_org", "org_login_required"})
_UNSURE = frozenset({"fatal_error", "internal_error", "messaging_processing_failed"})
_CREDENTIAL = frozenset(
    {
        "invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_authed", "missing_scope",
        "not_allowed_token_type", "two_factor_setup_required", "accesslimited", "app_access_restricted",
        "message_limit_exceeded",
    }
)  # fmt: skip

_BROADCAST = re.compile(r"@(?=(?:here|channel|everyone)\b)", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>|]*[^\s<>|.,;:!?'\"()\[\]{}]")
_TICK = "\u02cb"  # looks like a backtick and ends no code
_SIGNS = {"strong": "*", "em": "_", "s": "~"}


def render(job: Job) -> dict[str, Any]:
    """Give the arguments of chat.postMessage."""
    parts = list(_fitting(_sections(mrkdwn(job.text))))
    blocks: list[dict[str, Any]] = [{"type": "section", "text": _text(part)} for part in parts]
    if small := _small(job):
        blocks.append({"type": "context", "elements": [_text(small)]})
    arguments: dict[str, Any] = {
        "channel": job.address["conversation"],
        "text": _cut("\n\n".join(parts), FALLBACK),
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


def mrkdwn(text: str) -> list[str]:
    """Turn Markdown into Slack's mrkdwn: one text for each paragraph, list, table or piece of code."""
    return markdown.blocks(text, _Mrkdwn()) or ["(no text)"]


class _Mrkdwn:
    """Only & < > are special to Slack and all three are escaped, so no text can mention or broadcast."""

    def text(self, text: str) -> str:
        said, at = [], 0
        for url in _URL.finditer(text):
            said += [_plain(text[at : url.start()]), self.link("", url[0])]
            at = url.end()
        return "".join([*said, _plain(text[at:])])

    def code(self, text: str) -> str:
        return f"`{_escaped(text).replace('`', _TICK)}`"

    def fence(self, text: str) -> str:
        return f"```\n{_escaped(text).replace('```', _TICK * 3)}\n```"

    def link(self, text: str, url: str) -> str:
        target = _escaped(url.replace("|", "%7C"))
        label = " ".join(re.sub(r"<([^|>]*)(?:\|([^>]*))?>", lambda m: m[2] or m[1], text).split())
        return f"<{target}|{label}>" if label and label != target else f"<{target}>"

    def mark(self, kind: str, text: str) -> str:
        sign = _SIGNS[kind]
        inner = text.strip().replace("\n", " ")
        inner = inner.replace("*", "") if kind == "strong" else inner  # bold in bold would end it
        return f"{sign}{inner}{sign}" if inner else ""

    def quote(self, text: str) -> str:
        return "\n".join(f"> {line}" for line in text.split("\n"))


def _plain(text: str) -> str:
    return _BROADCAST.sub("@\u200b", _escaped(text))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(text: str) -> dict[str, Any]:
    """`verbatim`: Slack links and mentions nothing by itself."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _small(job: Job) -> str:
    names = wording.sources(job)
    lines = [f"Sources: {'; '.join(_plain(name) for name in names)}"] if names else []
    return _cut("\n".join([*lines, *filter(None, [wording.note(job)])]), 2000)


def _sections(blocks: Sequence[str]) -> Iterator[str]:
    """Pack whole blocks into sections; one that is too long alone is cut between lines or words."""
    packed = ""
    for piece in (piece for block in blocks for piece in _pieces(block)):
        if packed and len(packed) + 2 + len(piece) > SECTION:
            yield packed
            packed = piece
        else:
            packed = f"{packed}\n\n{piece}" if packed else piece
    yield packed


def _pieces(block: str) -> Iterator[str]:
    fenced = block.startswith("```\n")
    while len(block) > SECTION:
        at = _break(block, SECTION - 4)
        yield block[:at].rstrip() + ("\n```" if fenced else "")
        block = "```\n" + block[at:].lstrip("\n") if fenced else block[at:].lstrip()
    yield block


def _break(text: str, limit: int) -> int:
    """Find where to cut: after a line, else after a word, never within an entity or a link."""
    half = limit // 2
    at = next((found for mark in ("\n", " ") if (found := text.rfind(mark, half, limit)) > 0), limit)
    for begin, end, longest in (("<", ">", limit), ("&", ";", 6)):
        opened = text.rfind(begin, half, at)
        if opened > 0 and at - opened < longest and text.find(end, opened) >= at:
            at = opened
    return at


def _fitting(sections: Iterable[str]) -> Iterator[str]:
    total = len(CUT)
    for number, section in enumerate(sections, start=1):
        total += len(section)
        if total > TOTAL or number > BLOCKS - 2:
            yield CUT
            return
        yield section


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: _break(text, limit - 1)] + "…"

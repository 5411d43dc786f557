"""
Microsoft Teams: an answer as an Adaptive Card, posted to an incoming webhook or a workflow's URL.

Sources: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook (28 KB,
four posts in a second) and https://adaptivecards.io/explorer/TextBlock.html (some Markdown: no headings, no tables).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from parley.channels import markdown, post, wording
from parley.channels.outcome import Answer, Failed, Outcome, Unsure, Wait
from parley.channels.post import Post
from parley.domain.delivery import Job

LARGEST = 21_000  # bytes of the body: Teams says 28 KB, and counts what it makes of it
PAUSE = 5.0  # seconds after too many posts, when nothing was said
CUT = "The answer is longer than Teams takes: the rest of it is where you asked, and in your history."

_SPECIAL = re.compile(r"([\\`*_\[\]()#+\-.!|~<>])")
_MONOSPACED = "\x00"
_INSIDE = re.compile(r"HTTP error (\d{3})")  # the older webhooks answer 200 and say in words what went wrong


class _Card:
    """What a card's text understands: bold, italics, links and lists."""

    def text(self, text: str) -> str:
        return _SPECIAL.sub(r"\\\1", text)

    def code(self, text: str) -> str:
        return self.text(text)

    def fence(self, text: str) -> str:
        return _MONOSPACED + text

    def link(self, text: str, url: str) -> str:
        return f"[{text}]({url.replace('(', '%28').replace(')', '%29')})"

    def mark(self, kind: str, text: str) -> str:
        return {"strong": f"**{text}**", "em": f"_{text}_"}.get(kind, text)

    def quote(self, text: str) -> str:
        return text


def render(job: Job) -> Post:
    """Give the request."""
    notes = [note for note in (wording.note(job), ", ".join(wording.sources(job))) if note]
    blocks = [_block(text) for text in markdown.blocks(job.text, _Card())]
    blocks += [{**_block(_Card().text(note)), "isSubtle": True, "size": "Small"} for note in notes]
    headers = {"content-type": "application/json", "user-agent": "Parley/1"}
    url = str(job.config.get("url") or job.address["url"])
    return Post(url, headers, _fitting(job, blocks))


def outcome(answer: Answer) -> Outcome:
    """Say what an answer means."""
    if answer.status == 200 and (inside := _INSIDE.search(answer.body.decode("utf-8", "replace"))):
        return outcome(Answer(int(inside[1]), retry_after=answer.retry_after))
    if answer.status == 429:
        return Wait(PAUSE if answer.retry_after is None else max(answer.retry_after, 1.0), "429")
    if answer.status in (401, 403, 404):
        return Failed("the webhook of the channel is not there any more", str(answer.status), disables=True)
    if answer.status in (500, 502, 504):  # it does not tell doubles apart, so what it may have taken is not repeated
        return Unsure("Teams had an internal error", str(answer.status))
    return post.outcome(answer)


def _block(text: str) -> dict[str, Any]:
    if text.startswith(_MONOSPACED):
        return {"type": "TextBlock", "text": text[1:], "fontType": "Monospace", "wrap": True}
    return {"type": "TextBlock", "text": text, "wrap": True}


def _fitting(job: Job, blocks: Sequence[Mapping[str, Any]]) -> bytes:
    """Give the body, with as much of the answer as there is room for."""
    body = _body(job, blocks)
    if len(body) <= LARGEST:
        return body
    room = LARGEST - len(_body(job, [_block(CUT)]))
    kept: list[Mapping[str, Any]] = []
    for block in blocks:
        size = len(_json(block)) + 2
        if size > room:
            if room > 200:  # a part of a long block is better than none of it
                kept.append({**block, "text": str(block["text"]).encode()[: room // 2].decode("utf-8", "ignore")})
            break
        kept.append(block)
        room -= size
    return _body(job, [*kept, _block(CUT)])


def _body(job: Job, blocks: Sequence[Mapping[str, Any]]) -> bytes:
    question = " ".join(job.question.split())[:200]
    title = {"type": "TextBlock", "text": _Card().text(question), "weight": "Bolder", "wrap": True}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "fallbackText": job.text[:500], "msteams": {"width": "Full"}, "body": [title, *blocks],
    }  # fmt: skip
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return _json({"type": "message", "attachments": [attachment]})


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()

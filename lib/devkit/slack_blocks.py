"""
What Slack checks of the content of a message: text, blocks, metadata.

Sources: https://docs.slack.dev/reference/block-kit/blocks (limits of each block)
         https://docs.slack.dev/reference/methods/chat.postMessage (errors)
         https://docs.slack.dev/messaging/message-metadata
The sum of 13,200 characters for all blocks is an observed limit, not a documented one. A text above 40,000 characters
is refused where Slack may cut it. Left out: the elements of actions, inputs and rich text; attachments; the size of
metadata.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from devkit.slack_arguments import Refused

TEXT = 40_000  # characters of `text` in a new message
UPDATED_TEXT = 4_000  # characters of `text` in chat.update
MARKDOWN = 12_000  # characters of markdown_text, and of all markdown blocks together
ALL_BLOCKS = 13_200
BLOCKS = 50

_TYPES = frozenset(
    {
        "actions", "alert", "card", "carousel", "context", "context_actions", "divider", "file", "header", "image",
        "input", "markdown", "plan", "rich_text", "section", "table", "task_card", "video",
    }
)  # fmt: skip


def check(arguments: Mapping[str, Any], longest: int) -> None:
    """Raise Refused when Slack would not take this content. `longest` is the limit of `text`."""
    text, blocks = arguments.get("text", ""), arguments.get("blocks", [])
    markdown = arguments.get("markdown_text", "")
    if markdown and (text or blocks):
        raise Refused("markdown_text_conflict")
    if not (text.strip() or markdown.strip() or blocks or arguments.get("attachments")):
        raise Refused("no_text")
    if len(text) > longest or len(markdown) > MARKDOWN:
        raise Refused("msg_too_long")
    _check_blocks(blocks)
    _check_metadata(arguments.get("metadata"))


def _check_blocks(blocks: Any) -> None:
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise Refused("invalid_blocks_format")
    faults = [f"no more than {BLOCKS} items allowed [json-pointer:/blocks]"] if len(blocks) > BLOCKS else []
    for number, block in enumerate(blocks):
        faults += [f"{fault} [json-pointer:/blocks/{number}{where}]" for fault, where in _faults(block)]
    if faults:
        raise Refused("invalid_blocks", *faults)
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > MARKDOWN:
        raise Refused("msg_too_long")
    if sum(map(_size, blocks)) > ALL_BLOCKS:
        raise Refused("msg_blocks_too_long")


def _faults(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = block.get("type")
    if kind not in _TYPES:
        yield f"unsupported type: {kind}", "/type"
        return
    if len(str(block.get("block_id", ""))) > 255:
        yield "must be less than 256 characters", "/block_id"
    match kind:
        case "section":
            yield from _section(block)
        case "header":
            yield from _text(block.get("text"), 150, "/text", ("plain_text",))
        case "markdown":
            if not isinstance(block.get("text"), str) or not block["text"]:
                yield "must be more than 0 characters", "/text"
        case "context":
            yield from _context(block.get("elements"))


def _section(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    fields = block.get("fields", [])
    if "text" not in block and not fields:
        yield "missing required field: text", ""
    if "text" in block:
        yield from _text(block["text"], 3_000, "/text")
    if len(fields) > 10:
        yield "no more than 10 items allowed", "/fields"
    for number, field in enumerate(fields):
        yield from _text(field, 2_000, f"/fields/{number}")


def _context(elements: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(elements, list) or not 1 <= len(elements) <= 10:
        yield "must have 1 to 10 items", "/elements"
        return
    for number, element in enumerate(elements):
        if not (isinstance(element, dict) and element.get("type") == "image"):
            yield from _text(element, 3_000, f"/elements/{number}")


def _text(
    value: Any, longest: int, where: str, kinds: tuple[str, ...] = ("mrkdwn", "plain_text")
) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict) or value.get("type") not in kinds:
        yield f"must be one of: {', '.join(kinds)}", f"{where}/type"
    elif not isinstance(value.get("text"), str) or not value["text"]:
        yield "must be more than 0 characters", f"{where}/text"
    elif len(value["text"]) > longest:
        yield f"must be less than {longest + 1} characters", f"{where}/text"


def _size(value: Any) -> int:
    """Count the characters of every text in a block."""
    if isinstance(value, dict):
        return sum(len(v) if k == "text" and isinstance(v, str) else _size(v) for k, v in value.items())
    return sum(map(_size, value)) if isinstance(value, list) else 0


def _check_metadata(metadata: Any) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not {"event_type", "event_payload"} <= metadata.keys():
        raise Refused("invalid_metadata_format")
    if not isinstance(metadata["event_type"], str) or not isinstance(metadata["event_payload"], dict):
        raise Refused("invalid_metadata_schema")

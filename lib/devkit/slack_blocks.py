"""
What Slack checks of the content of a message: text, blocks, metadata.

Sources: https://docs.slack.dev/reference/block-kit/blocks (limits of each block), …/rich-text-block, …/table-block
         https://docs.slack.dev/reference/methods/chat.postMessage (errors)
         https://docs.slack.dev/messaging/message-metadata
Characters are counted in UTF-16 units. The sums of 13,200 characters for all blocks and of 10,000 for all cells of a
message's tables are observed limits, not documented ones. A text above 40,000 characters is refused where Slack may
cut it. Left out: elements of actions other than buttons, inputs; attachments; the size of metadata.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from devkit import slack_rich_text
from devkit.slack_arguments import Refused
from devkit.slack_rich_text import length

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
    if length(text) > longest or length(markdown) > MARKDOWN:
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
    if sum(length(block["text"]) for block in blocks if block["type"] == "markdown") > MARKDOWN:
        raise Refused("msg_too_long")
    if sum(map(slack_rich_text.cells, blocks)) > slack_rich_text.ALL_CELLS:
        raise Refused("invalid_blocks", "the tables of a message hold more than 10000 characters")
    if sum(map(_size, blocks)) > ALL_BLOCKS:
        raise Refused("msg_blocks_too_long")


def _faults(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = block.get("type")
    if kind not in _TYPES:
        yield f"unsupported type: {kind}", "/type"
        return
    if len(str(block.get("block_id", ""))) > 255:
        yield "must be less than 256 characters", "/block_id"
    if kind in _CHECKS:
        yield from _CHECKS[kind](block)


def _markdown(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not isinstance(block.get("text"), str) or not block["text"]:
        yield "must be more than 0 characters", "/text"


def _divider(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if block.keys() - {"type", "block_id"}:
        yield "has a field that it does not know", ""


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
    elif length(value["text"]) > longest:
        yield f"must be less than {longest + 1} characters", f"{where}/text"


def _size(value: Any) -> int:
    """Count the characters of every text and address in a block."""
    if isinstance(value, dict):
        return sum(length(v) if k in ("text", "url") and isinstance(v, str) else _size(v) for k, v in value.items())
    return sum(map(_size, value)) if isinstance(value, list) else 0


def _check_metadata(metadata: Any) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not {"event_type", "event_payload"} <= metadata.keys():
        raise Refused("invalid_metadata_format")
    if not isinstance(metadata["event_type"], str) or not isinstance(metadata["event_payload"], dict):
        raise Refused("invalid_metadata_schema")


def _actions(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _elements(block, 25, {"button": _button})


def _context_actions(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _elements(block, 5, {"feedback_buttons": _feedback, "icon_button": lambda _: iter(())})


def _elements(
    block: Mapping[str, Any], most: int, known: Mapping[str, Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]]]
) -> Iterator[tuple[str, str]]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= most:
        yield f"must have 1 to {most} items", "/elements"
        return
    for number, element in enumerate(elements):
        check = known.get(str(element.get("type"))) if isinstance(element, dict) else None
        for fault, where in check(element) if check else ():
            yield fault, f"/elements/{number}{where}"


def _button(element: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _text(element.get("text"), 75, "/text", ("plain_text",))
    yield from _short(element, {"action_id": 255, "value": 2_000, "url": 3_000})
    if element.get("style", "primary") not in ("primary", "danger"):
        yield "must be one of: primary, danger", "/style"


def _feedback(element: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _short(element, {"action_id": 255})
    for name in ("positive_button", "negative_button"):
        button = element.get(name)
        if not isinstance(button, dict):
            yield f"missing required field: {name}", ""
            continue
        for fault, where in (
            *_text(button.get("text"), 75, "/text", ("plain_text",)),
            *_short(button, {"value": 2_000}),
        ):
            yield fault, f"/{name}{where}"


def _short(element: Mapping[str, Any], limits: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for name, longest in limits.items():
        if name in element and length(str(element[name])) > longest:
            yield f"must be less than {longest + 1} characters", f"/{name}"


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]]] = {
    "section": _section,
    "header": lambda block: _text(block.get("text"), 150, "/text", ("plain_text",)),
    "markdown": _markdown,
    "context": lambda block: _context(block.get("elements")),
    "rich_text": slack_rich_text.block,
    "table": slack_rich_text.table,
    "divider": _divider,
    "actions": _actions,
    "context_actions": _context_actions,
}

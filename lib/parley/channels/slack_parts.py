"""
Units packed into the messages of one answer, and each message's blocks in three forms, the second and third for a
Slack that refuses the one before: rich blocks, plain sections, no blocks.

Limits: https://docs.slack.dev/reference/block-kit/blocks. All blocks together are refused somewhat above 13,000
characters, and all cells of a message's tables above 10,000: neither is documented.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from parley.channels.slack_text import escaped, fenced, mrkdwn, plain, shortened, size, weight
from parley.channels.slack_units import CELLS, Code, Header, Inline, Items, Para, Quote, Rule, Table, Unit, table_weight

TOTAL = 11_500  # characters of all blocks of a message
BLOCKS = 46  # of a message, some being left for what stands below the answer
SECTION = 3000

type Block = dict[str, Any]


@dataclass
class Part:
    """One message: its units, and what they weigh."""

    units: list[Unit] = field(default_factory=list)
    weight: int = 0
    blocks: int = 0
    cells: int = 0

    def takes(self, unit: Unit) -> bool:
        """Whether one more fits."""
        cells = self.cells + (heavy(unit) if isinstance(unit, Table) else 0)
        return self.weight + heavy(unit) <= TOTAL and self.blocks + 1 <= BLOCKS and cells <= CELLS

    def add(self, unit: Unit) -> None:
        """Take one more."""
        flows = isinstance(unit, Para | Items | Code | Quote)
        self.blocks += not (flows and self.units and isinstance(self.units[-1], Para | Items | Code | Quote))
        self.weight += heavy(unit)
        self.cells += heavy(unit) if isinstance(unit, Table) else 0
        self.units.append(unit)


def packed(units: list[Unit]) -> list[Part]:
    """Put units into as few messages as they need; a headline stays with what follows it."""
    parts = [Part()]
    for unit in units:
        if parts[-1].units and not parts[-1].takes(unit):
            last = parts[-1].units
            carried = [last.pop()] if isinstance(last[-1], Header) and len(last) > 1 else []
            parts.append(Part())
            for head in carried:
                parts[-1].add(head)
        parts[-1].add(unit)
    return parts


def heavy(unit: Unit) -> int:
    """Count the characters of a unit, in whichever of its forms is the longest."""
    match unit:
        case Para(inline) | Quote(inline):
            return weight(inline) + 2
        case Items(entries, _, depth, _):
            return sum(weight(entry) + 6 + 4 * depth for entry in entries)
        case Header(text) | Code(text):
            return size(text) + 8
        case Table(rows, _):
            return table_weight(rows)
        case Rule():
            return 3


def rich(part: Part) -> list[Block]:
    """Give the blocks: rich text, headers, tables."""
    blocks: list[Block] = []
    for unit in part.units:
        match unit:
            case Header(text):
                blocks.append({"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}})
            case Rule():
                blocks.append({"type": "divider"})
            case Table(rows, aligned):
                blocks.append(_table(rows, aligned))
            case _:
                if not (blocks and blocks[-1]["type"] == "rich_text"):
                    blocks.append({"type": "rich_text", "elements": []})
                _flow(blocks[-1]["elements"], unit)
    return blocks


def simple(part: Part) -> list[Block]:
    """Give the same in sections of mrkdwn and dividers, which every Slack takes."""
    sections: list[str] = []
    for text, apart in _texts(part):
        if sections and size(sections[-1]) + len(apart) + size(text) <= SECTION:
            sections[-1] += apart + text
        else:
            sections.append(text)
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}} for text in sections]


def fits(blocks: list[Block]) -> bool:
    """Whether a message takes these: escaping may have made sections of them longer than they were."""
    texts = [size(block["text"]["text"]) for block in blocks if block["type"] == "section"]
    return len(blocks) <= BLOCKS and sum(texts) <= TOTAL


def words(part: Part) -> str:
    """Give the same as text without blocks, in mrkdwn."""
    return "".join(apart + text for text, apart in _texts(part)).strip("\n")


def _flow(elements: list[Block], unit: Unit) -> None:
    match unit:
        case Para(inline):
            if elements and elements[-1]["type"] == "rich_text_section":
                elements[-1]["elements"] += [{"type": "text", "text": "\n\n"}, *inline]
            else:
                apart = [{"type": "text", "text": "\n"}] if elements else []
                elements.append({"type": "rich_text_section", "elements": [*apart, *_some(inline)]})
        case Items(entries, ordered, depth, first):
            listed = [{"type": "rich_text_section", "elements": _some(entry)} for entry in entries]
            style = "ordered" if ordered else "bullet"
            offset = {"offset": first - 1} if ordered and first > 1 else {}
            elements.append({"type": "rich_text_list", "style": style, "indent": depth, **offset, "elements": listed})
        case Quote(inline):
            elements.append({"type": "rich_text_quote", "elements": _some(inline)})
        case Code(text):
            elements.append(_preformatted(text))
        case _:
            raise AssertionError("is a block of its own")


def _some(inline: Inline) -> Inline:
    return [element for element in inline if element.get("text") or element.get("url")] or [_blank()]


def _blank() -> Block:
    return {"type": "text", "text": " "}


def _preformatted(text: str) -> Block:
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text or " "}]}


def _table(rows: list[list[Inline]], aligned: list[str]) -> Block:
    settings = [{"align": align, "is_wrapped": True} for align in aligned]
    return {"type": "table", "column_settings": settings, "rows": [[_cell(cell) for cell in row] for row in rows]}


def _cell(inline: Inline) -> Block:
    if all(element["type"] == "text" and "style" not in element for element in inline):
        return {"type": "raw_text", "text": plain(inline).strip() or " "}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": _some(inline)}]}


def _texts(part: Part) -> Iterator[tuple[str, str]]:
    """Give each text in mrkdwn, and what stands between it and the one before: a list goes on in the next line."""
    before: Unit | None = None
    for unit in part.units:
        for text in _said(unit):
            yield text, "\n" if isinstance(unit, Items) and isinstance(before, Items) else "\n\n"
            before = unit


def _said(unit: Unit) -> Iterator[str]:
    """Give a unit in mrkdwn, in texts that sections hold."""
    match unit:
        case Header(text):
            yield f"*{escaped(text).replace('*', '')}*"
        case Rule():
            yield "———"
        case Code(text):
            yield from _sections(fenced(text))
        case Table(rows, _):
            yield from _sections(fenced(_drawn(rows)))
        case Quote(inline):
            yield from _sections("\n".join(f"> {line}" for line in mrkdwn(inline).split("\n")))
        case Para(inline):
            yield from _sections(mrkdwn(inline))
        case Items(entries, ordered, depth, first):
            marks = [f"{number}. " if ordered else "• " for number in range(first, first + len(entries))]
            lines = [
                "    " * depth + mark + mrkdwn(e).replace("\n", "\n    ")
                for mark, e in zip(marks, entries, strict=True)
            ]
            yield from _sections("\n".join(lines))


def _sections(text: str) -> Iterator[str]:
    """Escaping may have made a text longer than a section: it is cut where no link, entity or code is."""
    code = text.startswith("```\n")
    while size(text) > SECTION:
        at = max(text.rfind("\n", 4, SECTION - 8), text.rfind(" ", 4, SECTION - 8))
        at = at if at > 4 else len(shortened(text, SECTION - 8)) - 1
        opened = max(text.rfind("<", 0, at), text.rfind("&", max(0, at - 6), at))
        if opened > text.rfind(">", 0, at) and opened > text.rfind(";", 0, at) and opened > 4:
            at = opened
        yield text[:at].rstrip() + ("\n```" if code else "")
        text = ("```\n" if code else "") + text[at:].lstrip("\n")
    if text.strip():
        yield text


def _drawn(rows: list[list[Inline]]) -> str:
    """Draw a table with the same width for all cells of a column."""
    cells = [[" ".join(plain(cell).split()) for cell in row] for row in rows]
    count = max(map(len, cells))
    widths = [max((_width(row[n]) for row in cells if n < len(row)), default=0) for n in range(count)]
    lines = [
        " | ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "-+-".join("-" * width for width in widths), *lines[1:]])


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 or c in "\u200d\ufe0f" for c in text)

"""
An answer's Markdown as the units that a Slack message is packed from, none of them too long to be packed.

    Para    inline elements of rich text           Header   a headline of its own
    Items   entries of one list, at one depth      Table    cells of inline elements
    Code    preformatted lines                     Rule     a line across
    Quote   inline elements, set off

Text in rich text is literal: nothing in it can mention or broadcast. Source:
https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parley.channels import markdown
from parley.channels.slack_text import HEADER, cut, lines_cut, plain, size, weight

if TYPE_CHECKING:
    from markdown_it.tree import SyntaxTreeNode as Node

UNIT = 2900  # characters of one unit, so that a section can hold it as well
DEEPEST = 8  # levels of a list
ROWS, COLUMNS = 100, 20  # of a table
ADDRESS = 2000  # characters of a link's address
CELL = 800  # characters: a longer cell makes a table unreadable
CELLS = 9_500  # characters of all cells of a message's tables

type Inline = list[dict[str, Any]]

_URL = re.compile(r"https?://[^\s<>|]*[^\s<>|.,;:!?'\"()\[\]{}]")
_STYLES = {"strong": "bold", "em": "italic", "s": "strike"}
_BOXES = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


@dataclass(frozen=True)
class Para:
    inline: Inline


@dataclass(frozen=True)
class Header:
    text: str


@dataclass(frozen=True)
class Items:
    entries: list[Inline]
    ordered: bool
    depth: int
    first: int  # the number of the first entry


@dataclass(frozen=True)
class Code:
    text: str


@dataclass(frozen=True)
class Quote:
    inline: Inline


@dataclass(frozen=True)
class Table:
    rows: list[list[Inline]]
    aligned: list[str]


@dataclass(frozen=True)
class Rule:
    pass


type Unit = Para | Header | Items | Code | Quote | Table | Rule


def units(text: str) -> list[Unit]:
    """Give the units of a text, in order."""
    return [piece for unit in _blocks(markdown.tree(text).children, 0) for piece in _short(unit)]


def _blocks(nodes: "Sequence[Node]", depth: int) -> Iterator[Unit]:
    for node in nodes:
        match node.type:
            case "heading":
                yield _heading(node, depth)
            case "paragraph":
                yield Para(_inline(node))
            case "fence" | "code_block":
                yield Code(node.content.rstrip("\n"))
            case "hr":
                yield Rule()
            case "blockquote":
                yield Quote(_flat(node.children))
            case "bullet_list" | "ordered_list":
                yield from _list(node, depth)
            case "table":
                yield _table(node)
            case _:
                yield Para([{"type": "text", "text": node.content}])


def _heading(node: "Node", depth: int) -> Unit:
    inline = _inline(node)
    text = plain(inline).replace("\n", " ").strip()
    linked = any(element["type"] == "link" for element in inline)
    if node.tag in ("h1", "h2") and not depth and not linked and 0 < size(text) <= HEADER:
        return Header(text)
    return Para([_styled(element, "bold") for element in inline])


def _list(node: "Node", depth: int) -> Iterator[Unit]:
    """A list is cut where something stands in it that a list cannot hold, and goes on with the next number after it."""
    ordered = node.type == "ordered_list"
    start = int(node.attrs.get("start", 1))
    entries: list[Inline] = []
    first = start
    for number, item in enumerate(node.children, start=start):
        inside, opened = list(item.children), False
        if inside and inside[0].type == "paragraph":
            entries.append(_boxed(_inline(inside.pop(0))))
        else:
            entries.append([])
        for child in inside:
            if child.type == "paragraph" and not opened:
                entries[-1] = [*entries[-1], {"type": "text", "text": "\n"}, *_inline(child)]
                continue
            opened = True
            if entries:
                yield Items(entries, ordered, min(depth, DEEPEST), first)
            entries, first = [], number + 1
            yield from _blocks([child], depth + 1)
    if entries:
        yield Items(entries, ordered, min(depth, DEEPEST), first)


def _boxed(inline: Inline) -> Inline:
    if inline and inline[0]["type"] == "text" and (box := _BOXES.get(inline[0]["text"][:4])):
        return [{**inline[0], "text": box + inline[0]["text"][4:]}, *inline[1:]]
    return inline


def _table(node: "Node") -> Unit:
    rows: list[list[Inline]] = []
    aligned: list[str] = []
    for row in node.walk(include_self=False):
        if row.type == "tr":
            rows.append([_inline(cell) for cell in row.children])
            aligned = aligned or [_alignment(cell) for cell in row.children]
    return Table(rows, aligned)


def _alignment(cell: "Node") -> str:
    return str(cell.attrs.get("style", "")).removeprefix("text-align:") or "left"


def _flat(nodes: "Sequence[Node]") -> Inline:
    """Everything as inline elements: what stands in a quote."""
    flat: Inline = []
    for unit in _blocks(nodes, 1):
        if flat:
            flat.append({"type": "text", "text": "\n" if isinstance(unit, Items) else "\n\n"})
        match unit:
            case Para(inline) | Quote(inline):
                flat += inline
            case Items(entries, ordered, depth, first):
                for number, entry in enumerate(entries, start=first):
                    mark = "   " * (depth - 1) + (f"{number}. " if ordered else "• ")
                    flat += [{"type": "text", "text": ("\n" if number > first else "") + mark}, *entry]
            case Code(text):
                flat.append({"type": "text", "text": text, "style": {"code": True}})
            case Table(rows, _):
                flat.append({"type": "text", "text": "\n".join(" | ".join(map(plain, row)) for row in rows)})
            case Header(text):
                flat.append({"type": "text", "text": text, "style": {"bold": True}})
            case Rule():
                flat.append({"type": "text", "text": "———"})
    return flat


def _inline(node: "Node") -> Inline:
    return [element for child in node.children for element in _spans(child.children, {})]


def _spans(nodes: "Sequence[Node]", style: dict[str, bool]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        match node.type:
            case "strong" | "em" | "s":
                yield from _spans(node.children, {**style, _STYLES[node.type]: True})
            case "code_inline":
                yield _text(node.content, {**style, "code": True})
            case "softbreak" | "hardbreak":
                yield _text("\n", style)
            case "link" | "image":
                yield from _link(node, style)
            case "text" | "text_special":
                yield from _linked(node.content, style)
            case _:
                yield from _linked(node.content or plain(list(_spans(node.children, style))), style)


def _link(node: "Node", style: dict[str, bool]) -> Iterator[dict[str, Any]]:
    inside = list(_spans(node.children, style)) if node.type == "link" else [_text(node.content, style)]
    url = str(node.attrs.get("href" if node.type == "link" else "src", ""))
    if not markdown.LINK.match(url) or size(url) > ADDRESS:
        yield from inside
        return
    label = plain(inside).strip()
    styles = inside[0].get("style", style) if inside else style
    yield {"type": "link", "url": url, **({"text": label} if label else {}), **({"style": styles} if styles else {})}


def _linked(text: str, style: dict[str, bool]) -> Iterator[dict[str, Any]]:
    at = 0
    for url in _URL.finditer(text):
        if size(url[0]) > ADDRESS:
            continue
        if url.start() > at:
            yield _text(text[at : url.start()], style)
        yield {"type": "link", "url": url[0], **({"style": style} if style else {})}
        at = url.end()
    if text[at:]:
        yield _text(text[at:], style)


def _text(text: str, style: dict[str, bool]) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def _styled(element: dict[str, Any], style: str) -> dict[str, Any]:
    return {**element, "style": {**element.get("style", {}), style: True}}


def _short(unit: Unit) -> Iterator[Unit]:
    match unit:
        case Para(inline):
            yield from (Para(piece) for piece in cut(inline, UNIT))
        case Quote(inline):
            yield from (Quote(piece) for piece in cut(inline, UNIT))
        case Code(text):
            yield from (Code(piece) for piece in lines_cut(text, UNIT))
        case Items():
            yield from _short_items(unit)
        case Table():
            yield from _short_tables(unit)
        case _:
            yield unit


def _short_items(unit: Items) -> Iterator[Unit]:
    entries: list[Inline] = []
    first, number = unit.first, unit.first
    for entry in unit.entries:
        head, *rest = cut(entry, UNIT) or [[]]
        if entries and sum(size(plain(e)) for e in [*entries, head]) > UNIT:
            yield Items(entries, unit.ordered, unit.depth, first)
            entries, first = [], number
        entries.append(head)
        number += 1
        if rest:
            yield Items(entries, unit.ordered, unit.depth, first)
            yield from (Para(piece) for piece in rest)
            entries, first = [], number
    if entries:
        yield Items(entries, unit.ordered, unit.depth, first)


def _short_tables(unit: Table) -> Iterator[Unit]:
    """A table that no message takes becomes several, each under the same head; an unreadable one becomes a list."""
    head, *body = unit.rows
    if len(head) > COLUMNS or any(weight(cell) > CELL for row in unit.rows for cell in row):
        yield from _short_items(Items([_told(head, row) for row in body] or [_told([], head)], False, 0, 1))
        return
    rows = [head]
    for row in body:
        if len(rows) == ROWS or table_weight([*rows, row]) > CELLS:
            yield Table(rows, unit.aligned)
            rows = [head]
        rows.append(row)
    yield Table(rows, unit.aligned)


def table_weight(rows: list[list[Inline]]) -> int:
    """Count the characters of all cells; an empty one holds a blank."""
    return sum(max(1, weight(cell)) for row in rows for cell in row)


def _told(head: list[Inline], row: list[Inline]) -> Inline:
    told: Inline = []
    for number, cell in enumerate(row):
        name = plain(head[number]) if number < len(head) else ""
        apart = [{"type": "text", "text": "\n"}] if told else []
        told += [*apart, *([{"type": "text", "text": f"{name}: ", "style": {"bold": True}}] if name else []), *cell]
    return told

"""
What Slack checks of rich text and tables, as strictly as its pages say; a field that they do not name is refused.

Sources: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block, …/table-block
Chosen where they are silent: a list is indented by 0 to 8, an empty text is refused, an address has 3,000 characters.
"""

from collections.abc import Iterator, Mapping
from typing import Any

ROWS, COLUMNS = 100, 20
ALL_CELLS = 10_000  # characters of all cells of a message
DEEPEST = 8
ADDRESS = 3_000

type Fault = tuple[str, str]

_FIELDS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text", "style"}),
    "link": frozenset({"type", "url", "text", "unsafe", "style"}),
    "emoji": frozenset({"type", "name", "unicode", "style"}),
    "user": frozenset({"type", "user_id", "style"}),
    "usergroup": frozenset({"type", "usergroup_id", "style"}),
    "channel": frozenset({"type", "channel_id", "style"}),
    "broadcast": frozenset({"type", "range"}),
    "color": frozenset({"type", "value"}),
    "date": frozenset({"type", "timestamp", "format", "url", "fallback"}),
}
_STYLES = frozenset({"bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink"})


def length(text: str) -> int:
    """Count UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def block(value: Mapping[str, Any]) -> Iterator[Fault]:
    """Give what is wrong with a block of rich text."""
    if value.keys() - {"type", "block_id", "elements"}:
        yield "has a field that it does not know", ""
    elements = value.get("elements")
    if not isinstance(elements, list) or not elements:
        yield "missing required field: elements", "/elements"
        return
    for number, element in enumerate(elements):
        for fault, where in _part(element):
            yield fault, f"/elements/{number}{where}"


def table(value: Mapping[str, Any]) -> Iterator[Fault]:
    """Give what is wrong with a table."""
    rows, settings = value.get("rows"), value.get("column_settings", [])
    if value.keys() - {"type", "block_id", "rows", "column_settings"}:
        yield "has a field that it does not know", ""
    if not isinstance(rows, list) or not 1 <= len(rows) <= ROWS:
        yield f"must have 1 to {ROWS} items", "/rows"
        return
    if len(settings) > COLUMNS:
        yield f"no more than {COLUMNS} items allowed", "/column_settings"
    for number, setting in enumerate(settings):
        if setting.get("align", "left") not in ("left", "center", "right") or setting.keys() - {"align", "is_wrapped"}:
            yield "failed to match any allowed schemas", f"/column_settings/{number}"
    for number, row in enumerate(rows):
        if not isinstance(row, list) or not 1 <= len(row) <= COLUMNS:
            yield f"must have 1 to {COLUMNS} items", f"/rows/{number}"
            continue
        for column, cell in enumerate(row):
            for fault, where in _cell(cell):
                yield fault, f"/rows/{number}/{column}{where}"


def cells(value: Any) -> int:
    """Count the characters in the cells of a block, when it is a table."""
    if not isinstance(value, dict) or value.get("type") != "table":
        return 0
    return sum(_words(cell) for row in value["rows"] for cell in row)


def _cell(cell: Any) -> Iterator[Fault]:
    kind = cell.get("type") if isinstance(cell, dict) else None
    if kind == "rich_text":
        yield from block(cell)
    elif kind != "raw_text" or cell.keys() != {"type", "text"}:
        yield "failed to match any allowed schemas", ""
    elif not isinstance(cell["text"], str) or not cell["text"]:
        yield "must be more than 0 characters", "/text"


def _part(element: Any) -> Iterator[Fault]:
    kind = element.get("type") if isinstance(element, dict) else None
    allowed = {
        "rich_text_section": {"type", "elements"},
        "rich_text_quote": {"type", "elements", "border"},
        "rich_text_preformatted": {"type", "elements", "border", "language"},
        "rich_text_list": {"type", "elements", "style", "indent", "offset", "border"},
    }.get(str(kind))
    if allowed is None or element.keys() - allowed:
        yield "failed to match any allowed schemas", ""
        return
    inner = element.get("elements")
    if not isinstance(inner, list) or not inner:
        yield "missing required field: elements", "/elements"
        return
    if kind == "rich_text_list":
        yield from _list(element)
    known = {"text", "link"} if kind == "rich_text_preformatted" else set(_FIELDS)
    for number, one in enumerate(inner):
        faults = _entry(one) if kind == "rich_text_list" else _inline(one, known)
        for fault, where in faults:
            yield fault, f"/elements/{number}{where}"


def _entry(element: Any) -> Iterator[Fault]:
    if not isinstance(element, dict) or element.get("type") != "rich_text_section":
        yield "must be a rich_text_section", "/type"
    else:
        yield from _part(element)


def _list(element: Mapping[str, Any]) -> Iterator[Fault]:
    if element.get("style") not in ("bullet", "ordered"):
        yield "must be one of: bullet, ordered", "/style"
    for name, most in (("indent", DEEPEST), ("offset", 10**9), ("border", 1)):
        value = element.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            yield f"must be a number from 0 to {most}", f"/{name}"


def _inline(element: Any, known: set[str]) -> Iterator[Fault]:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in known or element.keys() - _FIELDS[kind]:
        yield "failed to match any allowed schemas", ""
        return
    style = element.get("style", {})
    if (
        not isinstance(style, dict)
        or style.keys() - _STYLES
        or not all(v is True or v is False for v in style.values())
    ):
        yield "failed to match any allowed schemas", "/style"
    if kind == "text" and not (isinstance(element.get("text"), str) and element["text"]):
        yield "must be more than 0 characters", "/text"
    if kind == "link":
        url = element.get("url")
        if not isinstance(url, str) or not 0 < length(url) <= ADDRESS or ":" not in url:
            yield "must be an address", "/url"
        if "text" in element and not element["text"]:
            yield "must be more than 0 characters", "/text"


def _words(value: Any) -> int:
    if isinstance(value, dict):
        return sum(length(v) if k in ("text", "url") and isinstance(v, str) else _words(v) for k, v in value.items())
    return sum(map(_words, value)) if isinstance(value, list) else 0

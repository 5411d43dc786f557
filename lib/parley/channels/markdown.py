"""
An answer's Markdown, read once and said as a tree, or said in the dialect of a channel.

CommonMark with tables and strikethrough; raw HTML is text. Links are kept for http, https and mailto only.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from markdown_it.tree import SyntaxTreeNode

LINK = re.compile(r"(?:https?|mailto):[^\s<>\x00-\x20]+\Z", re.IGNORECASE)


class Dialect(Protocol):
    """How a channel writes text, links and emphasis."""

    def text(self, text: str) -> str: ...
    def code(self, text: str) -> str: ...
    def fence(self, text: str) -> str: ...
    def link(self, text: str, url: str) -> str: ...
    def mark(self, kind: str, text: str) -> str: ...
    def quote(self, text: str) -> str: ...


def tree(markdown: str) -> "SyntaxTreeNode":
    """Give a text as a tree of nodes."""
    from markdown_it.tree import SyntaxTreeNode

    return SyntaxTreeNode(_parser().parse(markdown))


def blocks(markdown: str, dialect: Dialect) -> list[str]:
    """Give the paragraphs, lists, tables and code of a text, each in the dialect."""
    return [block for block in _blocks(_parser().parse(markdown), dialect) if block.strip()]


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _blocks(tokens: "Sequence[Token]", say: Dialect) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        end = _closing(tokens, at)
        inner = tokens[at + 1 : end]
        match token.type:
            case "fence" | "code_block":
                found.append(say.fence(token.content.rstrip("\n")))
            case "hr":
                found.append("———")
            case "heading_open":
                found.append(say.mark("strong", _inline(inner[0], say)))
            case "paragraph_open":
                found.append(_inline(inner[0], say))
            case "bullet_list_open" | "ordered_list_open":
                found.append(_list(inner, token.attrGet("start"), say, ordered=token.type.startswith("ordered")))
            case "blockquote_open":
                found.append(say.quote("\n".join(_blocks(inner, say))))
            case "table_open":
                found.append(_table(inner, say))
            case _:
                pass
        at = end + 1
    return found


def _closing(tokens: "Sequence[Token]", at: int) -> int:
    depth = 0
    for place in range(at, len(tokens)):
        depth += tokens[place].nesting
        if depth == 0:
            return place
    return len(tokens) - 1


def _list(tokens: "Sequence[Token]", start: object, say: Dialect, *, ordered: bool) -> str:
    lines: list[str] = []
    number = int(str(start or 1))
    at = 0
    while at < len(tokens):
        end = _closing(tokens, at)
        body = "\n".join(_blocks(tokens[at + 1 : end], say))
        lines.append((f"{number}. " if ordered else "• ") + body.replace("\n", "\n    "))
        number += 1
        at = end + 1
    return "\n".join(lines)


def _table(tokens: "Sequence[Token]", say: Dialect) -> str:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_bare(token))
    widths = [max(len(row[column]) if column < len(row) else 0 for row in rows) for column in range(len(rows[0]))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    return say.fence("\n".join(lines))


def _bare(token: "Token") -> str:
    return "".join(child.content or (" " if "break" in child.type else "") for child in token.children or ())


def _inline(token: "Token", say: Dialect) -> str:
    return _spans(token.children or [], say)


def _spans(tokens: "Sequence[Token]", say: Dialect) -> str:
    said: list[str] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        end = _closing(tokens, at)
        inner = tokens[at + 1 : end]
        match token.type:
            case "code_inline":
                said.append(say.code(token.content))
            case "softbreak" | "hardbreak":
                said.append("\n")
            case "link_open":
                said.append(_link(_spans(inner, say), str(token.attrGet("href") or ""), say))
            case "image":
                said.append(_link(say.text(token.content), str(token.attrGet("src") or ""), say))
            case "strong_open" | "em_open" | "s_open":
                said.append(say.mark(token.type.removesuffix("_open"), _spans(inner, say)))
            case _:
                said.append(say.text(token.content))
        at = end + 1
    return "".join(said)


def _link(text: str, url: str, say: Dialect) -> str:
    return say.link(text, url) if LINK.match(url) else text

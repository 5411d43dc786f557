"""Text as Slack counts, cuts and reads it: characters are UTF-16 units, `mrkdwn` has three special ones."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

TITLE = 80  # characters of a thread's title: what a list shows
HEADER = 150  # characters of a header block

_BROADCAST = re.compile(r"@(?=(?:here|channel|everyone)\b)", re.IGNORECASE)
_REFERENCE = re.compile(r"<[@#!]?[^<>|\s]*(?:\|([^<>]*))?>")  # a mention, a channel, a link, with its label
_TICK = "\u02cb"  # looks like a backtick and ends no code
_JOINERS = "\u200d\ufe0e\ufe0f"


def size(text: str) -> int:
    """Count characters as Slack does."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def title(question: str) -> str:
    """Give a thread's title: the first words that were said in it, as they read; nobody is mentioned in it."""
    said = _REFERENCE.sub(lambda found: found[1] or "", question)
    return shortened(" ".join(_BROADCAST.sub("@\u200b", said).split()), TITLE)


def plain(inline: list[dict[str, Any]]) -> str:
    """Give the words of inline elements; a link whose text is not its address tells only its text."""
    return "".join(element.get("text") or element.get("url", "") for element in inline)


def weight(inline: list[dict[str, Any]]) -> int:
    """Count all that inline elements hold, addresses too."""
    return sum(size(element.get("text", "")) + size(element.get("url", "")) for element in inline)


def escaped(text: str) -> str:
    """Give a text for mrkdwn that says what it says, and calls nobody."""
    return _BROADCAST.sub("@\u200b", text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def mrkdwn(inline: list[dict[str, Any]]) -> str:
    """Give inline elements in mrkdwn, the form of simpler blocks."""
    return "".join(map(_element, inline))


def _element(element: dict[str, Any]) -> str:
    text, style = element.get("text", ""), element.get("style", {})
    if element["type"] == "link":
        url = escaped(element["url"].replace("|", "%7C"))
        label = " ".join(escaped(text.replace("|", "¦")).split())
        said = f"<{url}|{label}>" if label else f"<{url}>"
    elif style.get("code"):
        return f"`{escaped(text).replace('`', _TICK)}`"
    else:
        said = escaped(text)
    core = said.strip()
    if not core or "\n" in core:
        return said
    for name, sign in (("strike", "~"), ("italic", "_"), ("bold", "*")):
        if style.get(name) and sign not in core:
            core = f"{sign}{core}{sign}"
    return said.replace(said.strip(), core, 1)


def fenced(text: str) -> str:
    """Give preformatted text in mrkdwn."""
    return f"```\n{escaped(text).replace('```', _TICK * 3)}\n```"


def cut(inline: list[dict[str, Any]], limit: int) -> list[list[dict[str, Any]]]:
    """Cut inline elements into pieces of so many characters: after lines, else words; links stay whole."""
    pieces: list[list[dict[str, Any]]] = [[]]
    left = limit
    for element in inline:
        if element["type"] == "link":
            if weight([element]) > left and pieces[-1]:
                pieces.append([])
                left = limit
            pieces[-1].append(element)
            left -= weight([element])
            continue
        text = element["text"]
        while size(text) > left:
            at = _break(text, left)
            if at:
                pieces[-1].append({**element, "text": text[:at]})
            text = text[at:].lstrip("\n")
            pieces.append([])
            left = limit
        if text:
            pieces[-1].append({**element, "text": text})
            left -= size(text)
    return [piece for piece in pieces if piece]


def lines_cut(text: str, limit: int) -> Iterator[str]:
    """Cut preformatted text into pieces: after lines, else anywhere."""
    while size(text) > limit:
        at = _break(text, limit, (("\n", 1),)) or limit
        yield text[:at].rstrip("\n")
        text = text[at:].removeprefix("\n")
    if text:
        yield text


def shortened(text: str, limit: int) -> str:
    """Cut at a word, and show it."""
    return text if size(text) <= limit else text[: _break(text, limit - 1)].rstrip() + "…"


def _break(text: str, limit: int, marks: tuple[tuple[str, int], ...] = (("\n", 1), (". ", 2), (" ", 1))) -> int:
    """Find where to cut so that at most `limit` UTF-16 units stand before: never within what is one sign."""
    end = min(len(text), limit)
    while end and size(text[:end]) > limit:
        end -= max(1, (size(text[:end]) - limit) // 2)
    for mark, width in marks:
        if (found := text.rfind(mark, end // 2, end)) > 0:
            return found + width
    hard = end
    while hard > 1 and hard < len(text) and _joined(text, hard):
        hard -= 1
    return hard if hard > 1 else end


def _joined(text: str, at: int) -> bool:
    return text[at] in _JOINERS or text[at - 1] == "\u200d" or unicodedata.combining(text[at]) > 0

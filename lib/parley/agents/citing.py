"""
The marks in an answer, held against what was retrieved.

A mark counts when its source was offered, and when every figure of its sentence stands in that source or was said by
the user: a number that a source does not have is the model's own. What does not count is taken out and counted.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from parley.ports import Passage

_MARK = re.compile(r"[ \t]*\[(\d{1,3}(?:\s*[,;\u2013-]\s*\d{1,3})*)\]")
_END = re.compile(r"[.!?](?:[ \t]*\[[\d\s,;\u2013-]+\])*(?=\s|$)|\n")
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
_ORDINAL = re.compile(r"^\s*(?:[-*]\s+|\d+[.)]\s+)+", re.MULTILINE)
MOST = 20  # sources that a range of marks may name


@dataclass(frozen=True)
class Cited:
    """An answer without its marks. `numbers`: the sources that it stands on, from 1; `dropped`: marks that did not."""

    text: str
    numbers: tuple[int, ...]
    dropped: int


def check(text: str, passages: Sequence[Passage], said: str = "") -> Cited:
    """Hold the marks of an answer against its sources; `said`: what the user has said."""
    kept: dict[int, None] = {}
    dropped = 0
    for sentence in _sentences(text):
        figures = _figures(_ORDINAL.sub("", _MARK.sub("", sentence))) - _figures(said)
        for number in _numbers(sentence):
            if 1 <= number <= len(passages) and figures <= _figures(_whole(passages[number - 1])):
                kept[number] = None
            else:
                dropped += 1
    return Cited(_MARK.sub("", text), tuple(kept), dropped)


def _sentences(text: str) -> Iterable[str]:
    """Cut an answer so that each mark stands with what it is behind: `It is so [1]. And so. [2]` has two sentences."""
    begun = 0
    for match in _END.finditer(text):
        yield text[begun : match.end()]
        begun = match.end()
    yield text[begun:]


def _numbers(sentence: str) -> Iterable[int]:
    """Give the numbers of all marks: `[1]`, `[1, 3]` and `[2-4]`."""
    for match in _MARK.finditer(sentence):
        for part in re.split(r"[,;]", match[1]):
            first, _, last = part.replace("\u2013", "-").partition("-")
            begin = int(first)
            yield from range(begin, min(int(last or begin), begin + MOST) + 1)


def _figures(text: str) -> set[str]:
    return {figure.replace(",", "") for figure in _FIGURE.findall(text)}


def _whole(passage: Passage) -> str:
    return f"{passage.title}\n{passage.heading}\n{passage.text}"

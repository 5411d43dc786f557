"""
A PDF document: its text, by the sections of its outline, else by its pages.

The anchor of a section is `page=N`, which is how a link points into a PDF (RFC 8118).
"""

import io
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from parley.domain.knowledge import LONGEST_TITLE, Document, assemble, clean

if TYPE_CHECKING:
    from pypdf import PdfReader

MOST_PAGES = 2_000
LEVELS = 2  # of the outline
_NO_TITLE = re.compile(r"untitled|microsoft word|\.(docx?|pdf|odt|pptx?|indd|tex)\b", re.IGNORECASE)

Section = tuple[str, str, str]


class NotPdf(Exception):
    """It cannot be read as PDF."""


def read(source: str, content: bytes) -> Document:
    """Read a document. Raises NotPdf."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it mends is no news
    try:
        reader = _opened(PdfReader(io.BytesIO(content)))
        pages = _without_margins([clean(page.extract_text()) for page in reader.pages])
        marks, title, language = list(_marks(reader)), _title(reader), _language(reader)
    except (PyPdfError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # A broken file breaks the reader wherever it happens to be.
        raise NotPdf(f"is no PDF that can be read: {type(error).__name__}") from None
    if not any(page.strip() for page in pages):
        raise NotPdf("has no text: it is scanned, and needs text recognition first")
    sections = _by_outline(pages, marks) if marks else _by_page(pages)
    return replace(assemble(source, title, sections), language=language)


def _opened(reader: "PdfReader") -> "PdfReader":
    if reader.is_encrypted and not reader.decrypt(""):
        raise NotPdf("is protected by a password")
    if len(reader.pages) > MOST_PAGES:
        raise NotPdf(f"has more than {MOST_PAGES} pages")
    return reader


def _marks(reader: "PdfReader") -> Iterator[tuple[int, str]]:
    """Give page (from 0) and title of each entry of the outline, in order."""

    def flat(entries: Sequence[Any], level: int) -> Iterator[tuple[int, str]]:
        for entry in entries:
            if isinstance(entry, list):
                if level < LEVELS:
                    yield from flat(entry, level + 1)
                continue
            page = reader.get_destination_page_number(entry)
            title = " ".join(str(entry.title or "").split())
            if page is not None and page >= 0 and title:
                yield page, title[:LONGEST_TITLE]

    yield from flat(reader.outline, 1)


def _by_outline(pages: Sequence[str], marks: Sequence[tuple[int, str]]) -> Iterator[Section]:
    """Cut where the title of an entry stands on its page, else at the beginning of the page."""
    places = []
    for page, title in marks:
        found = re.search(r"\s+".join(map(re.escape, title.split())), pages[page])
        places.append((page, found.start() if found else 0, found.end() if found else 0, title))
    places.sort(key=lambda place: place[:2])
    yield "", "", _between(pages, (0, 0), places[0][:2])
    ends = [*(place[:2] for place in places[1:]), (len(pages) - 1, len(pages[-1]))]
    for (page, _, begin, title), end in zip(places, ends, strict=True):
        yield title, f"page={page + 1}", _between(pages, (page, begin), end)


def _between(pages: Sequence[str], begin: tuple[int, int], end: tuple[int, int]) -> str:
    if begin[0] == end[0]:
        return _joined(pages[begin[0]][begin[1] : end[1]])
    whole = pages[begin[0] + 1 : end[0]]
    return _joined("\n".join([pages[begin[0]][begin[1] :], *whole, pages[end[0]][: end[1]]]))


def _by_page(pages: Sequence[str]) -> Iterator[Section]:
    for number, page in enumerate(pages, 1):
        yield f"Page {number}", f"page={number}", _joined(page)


def _joined(text: str) -> str:
    """Put words together that a line's end has divided."""
    return re.sub(r"(?<=\w)[-\u00ad]\n(?=[^\W\d_A-Z])", "", text).strip()


def _without_margins(pages: list[str]) -> list[str]:
    """Take out the first and last lines that most pages share: they say the same of every page."""
    if len(pages) < 4:
        return pages
    lines = [page.strip().split("\n") for page in pages]
    often = Counter(_shape(edge) for page in lines for edge in {page[0], page[-1]})
    margins = {shape for shape, count in often.items() if shape and count > len(pages) / 2}
    inner = [page[_shape(page[0]) in margins :] for page in lines]
    return ["\n".join(page[:-1] if page and _shape(page[-1]) in margins else page) for page in inner]


def _shape(line: str) -> str:
    return re.sub(r"\d+", "#", line.strip())


def _title(reader: "PdfReader") -> str:
    title = " ".join(str((reader.metadata and reader.metadata.title) or "").split())
    return "" if _NO_TITLE.search(title) else title


def _language(reader: "PdfReader") -> str | None:
    root: Any = reader.trailer["/Root"]
    return str(root.get("/Lang") or "").strip() or None

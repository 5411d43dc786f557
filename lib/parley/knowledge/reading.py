"""A file of a knowledge base, read by its kind: Markdown, text, HTML, PDF."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from parley.domain import languages
from parley.domain.knowledge import Document, Unclear, parse_document, slug
from parley.knowledge import pdf, tongue, web

LARGEST = 32 * 1024 * 1024  # bytes of a file
MOST_CHUNKS = 5_000


class Unreadable(ValueError):
    """This file cannot be read; what was read of it before stays."""


@dataclass(frozen=True)
class Declared:
    """What a folder says about a file. `groups`: who may read it, empty for everybody."""

    groups: tuple[str, ...] = ()
    language: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class File:
    """The bytes of a file, and what its folder says about it."""

    content: bytes
    declared: Declared = Declared()


def read(source: str, file: File, usual: str = "en") -> tuple[Document, str]:
    """
    Read a file; gives what it says, and the text search of its language: declared, else detected, else the usual one.

    `source`: its path from the folder of its base. Raises Unreadable.
    """
    if len(file.content) > LARGEST:
        raise Unreadable(f"is larger than {LARGEST // 1024 // 1024} MiB")
    try:
        document = KINDS[PurePosixPath(source).suffix.lower()](source, file.content)
        groups = _narrower(document.groups, file.declared.groups)
    except (Unclear, web.NotHtml, pdf.NotPdf) as error:
        raise Unreadable(str(error)) from None
    if len(document.chunks) > MOST_CHUNKS:
        raise Unreadable(f"has more than {MOST_CHUNKS} sections: divide it")
    spoken = document.language or file.declared.language or tongue.detected(_text(document)) or usual
    url = document.url or file.declared.url
    return replace(document, slug=name(source), groups=groups, url=url), languages.declared(spoken)


def name(source: str) -> str:
    """Name a document within its base: the path of its file without the ending."""
    parts = PurePosixPath(source).with_suffix("").parts
    return "/".join(slug(part) or part for part in parts)


def _narrower(own: tuple[str, ...], folders: tuple[str, ...]) -> tuple[str, ...]:
    """Give the groups that both the file and its folder name. Raises Unclear when there are none."""
    if not own or not folders:
        return own or folders
    both = tuple(group for group in own if group in folders)
    if not both:
        raise Unclear("groups: the file names none of those that its folder allows")
    return both


def _text(document: Document) -> str:
    return "\n".join([document.title, *(chunk.text for chunk in document.chunks[:8])])


def _markdown(source: str, content: bytes) -> Document:
    return parse_document(source, _decoded(content))


def _plain(source: str, content: bytes) -> Document:
    """Read a text: it may have a front matter, and has no headings."""
    lines = _decoded(content).replace("\r\n", "\n").split("\n")
    return parse_document(source, "\n".join(f"\\{line}" if line.lstrip().startswith("#") else line for line in lines))


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "utf-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unclear("is no UTF-8 text")


KINDS: dict[str, Callable[[str, bytes], Document]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".txt": _plain,
    ".html": web.read,
    ".htm": web.read,
    ".pdf": pdf.read,
}

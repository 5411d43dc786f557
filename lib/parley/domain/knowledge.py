"""
A knowledge document, cut into the pieces that are searched and cited.

Markdown with an optional front matter, a title and sections:

    ---
    title: VPN          `key: value` lines, read by hand: title, updated, language, url and groups are used
    updated: 2026-10-01
    groups: hr, finance who may read it; without it, everybody
    ---
    # VPN               the title when the front matter has none
    ## Set up on macOS  a section: a chunk, or several when it is long

Headings of level 1 and 2 begin sections, deeper ones are text of theirs. Only `#` headings are known, not underlined.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

LONGEST = 1_500  # characters of a chunk
LONGEST_TITLE = 300  # of a title or a heading
TOP = 12  # lines in which a limit would stand, were the front matter none
NAME = re.compile(r"[\w.@-]+")  # of a group

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*\Z")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)\Z")
_FIELD = re.compile(r"([A-Za-z][\w-]*):(?:\s+(.*))?\Z")
_LIMIT = re.compile(r"\s*['\"]?groups?['\"]?\s*[:=]", re.IGNORECASE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Chunk:
    """
    A section, or a part of a long one.

    `ordinal` counts from 0 through the document. `heading` and `anchor` are empty for the text before the first
    section; the parts of one section share them. `text` is Markdown without the heading, never empty.
    """

    ordinal: int
    heading: str
    anchor: str
    text: str


@dataclass(frozen=True)
class Document:
    """
    A parsed file. `slug` names it within its base; `updated`, `language` and `url` are as written, None when unsaid.

    `groups`: who may read it; empty: everybody.
    """

    slug: str
    title: str
    updated: str | None
    chunks: tuple[Chunk, ...]
    language: str | None = None
    url: str | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Weights:
    """How much words and meaning count where both find something."""

    words: float = 1.0
    meaning: float = 0.4


USUAL = Weights()


class Unclear(ValueError):
    """It says something about who may read it, and it is not clear what. Such a document is for nobody."""


def embedded(title: str, heading: str, text: str) -> str:
    """Give the text by whose meaning a chunk is found: it says what it is about, as its reader sees it."""
    return "\n".join(filter(None, (title, heading))) + f"\n\n{text}"


def digest(text: str) -> bytes:
    """Name a text that is embedded."""
    return hashlib.sha256(text.encode()).digest()


def parse_document(path_name: str, text: str, *, front_matter: bool = True) -> Document:
    """
    Parse one file; anything is a document, the worst of them one without chunks. `path_name`: its name or path.

    Raises Unclear.
    """
    lines, fields = clean(text).split("\n"), dict[str, str]()
    if front_matter:
        fields, lines = _front_matter(lines)
        limits = _groups(fields, lines)
    title, sections = _sections(lines)
    document = assemble(path_name, fields.get("title") or title, sections)
    if not front_matter:
        return document
    language, url = fields.get("language") or None, fields.get("url") or None
    return replace(document, updated=fields.get("updated") or None, language=language, url=url, groups=limits)


def assemble(path_name: str, title: str, sections: Iterable[tuple[str, str, str]]) -> Document:
    """Make a document of sections: heading, anchor and text of each. Without a title, the file's name is the title."""
    stem = PurePosixPath(path_name).stem
    title = title or stem.replace("-", " ").replace("_", " ").strip().capitalize()
    parts = [(heading, anchor, part) for heading, anchor, body in sections for part in split(body)]
    chunks = tuple(Chunk(ordinal, *part) for ordinal, part in enumerate(parts))
    return Document(slug(stem) or stem, title[:LONGEST_TITLE], None, chunks)


def clean(text: str) -> str:
    """Give the text with plain line ends, and without what PostgreSQL's text does not take."""
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return plain.replace("\0", "\ufffd")  # Markdown replaces it likewise


def slug(heading: str) -> str:
    """Make the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def split(body: str, longest: int = LONGEST) -> list[str]:
    """
    Cut a text into pieces of at most `longest` characters: between paragraphs, else lines, else words, else anywhere.

    Nothing but white space at the cuts is lost. A code block counts as one paragraph.
    """
    pieces: list[str] = []
    for paragraph in _paragraphs(body.split("\n")):
        for part in _fitting(paragraph, longest):
            if pieces and len(pieces[-1]) + 2 + len(part) <= longest:
                pieces[-1] += "\n\n" + part
            else:
                pieces.append(part)
    return pieces


def _front_matter(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """Take the fields off the top. Lines between rules that do not begin with a field are text like any other."""
    if lines[0].rstrip() != "---":
        return {}, lines
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    inside = [line for line in lines[1:end] if line.strip()]
    if end is None or (inside and not _FIELD.match(inside[0])):
        return {}, lines
    found = (match for line in inside if (match := _FIELD.match(line.rstrip())))
    return {match[1].lower(): _unquoted(match[2] or "") for match in found}, lines[end + 1 :]


def _groups(fields: dict[str, str], lines: list[str]) -> tuple[str, ...]:
    """Read who may read it. Raises Unclear for anything that may have been meant as a limit and is none."""
    if "groups" not in fields:
        if any(_LIMIT.match(line) for line in lines[:TOP]) or "group" in fields:
            raise Unclear("groups: expected a line `groups: name, name` between the --- lines at the very top")
        return ()
    names = tuple(_unquoted(name) for name in fields["groups"].removeprefix("[").removesuffix("]").split(","))
    if not all(NAME.fullmatch(name) for name in names):
        raise Unclear("groups: expected names on the same line, such as `groups: hr, finance`")
    return names


def _unquoted(value: str) -> str:
    value = value.strip()
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _sections(lines: list[str]) -> tuple[str, list[tuple[str, str, str]]]:
    """Give the title (the first heading, if of level 1) and heading, anchor and body of each section, in order."""
    title = ""
    sections: list[tuple[str, str, list[str]]] = [("", "", [])]
    anchors: dict[str, int] = {}
    for line, in_code in _outside_code(lines):
        match = None if in_code else _HEADING.match(line)
        if match is None:
            sections[-1][2].append(line)
            continue
        heading = re.sub(r"[*`]", "", _LINK.sub(r"\1", match[2] or "")).strip()[:LONGEST_TITLE]
        anchor = _anchor(heading, anchors)
        if len(match[1]) > 2:
            sections[-1][2].append(line)
        elif len(match[1]) == 1 and sum(anchors.values()) == 1:
            title = heading
        else:
            sections.append((heading, anchor, []))
    return title, [(heading, anchor, "\n".join(body)) for heading, anchor, body in sections]


def _anchor(heading: str, seen: dict[str, int]) -> str:
    """Number the second and later headings of the same words, as GitHub does."""
    wanted = slug(heading)
    count = seen.get(wanted, 0)
    seen[wanted] = count + 1
    return f"{wanted}-{count}" if count else wanted


def _outside_code(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """Say of each line whether it belongs to a fenced code block; one that is not closed reaches to the end."""
    fence = ""
    for line in lines:
        match = _FENCE.match(line)
        if fence:
            yield line, True
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
            continue
        if match and not (match[1][0] == "`" and "`" in match[2]):
            fence = match[1]
        yield line, bool(fence)


def _paragraphs(lines: list[str]) -> Iterator[str]:
    held: list[str] = []
    for line, in_code in _outside_code(lines):
        if line.strip() or in_code:
            held.append(line.rstrip())
        elif held:
            yield "\n".join(held)
            held = []
    if any(held):
        yield "\n".join(held).strip("\n")


def _fitting(text: str, longest: int) -> Iterator[str]:
    """Cut one paragraph where it hurts least."""
    while len(text) > longest:
        head = text[: longest + 1]
        cut = max(head.rfind("\n"), 0) or max(head.rfind(" "), 0) or longest
        if text[:cut].strip():
            yield text[:cut].rstrip()
        text = text[cut:].lstrip("\n" if text[cut] == "\n" else " ")
    if text.strip():
        yield text

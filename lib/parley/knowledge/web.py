"""
A page of HTML: what its readers see of its main part, as Markdown.

What nobody sees is left out, too: a text that is hidden from people may be meant for a model.
"""

import re
from dataclasses import replace
from typing import Any

from parley.domain.knowledge import LONGEST_TITLE, NAME, Document, Unclear, parse_document

_AROUND = ("nav", "aside", "footer", "dialog", "form", "button")
_NO_TEXT = ("script", "style", "noscript", "template", "iframe", "object", "svg", "canvas", "img", "head", "title")
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?:\.0*)?\s*(?:;|$)",
    re.IGNORECASE,
)


class NotHtml(ValueError):
    """It cannot be read as HTML."""


def read(source: str, content: bytes) -> Document:
    """Read a page. Raises NotHtml and Unclear."""
    from bs4 import BeautifulSoup
    from markdownify import markdownify

    try:
        page = BeautifulSoup(content, "html.parser")
        title = page.title.get_text(" ", strip=True) if page.title else ""
        groups, language, url = _groups(page), _said(page.html, "lang"), _url(page)
        main = _main(page)
        text = markdownify(str(main), heading_style="ATX", bullets="-")
    except RecursionError:
        raise NotHtml("is nested too deeply") from None
    document = parse_document(source, re.sub(r"\n{3,}", "\n\n", text), front_matter=False)
    if title and not main.find("h1"):
        document = replace(document, title=title[:LONGEST_TITLE])
    return replace(document, language=language, url=url, groups=groups)


def _main(page: Any) -> Any:
    """Find the part that the page is about, and take out of it what is not seen or not about it."""
    from bs4 import Comment

    main = page.find("main") or page.find(attrs={"role": "main"})
    articles = page.find_all("article")
    main = main or (articles[0] if len(articles) == 1 else None) or page.body or page
    for comment in main.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    gone = main.find_all([*_AROUND, *_NO_TEXT])
    gone += main.find_all(_is_hidden)
    if main.name == "body":
        gone += main.find_all("header", recursive=False)
    for tag in gone:
        tag.extract()
    return main


def _is_hidden(tag: Any) -> bool:
    hidden = tag.has_attr("hidden") or str(tag.get("aria-hidden", "")).lower() == "true"
    return hidden or bool(_HIDDEN.search(str(tag.get("style", ""))))


def _groups(page: Any) -> tuple[str, ...]:
    """Read `<meta name="groups" content="hr, finance">`. Raises Unclear for what only looks like it."""
    found = page.find_all("meta", attrs={"name": re.compile(r"^\s*groups?\s*$", re.IGNORECASE)})
    if not found:
        return ()
    names = tuple(name.strip() for name in str(found[0].get("content", "")).split(","))
    if len(found) > 1 or not all(NAME.fullmatch(name) for name in names):
        raise Unclear('groups: expected one <meta name="groups" content="name, name">')
    return names


def _url(page: Any) -> str | None:
    link = page.find("link", rel="canonical")
    url = _said(link, "href")
    return url if url and url.startswith(("https://", "http://")) else None


def _said(tag: Any, attribute: str) -> str | None:
    return str(tag.get(attribute, "")).strip() or None if tag else None

"""
An answer's Markdown as HTML for mail programs: every style inline, since many of them drop style sheets.

No image is loaded, no script, no form; a link goes to http, https or mailto. Colours for the dark are the frame's.
"""

from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from parley.channels.markdown import LINK

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

FONT = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace"

_STYLES = {
    "p": "margin:0 0 14px 0",
    "h1": "margin:6px 0 12px 0;font-size:24px;line-height:1.25;font-weight:700;color:#111827",
    "h2": "margin:24px 0 10px 0;font-size:19px;line-height:1.3;font-weight:700;color:#111827",
    "h3": "margin:20px 0 8px 0;font-size:16px;line-height:1.4;font-weight:700;color:#111827",
    "h4": "margin:18px 0 8px 0;font-size:15px;line-height:1.4;font-weight:700;color:#111827",
    "ul": "margin:0 0 14px 0;padding:0;padding-inline-start:24px",
    "ol": "margin:0 0 14px 0;padding:0;padding-inline-start:26px",
    "li": "margin:0 0 6px 0",
    "blockquote": "margin:0 0 14px 0;padding:2px 0;padding-inline-start:14px;border:0 solid #d0d7e2;"
    "border-inline-start-width:3px;color:#5b6678",
    "hr": "margin:22px 0;border:0;border-top:1px solid #e3e8ef",
    "a": "color:#2457d6;text-decoration:underline",
    "strong": "font-weight:650;color:#111827",
    "code": f"padding:1px 5px;background-color:#f0f3f7;border-radius:5px;font-family:{MONO};font-size:0.88em;"
    "word-break:break-word",
    "table": "margin:2px 0 16px 0;border-collapse:collapse;font-size:14px;line-height:1.45",
    "th": "padding:8px 12px;border:1px solid #dfe5ed;background-color:#f5f7fa;font-weight:650;color:#111827",
    "td": "padding:8px 12px;border:1px solid #dfe5ed;vertical-align:top",
}
_PRE = (
    "margin:0 0 16px 0;padding:14px 16px;background-color:#f5f7fa;border-radius:10px;"
    f"font-family:{MONO};font-size:13px;line-height:1.5;white-space:pre-wrap;word-break:break-word"
)
_SMALL = {"h5": "h4", "h6": "h4"}


def html(markdown: str) -> str:
    """Give the answer as HTML that holds no markup but ours."""
    md = _parser()
    tokens = md.parse(markdown)
    _dress(tokens)
    return str(md.renderer.render(tokens, md.options, {}))


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    md = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    md.add_render_rule("fence", _fence)
    md.add_render_rule("code_block", _fence)
    md.add_render_rule("image", _image)
    return md


def _dress(tokens: "list[Token]") -> None:
    closed_by = _closers(tokens)
    for at, token in enumerate(tokens):
        token.tag = _SMALL.get(token.tag, token.tag)
        if token.nesting == 0 and token.children:
            _unlink(token.children)
            _dress(token.children)
        if token.nesting < 0 or token.tag not in _STYLES:
            continue
        aligned = str(token.attrGet("style") or "text-align:start")
        token.attrSet("style", _STYLES[token.tag] + (f";{aligned}" if token.tag in ("th", "td") else ""))
        if token.tag == "p" and closed_by.get(at) in ("blockquote_close", "list_item_close"):
            token.attrSet("style", "margin:0")
        if token.tag in ("ul", "ol") and token.level:
            token.attrSet("style", _STYLES[token.tag].replace("margin:0 0 14px 0", "margin:6px 0 2px 0"))
        if token.tag == "table":
            token.attrSet("cellpadding", "0")


def _closers(tokens: "list[Token]") -> dict[int, str]:
    """Give, for each paragraph, what follows its end: the last one of a quote or an entry needs no room below."""
    ends = [at for at, token in enumerate(tokens) if token.type == "paragraph_close" and at + 1 < len(tokens)]
    return {at - 2: tokens[at + 1].type for at in ends}


def _unlink(tokens: "list[Token]") -> None:
    """A link that goes nowhere is its text."""
    opened: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            opened.append(bool(LINK.match(str(token.attrGet("href") or ""))))
        if token.type in ("link_open", "link_close") and not (opened[-1] if opened else True):
            token.type, token.tag = "text", ""
            token.content = ""
            if token.nesting < 0:
                opened.pop()
            token.nesting = 0
        elif token.type == "link_close" and opened:
            opened.pop()


def _fence(_: Any, tokens: "list[Token]", at: int, *__: Any) -> str:
    return f'<pre dir="ltr" style="{_PRE}">{escape(tokens[at].content.rstrip())}</pre>\n'


def _image(_: Any, tokens: "list[Token]", at: int, *__: Any) -> str:
    url, text = str(tokens[at].attrGet("src") or ""), tokens[at].content
    if not LINK.match(url):
        return escape(text)
    return f'<a href="{escape(url)}" style="{_STYLES["a"]}">{escape(text or url)}</a>'

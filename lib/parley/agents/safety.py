"""
What leaves in an answer: no link and no image to a host that nobody has allowed, whatever a model was talked into.

A picture that a client loads by itself, or a link that somebody clicks, carries what its URL says to whoever wrote it.
"""

import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

REMOVED = "(link removed)"

_TAGS = "a|abbr|audio|base|button|embed|form|iframe|image|img|input|link|math|meta|object|script|source|style|svg|video"
_TAG = re.compile(rf"</?(?:{_TAGS})\b[^>]*(?:>|\Z)", re.IGNORECASE)
_TITLE = r"""(?:\s+(?:"[^"]*"|'[^']*'|\([^)]*\)))?"""
_TEXT = r"((?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)"
_INLINE = re.compile(rf"(!?)\[{_TEXT}\]\(\s*(<[^<>]*>|(?:[^\s()<>]|\([^\s()]*\))*){_TITLE}\s*\)")
_DEFINED = re.compile(r"^ {0,3}\[[^\]]+\]:\s*(<[^>\n]*>|\S+)[^\n]*$", re.MULTILINE)
_REFERRED = re.compile(rf"!\[{_TEXT}\](?:\[[^\]]*\])?")
_SCHEMES = (
    r"(?:[a-z][a-z0-9+.\-]{1,20}:(?=//)"
    r"|(?=[jdvfbmts])(?:javascript|data|vbscript|file|blob|mailto|tel|sms|slack|view-source):)"  # the letter: quicker
)
_URL = re.compile(rf"(?:{_SCHEMES}|(?<![\w/:])//(?=[\w\[])|\bwww\.)[^\s<>\"'`|\]]*", re.IGNORECASE)
_BARE = re.compile(
    r"(?<![\w@/.:\-])(?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?\.)+[a-z]{2,24}(?::\d+)?[/?#][^\s<>\"'`|\])]*", re.IGNORECASE
)
_MARK = re.compile(r"[ \t]*\[\d{1,3}\]")
_ZERO_WIDTH = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad\U000e0000-\U000e007f]")


def is_allowed(url: str, hosts: Sequence[str]) -> bool:
    """Whether a URL leads, by http(s) and without tricks, to one of these hosts or below it."""
    url = url.strip("<>")
    if any(c in url for c in "\\\t\r\n") or not url.isascii():
        return False
    if url.lower().startswith("mailto:"):
        return _below(url[7:].partition("?")[0].rpartition("@")[2].lower(), hosts) and "?" not in url
    try:
        parts = urlsplit(url if "//" in url else f"https://{url}")
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and "@" not in parts.netloc and _below(host, hosts)


def clean(text: str, hosts: Sequence[str]) -> str:
    """Take out pictures, links and tags that lead elsewhere, and invisible characters."""
    text = _ZERO_WIDTH.sub("", text)
    text = _TAG.sub("", text)
    text = _INLINE.sub(lambda m: m[0] if is_allowed(m[3], hosts) else clean(m[2], hosts), text)
    text = _DEFINED.sub(lambda m: m[0] if is_allowed(m[1], hosts) else "", text)
    text = _REFERRED.sub(lambda m: m[0] if "](" in text[m.end() - 1 : m.end() + 1] else m[1], text)
    text = _URL.sub(lambda m: _kept(m[0], hosts), text)
    return _BARE.sub(lambda m: _kept(m[0], hosts), text)


class Stream:
    """
    Passes a streamed text on as soon as it is known to be clean, without its marks for sources.

    An unfinished link is held back until its end is there. `pieces` joined are the answer, but for white space; the
    stored result decides.
    """

    def __init__(self, hosts: Sequence[str], give: Callable[[str], None]) -> None:
        self._hosts = hosts
        self._give = give
        self._held = ""

    def __call__(self, delta: str) -> None:
        """Take the next part in."""
        self._held += delta
        if safe := _safe(self._held):
            self._pass(self._held[:safe])
            self._held = self._held[safe:]

    def end(self) -> None:
        """Pass on what is left."""
        self._pass(self._held)
        self._held = ""

    def _pass(self, text: str) -> None:
        if said := _MARK.sub("", clean(text, self._hosts)):
            self._give(said)


def _safe(text: str) -> int:
    """Give how much of a text may go: up to its last space that lies outside every link, picture and tag."""
    depth, place, cut = 0, 0, 0
    while place < len(text):
        letter = text[place]
        if letter == "<" and (text[place + 1 : place + 2].strip() or place + 1 == len(text)):
            place = text.find(">", place)
        elif letter in "[]":
            depth = max(depth + (1 if letter == "[" else -1), 0)
            if letter == "]" and not depth and text[place + 1 : place + 2] == "(":
                place = text.find(")", place)
        elif letter.isspace() and not depth:
            cut = place
        if place < 0:
            break
        place += 1
    return len(text[:cut].rstrip())


def _kept(url: str, hosts: Sequence[str]) -> str:
    core = url.rstrip(".,;:!?*_~" + (")" if url.count(")") > url.count("(") else ""))
    return url if is_allowed(core, hosts) else REMOVED + url[len(core) :]


def _below(host: str, hosts: Sequence[str]) -> bool:
    return any(host == one or host.endswith(f".{one}") for one in hosts)

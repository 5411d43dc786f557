"""Knowledge documents: how they are cut, and that nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.domain.knowledge import LONGEST, Chunk, parse_document, slug, split

WHOLE = """\
---
title: "VPN: remote access"
owner: Network
updated: 2026-10-01
---
# VPN

Before all.

## Set up on a Mac

One.

### Menu bar

Two.

## Slow?

Three.
"""

markdown = st.lists(
    st.sampled_from(
        [
            "# A",
            "## B b",
            "## B b",
            "### C",
            "",
            "",
            "word and word",
            "```",
            "```py",
            "~~~~",
            "    # code",
            "---",
            "k: v",
            "#no",
        ]
    )
    | st.text(max_size=40),
    max_size=40,
).map("\n".join)
paragraphs = st.lists(st.text(alphabet="ab c\n\t`~é", max_size=90) | st.just("\n\n"), max_size=12).map("".join)


def words(text: str) -> str:
    """The text without any white space."""
    return "".join(text.split())


# --- parse_document --------------------------------------------------------------------------------------------------


def test_a_document_is_its_sections():
    """Front matter names it, each section is a chunk, deeper headings stay in their section's text."""
    document = parse_document("set-up-vpn.md", WHOLE)

    assert (document.slug, document.title, document.updated) == ("set-up-vpn", "VPN: remote access", "2026-10-01")
    assert document.chunks == (
        Chunk(0, "", "", "Before all."),
        Chunk(1, "Set up on a Mac", "set-up-on-a-mac", "One.\n\n### Menu bar\n\nTwo."),
        Chunk(2, "Slow?", "slow", "Three."),
    )


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_change_nothing(end):
    """A file saved on Windows is the same document."""
    assert parse_document("vpn.md", "\ufeff" + WHOLE.replace("\n", end)) == parse_document("vpn.md", WHOLE)


@pytest.mark.parametrize(
    ("path", "text", "title"),
    [
        ("a.md", "---\ntitle: Front\n---\n# Heading", "Front"),
        ("a.md", "---\ntitle: 'Quoted # here'\n---", "Quoted # here"),
        ("a.md", "---\ntitle:\n---\n# Heading", "Heading"),
        ("a.md", "text\n\n# Heading ##\n", "Heading"),
        ("a.md", "# The `new` [one](https://example.org)", "The new one"),
        ("a.md", "#\tTab", "Tab"),
        ("new-laptop_set.md", "## Section\ntext", "New laptop set"),
        ("new-laptop.md", "## Section\ntext\n# Late\nmore", "New laptop"),
        ("a.md", "```\n# code\n```", "A"),
    ],
)
def test_the_title_is_that_of_the_front_matter_or_the_first_heading(path, text, title):
    """Without both, the file's name is the title."""
    assert parse_document(path, text).title == title


@pytest.mark.parametrize(
    ("path", "expected"),
    [("vpn.md", "vpn"), ("config/knowledge/it-desk/vpn.md", "vpn"), ("My VPN.md", "my-vpn"), ("!!.md", "!!")],
)
def test_the_slug_is_the_name_of_the_file(path, expected):
    """A path and a name give the same slug; it is never empty."""
    assert parse_document(path, "").slug == expected


@pytest.mark.parametrize(
    "text", ["", "\n \n", "\ufeff", "---\ntitle: A\n---\n", "# Only a title", "## Empty\n\n## Too"]
)
def test_a_document_without_text_has_no_chunks(text):
    """There is nothing to find in headings without a text."""
    assert parse_document("a.md", text).chunks == ()


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: never closed",
        "---\na sentence\n---\nmore",
        "intro\n---\ntitle: late\n---",
        "--- title: A ---",
    ],
)
def test_rules_that_are_no_front_matter_stay_text(text):
    """Only a block at the very top that begins with a field and is closed is front matter."""
    (chunk,) = parse_document("a.md", text).chunks

    assert chunk.text == text


def test_unknown_lines_of_the_front_matter_are_left_out():
    """Lists, comments and unknown keys neither fail nor become text."""
    text = "---\ntags:\n  - a\n- b\n# comment\naudience: all\nUpdated: 2026-01-02\n---\nBody"

    document = parse_document("a.md", text)

    assert document.updated == "2026-01-02"
    assert [chunk.text for chunk in document.chunks] == ["Body"]


@pytest.mark.parametrize(
    "body",
    [
        "```\n## no\n```",
        "```sh\n## no\n\n## no\n```",
        "~~~\n## no\n```\n## no\n~~~",
        "````\n```\n## no\n````",
        "```\n## no\n``` not the end\n## no\n```",
        "```\n## never closed",
        "   ```\n## no\n   ```",
        "    ## indented by four",
        "##no space",
        "####### seven",
        "a ## b",
        r"\## escaped",
    ],
)
def test_what_only_looks_like_a_heading_is_text(body):
    """A # inside a code block, too deep, or without its space begins no section."""
    (chunk,) = parse_document("a.md", f"## Section\n\n{body}\n").chunks

    assert chunk.text == body


@pytest.mark.parametrize("line", ["## B", "   ## B", "##  B  ", "## B ##", "##\tB", "# B"])
def test_headings_of_levels_one_and_two_begin_a_section(line):
    """As Markdown writes them; a code block that was closed before does not matter."""
    document = parse_document("a.md", f"# T\n```\ncode\n```\n{line}\ntext")

    assert document.chunks[-1] == Chunk(1, "B", "b", "text")


def test_three_backticks_around_words_open_no_code_block():
    """Code within a line ends in that line, so the next heading counts."""
    document = parse_document("a.md", "## A\n```x``` is code\n## B\ntext")

    assert [chunk.heading for chunk in document.chunks] == ["A", "B"]


def test_headings_of_the_same_words_have_different_anchors():
    """The second is numbered as GitHub does, and deeper headings count too."""
    document = parse_document("a.md", "# Same\n## Same\na\n### Same\nb\n## Same\nc\n")

    assert [chunk.anchor for chunk in document.chunks] == ["same-1", "same-3"]


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Set up on a Mac (macOS)", "set-up-on-a-mac-macos"),
        ("Wi-Fi: slow?", "wi-fi-slow"),
        ("R & D", "r--d"),
        ("Größe 2.0", "größe-20"),
        ("snake_case", "snake_case"),
        ("!?", ""),
    ],
)
def test_anchors_are_those_of_github(heading, anchor):
    """Lower case, punctuation gone, a hyphen for each space."""
    assert slug(heading) == anchor


def test_a_long_section_becomes_several_chunks_of_the_same_heading():
    """They are counted on, cut between paragraphs, and share heading and anchor."""
    one, two, three = ("a " * 400).strip(), ("b " * 300).strip(), ("c " * 200).strip()

    document = parse_document("a.md", f"## Long\n\n{one}\n\n{two}\n\n{three}\n\n## Short\nend")

    assert document.chunks == (
        Chunk(0, "Long", "long", f"{one}\n\n{two}"),
        Chunk(1, "Long", "long", three),
        Chunk(2, "Short", "short", "end"),
    )


def test_a_nul_is_replaced():
    """The database's text cannot hold it."""
    (chunk,) = parse_document("a.md", "a\0b").chunks

    assert chunk.text == "a\ufffdb"


@given(markdown)
def test_any_text_is_a_document(text):
    """Nothing fails; chunks are counted from 0, never empty and never too long."""
    document = parse_document("a.md", text)

    assert [chunk.ordinal for chunk in document.chunks] == list(range(len(document.chunks)))
    assert all(chunk.text.strip() and len(chunk.text) <= LONGEST for chunk in document.chunks)


@given(
    st.lists(st.text(alphabet="ab #`é.", min_size=1, max_size=30).filter(lambda line: line[0] in "abé"), max_size=20)
)
def test_all_text_under_a_heading_arrives(lines):
    """What stands in a section is in its chunks, in order."""
    document = parse_document("a.md", "# T\n## S\n" + "\n\n".join(lines))

    assert words("".join(chunk.text for chunk in document.chunks)) == words("".join(lines))


# --- split -----------------------------------------------------------------------------------------------------------


@given(paragraphs, st.integers(1, 60))
def test_splitting_loses_no_text_and_keeps_the_limit(text, longest):
    """Whatever the text and the limit: all but white space arrives, in order, in pieces that are not too long."""
    pieces = split(text, longest)

    assert words("".join(pieces)) == words(text)
    assert all(piece.strip() and len(piece) <= longest for piece in pieces)


@given(paragraphs)
def test_a_text_that_fits_stays_whole(text):
    """There is no cut without need."""
    pieces = split(text, len(text) * 2 + 1)

    assert len(pieces) == (1 if text.strip() else 0)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("aaaa\n\nbbbb\n\ncc", ["aaaa\n\nbbbb", "cc"]),
        ("aaaa bb\ncccc dd", ["aaaa bb", "cccc dd"]),
        ("aaaa bbbb cccc", ["aaaa bbbb", "cccc"]),
        ("a" * 12, ["a" * 10, "a" * 2]),
        ("```\na\n\nb\n```", ["```\na\n\nb", "```"]),
        ("aa\n\n```\n\n```", ["aa", "```\n\n```"]),
        ("    code\n\nx", ["    code", "x"]),
    ],
    ids=["paragraphs", "lines", "words", "anywhere", "long code", "code is one paragraph", "indent"],
)
def test_a_text_is_cut_where_it_hurts_least(text, pieces):
    """Between paragraphs, else lines, else words, else anywhere; a code block only when it is too long itself."""
    assert split(text, 10) == pieces

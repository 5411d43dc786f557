"""A folder and its rules."""

import pytest

from parley.errors import Misconfigured
from parley.knowledge.folder import look
from parley.knowledge.reading import Declared


@pytest.fixture
def folder(tmp_path):
    """Make the files of a base `desk`."""

    def make(**files):
        path = tmp_path / "desk"
        for name, text in {"a.md": "# A\n\nText.", "hr/pay.txt": "Pay.", **files}.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text, encoding="utf-8")
        return path

    return make


def test_a_base_is_a_folder_with_its_folders(folder):
    """Named like it; hidden files are no documents, and what cannot be read is named."""
    found = look(folder(**{".git/x.md": "no", "photo.jpg": "no"}))

    assert (found.base, sorted(found.files), found.ignored) == ("desk", ["a.md", "hr/pay.txt"], ["photo.jpg"])
    assert found.files["a.md"].content == b"# A\n\nText."


def test_rules_say_what_files_do_not(folder):
    """The later one of several says it again."""
    rules = """
language: de
files:
  - {match: "*", url: "https://intranet.example/{source}"}
  - {match: "hr/*", groups: [hr, finance], language: fr}
"""
    found = look(folder(**{"knowledge.yaml": rules}))

    assert found.language == "de"
    assert found.files["a.md"].declared == Declared((), None, "https://intranet.example/a.md")
    assert found.files["hr/pay.txt"].declared == Declared(
        ("hr", "finance"), "fr", "https://intranet.example/hr/pay.txt"
    )


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("files: [{match: 'hrr/*', groups: [hr]}]", "no file matches 'hrr/\\*'"),
        ("files: [{match: 'hr/*', groups: []}]", "groups"),
        ("files: [{match: 'hr/*', group: [hr]}]", "group: Extra"),
        ("files: [{match: 'hr/*', groups: ['h r']}]", "groups"),
        ("weights: {words: 0, meaning: 0}", "words or meaning must count"),
        ("weights: {words: -1}", "weights.words"),
        ("weights: {meaning: .inf}", "weights.meaning"),
        ("weights: {vectors: 1}", "weights.vectors: Extra"),
        ("files:\n  - [", "knowledge.yaml:2: not YAML"),
        ("- a", "knowledge.yaml"),
    ],
)
def test_a_rule_that_is_not_understood_opens_nothing(folder, rules, why):
    """A slip in it would show to everybody what is for some."""
    with pytest.raises(Misconfigured, match=why):
        look(folder(**{"knowledge.yaml": rules}))


def test_what_is_no_folder_is_named(tmp_path):
    with pytest.raises(Misconfigured, match="nowhere: is no folder"):
        look(tmp_path / "nowhere")

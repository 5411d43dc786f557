"""What we say around an answer is a template that can do nothing but say it."""

import pytest
from wiring.conftest import ROOT

from parley.adapters.template_files import load_templates
from parley.channels.templates import FILES, Templates
from parley.errors import Misconfigured

TEXTS = {"footer.txt": "{{ note }}"}


@pytest.mark.parametrize("channel", FILES)
def test_those_that_are_shipped_are_well_formed(channel):
    """Each channel's files are there and render."""
    load_templates(ROOT / "config", channel)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{{ note", "unexpected end of template"),
        ("{{ secret }}", "secret: unknown; there is agent, kind, note, opening, question, sources"),
        ("{% include 'x' %}", "does not render|loader"),
        ("{{ note.__class__.__mro__ }}", "unsafe"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{% for x in range(9) %}{% endfor %}", "range: unknown"),
        ("{{ sources.missing }}", "no attribute"),
        ("{{ 1 / 0 }}", "does not render: ZeroDivisionError"),
    ],
)
def test_one_that_is_wrong_is_named_at_the_start(text, wrong):
    """The file, and what is wrong with it; nothing of Python is within its reach."""
    with pytest.raises(Misconfigured, match=rf"templates/slack/footer.txt: .*({wrong})"):
        Templates("slack", {"footer.txt": text})


def test_a_missing_one_is_named():
    """Before the first message, not at it."""
    with pytest.raises(Misconfigured, match=r"templates/email/footer\.txt: missing"):
        Templates("email", {})


def test_html_is_escaped_and_text_is_not(job):
    """What is told can hold no markup where markup counts."""
    texts = dict.fromkeys(FILES["email"], "{{ question }}")
    made = Templates("email", texts)

    asked = job(question="a < b")

    assert made.say("frame.html", asked) == "a &lt; b"
    assert made.say("frame.txt", asked) == "a < b"

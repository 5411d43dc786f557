"""How an answer looks as e-mail, and what a server's replies mean."""

import html.parser
import re
import unicodedata
from email import message_from_bytes
from email.policy import default

import mailparser
import pytest
from channels.golden_answers import GOLDEN
from hypothesis import given, settings
from hypothesis import strategies as st
from wiring.conftest import ROOT

from parley.adapters.template_files import load_templates
from parley.channels import email, email_html
from parley.channels.outcome import Answer, Delivered, Failed, Parked, Retry, Unsure, Wait

SENDER = "Parley <parley@example.org>"


@pytest.fixture(scope="module")
def templates():
    return load_templates(ROOT / "config", "email")


@pytest.fixture
def render(job, templates):
    """Render a job."""

    def make(text="Hello", thread=None, **fields):
        fields = {"address": {"to": "ann@example.org"}, **fields}
        return email.render(job(text, **fields), SENDER, templates, thread)

    return make


@pytest.fixture
def mail(render):
    """Render a job and read it as a mail program does."""
    return lambda *text, **fields: message_from_bytes(render(*text, **fields).as_bytes(), policy=default)


def test_a_message_has_text_then_html(mail):
    """multipart/alternative, the plain part first: programs show the last that they can."""
    parts = [part.get_content_type() for part in mail("**Hi** <script>x</script>").iter_parts()]

    assert parts == ["text/plain", "text/html"]


def test_html_holds_no_markup_of_the_answer(mail):
    """Markdown is rendered; HTML in it is text; links run no script, and nothing is loaded from anywhere."""
    text = "**Hi** <script>x</script> [a](javascript:x) [b](/c) ![i](https://example.org/i.png)"

    page = mail(text, question="<b>Why?</b>").get_body(("html",)).get_content()

    assert ">Hi</strong>" in page
    assert "<script" not in page
    assert re.findall(r'href="([^"]*)"', page) == ["https://example.org/i.png"]
    assert "<img" not in page
    assert "&lt;b&gt;Why?&lt;/b&gt;" in page


def test_every_element_has_its_style_with_it():
    """Many mail programs drop style sheets: each table, code and link is dressed on the spot."""
    page = email_html.html("| a |\n|--:|\n| `1` |\n\n[x](https://example.org)\n\n```\n<y>\n```\n\n> q")

    for tag in ("table", "th", "td", "code", "a", "pre", "blockquote", "p"):
        assert re.search(rf"<{tag}\b[^>]* style=\"[^\"]+\"", page), tag
    assert "text-align:right" in page
    assert "&lt;y&gt;" in page


def test_headers_thread_and_mark_it_as_automatic(mail):
    """The id is the delivery's, the thread is the session's, and no vacation responder answers."""
    made = mail()

    assert made["Message-ID"] == "<0f4c5d1e-9b0a-5c63-8e3e-0e6f0a8a7d11@example.org>"
    assert made["References"] == made["In-Reply-To"] == "<00000000-0000-0000-0000-000000000003@example.org>"
    assert (made["Auto-Submitted"], made["X-Auto-Response-Suppress"]) == ("auto-replied", "All")
    assert made["Date"].datetime.isoformat() == "2026-11-23T09:00:00+00:00"


def test_later_answers_refer_to_all_before_and_keep_the_subject(mail):
    """The chain holds where a provider has put its own ids in place of ours."""
    thread = email.Thread("First question\nmore", ("<one@eu-west-1.amazonses.com>", "broken>\r\nBcc: x", "<two@x>"))

    made = mail(thread=thread, question="And then?")

    root = "<00000000-0000-0000-0000-000000000003@example.org>"
    assert made["References"].split() == [root, "<one@eu-west-1.amazonses.com>", "<two@x>"]
    assert made["In-Reply-To"] == "<two@x>"
    assert made["Subject"] == "Re: First question"
    assert made["Bcc"] is None


def test_the_same_delivery_is_the_same_message(render):
    """Rendered again, a delivery gives the same bytes."""
    assert render().as_bytes() == render().as_bytes()


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("How?\nMore", "Re: How?"),
        ("\n  \n second", "Re: second"),
        ("a\r\nBcc: eve@example.org", "Re: a"),
        ("a\x00b\x0bc", "Re: ab"),
        ("a\u2028Bcc: x", "Re: a"),
        ("Größe", "Re: Größe"),
        ("{{ question }}", "Re: {{ question }}"),
        ("", "Re: your question"),
    ],
)
def test_subject_is_the_questions_first_line(mail, question, subject):
    """Control characters and further lines never reach a header; a question is no template."""
    made = mail(question=question)

    assert made["Subject"] == subject
    assert made["Bcc"] is None


def test_an_approval_says_that_a_decision_is_wanted(mail):
    """Among other mails it is seen."""
    assert mail(kind="approval", question="Order it")["Subject"] == "Your decision, please: Order it"


def test_a_long_subject_is_cut():
    """At most 120 characters."""
    assert len(email.subject("x" * 500)) == 120


@pytest.mark.parametrize(
    "address",
    ["a@b\r\nBcc: c@d", "a@b, c@d", "a b@c", "no-at", "", "ä@example.org", "<a@b>", "a@b\x00", "a" * 250 + "@b.cd"],
)
def test_an_address_that_is_none_is_refused(mail, address):
    """Nothing but one plain address becomes a recipient."""
    with pytest.raises(ValueError):
        mail(address={"to": address})


def test_sources_stand_in_both_parts(mail):
    """Plain and HTML readers see the same citations, escaped."""
    made = mail(citations=({"title": "A <b>", "heading": "H"},), also_by=("slack",))

    assert "Sources: A <b>: H" in made.get_body(("plain",)).get_content()
    assert "A &lt;b&gt;: H" in made.get_body(("html",)).get_content()
    assert "may also have reached you by Slack" in made.get_body(("plain",)).get_content()


class Balance(html.parser.HTMLParser):
    """Open elements, and what was said."""

    def __init__(self):
        super().__init__()
        self.open, self.said, self.wrong = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "br", "hr", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("br", "hr") and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)

    def handle_data(self, data):
        self.said.append(data)


@pytest.mark.parametrize("name", [name for name in GOLDEN if not name.startswith("long")] + ["long-01"])
def test_every_golden_answer_survives_two_parsers(render, name):
    """Read back by the standard library and by mail-parser, text and page are whole and well-formed."""
    raw = render(GOLDEN[name]).as_bytes()

    first, second = message_from_bytes(raw, policy=default), mailparser.parse_from_bytes(raw)

    text, page = first.get_body(("plain",)).get_content(), first.get_body(("html",)).get_content()
    balance = Balance()
    balance.feed(page)
    assert (balance.open, balance.wrong) == ([], [])
    assert first.defects == []
    assert second.subject == str(first["Subject"])
    assert second.message_id == str(first["Message-ID"])
    words = GOLDEN[name].split()
    assert [word for word in words if word not in text] == []
    assert (
        unicodedata.normalize("NFC", "".join(second.text_plain)).split() == unicodedata.normalize("NFC", text).split()
    )
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_a_page(text):
    """No answer breaks the page around it."""
    balance = Balance()
    balance.feed(email_html.html(text))

    assert (balance.open, balance.wrong) == ([], [])


@pytest.mark.parametrize(
    ("answer", "stage", "meaning"),
    [
        (Answer(250, provider_id="<1@x>"), "content", Delivered),
        (Answer(421), "greeting", Retry),
        (Answer(450, "4.7.1"), "recipient", Wait),
        (Answer(451, "4.3.0"), "content", Wait),
        (Answer(552, "5.2.2"), "recipient", Wait),
        (Answer(535, "5.7.8"), "greeting", Parked),
        (Answer(530, "5.7.0"), "sender", Parked),
        (Answer(550, "5.7.1"), "sender", Parked),
        (Answer(550, "5.7.1"), "recipient", Failed),
        (Answer(550, "5.1.1"), "recipient", Failed),
        (Answer(554, "5.6.0"), "content", Failed),
        (Answer(354), "content", Unsure),
    ],
)
def test_servers_replies(answer, stage, meaning):
    """4xx waits, 5xx is final; refused credentials and senders are ours to mend."""
    assert isinstance(email.outcome(answer, stage), meaning)


@pytest.mark.parametrize(("code", "gone"), [("5.1.1", True), ("5.2.1", True), ("5.7.1", False), (None, False)])
def test_only_an_address_that_nobody_has_is_given_up(code, gone):
    """A policy, or a reply without a code, is no reason never to write again."""
    assert email.nobody(Answer(550, code), "recipient") is gone
    assert not email.nobody(Answer(550, code), "content")

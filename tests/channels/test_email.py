"""How an answer looks as e-mail, and what a server's replies mean."""

from email import message_from_bytes
from email.policy import default

import pytest

from parley.channels import email
from parley.channels.outcome import Answer, Delivered, Failed, Parked, Retry, Unsure, Wait

SENDER = "Parley <parley@example.org>"


@pytest.fixture
def mail(job):
    """Render a job and read it as a mail program does."""

    def make(text="Hello", **fields):
        made = email.render(job(text, **{"address": {"to": "ann@example.org"}, **fields}), SENDER)
        return message_from_bytes(made.as_bytes(), policy=default)

    return make


def test_a_message_has_text_then_html(mail):
    """multipart/alternative, the plain part first: programs show the last that they can."""
    parts = [part.get_content_type() for part in mail("**Hi** <script>x</script>").iter_parts()]

    assert parts == ["text/plain", "text/html"]


def test_html_holds_no_markup_of_the_answer(mail):
    """Markdown is rendered; HTML in it is text; links run no script."""
    page = mail("**Hi** <script>x</script> [a](javascript:x)").get_body(("html",)).get_content()

    assert "<strong>Hi</strong>" in page
    assert "<script" not in page
    assert "href" not in page


def test_headers_thread_and_mark_it_as_automatic(mail):
    """The id is the delivery's, the thread is the session's, and no vacation responder answers."""
    made = mail()

    assert made["Message-ID"] == "<0f4c5d1e-9b0a-5c63-8e3e-0e6f0a8a7d11@example.org>"
    assert made["References"] == made["In-Reply-To"] == "<00000000-0000-0000-0000-000000000003@example.org>"
    assert (made["Auto-Submitted"], made["X-Auto-Response-Suppress"]) == ("auto-replied", "All")
    assert made["Date"].datetime.isoformat() == "2026-11-23T09:00:00+00:00"


def test_the_same_delivery_is_the_same_message(job):
    """Rendered again, a delivery gives the same bytes."""
    made = job(address={"to": "ann@example.org"})

    assert email.render(made, SENDER).as_bytes() == email.render(made, SENDER).as_bytes()


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("How?\nMore", "Re: How?"),
        ("\n  \n second", "Re: second"),
        ("a\r\nBcc: eve@example.org", "Re: a"),
        ("a\x00b\x0bc", "Re: ab"),
        ("a\u2028Bcc: x", "Re: a"),
        ("Größe", "Re: Größe"),
        ("", "Re: your question"),
    ],
)
def test_subject_is_the_questions_first_line(mail, question, subject):
    """Control characters and further lines never reach a header."""
    made = mail(question=question)

    assert made["Subject"] == subject
    assert made["Bcc"] is None


def test_a_long_subject_is_cut():
    """At most 120 characters."""
    assert len(email.subject("x" * 500)) == 120


@pytest.mark.parametrize(
    "address", ["a@b\r\nBcc: c@d", "a@b, c@d", "a b@c", "no-at", "", "ä@example.org", "<a@b>", "a@b\x00"]
)
def test_an_address_that_is_none_is_refused(mail, address):
    """Nothing but one plain address becomes a recipient."""
    with pytest.raises(ValueError):
        mail(address={"to": address})


def test_sources_stand_in_both_parts(mail):
    """Plain and HTML readers see the same citations, escaped."""
    made = mail(citations=({"title": "A <b>", "heading": "H"},), also_by=("slack",))

    assert "Sources: A <b>: H" in made.get_body(("plain",)).get_content()
    assert "Sources: A &lt;b&gt;: H" in made.get_body(("html",)).get_content()
    assert "may also have reached you by Slack" in made.get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Answer(250, provider_id="<1@x>"), Delivered),
        (Answer(421), Retry),
        (Answer(450, "4.7.1"), Wait),
        (Answer(552, "5.2.2"), Wait),
        (Answer(535, "5.7.8"), Parked),
        (Answer(550, "5.1.1"), Failed),
        (Answer(354), Unsure),
    ],
)
def test_servers_replies(answer, meaning):
    """4xx waits, 5xx is final, refused credentials are ours to mend."""
    assert isinstance(email.outcome(answer), meaning)

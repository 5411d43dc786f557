"""How an answer fits into text messages."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wiring.conftest import ROOT

from parley.adapters.template_files import load_templates
from parley.channels import sms
from parley.channels.outcome import Answer, Delivered, Failed, Parked, Retry, Unsure, Wait


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
    ],
)
def test_segments(text, count):
    """160 places alone and 153 of several in the GSM alphabet, where € takes two; 70 and 67 in any other."""
    assert sms.segments(text) == count


TEMPLATES = load_templates(ROOT / "config", "sms")


@pytest.fixture
def said(job):
    """The text that is sent for an answer."""
    return lambda text, link="": sms.message(job(text), TEMPLATES, link)


def test_an_escape_is_not_divided_between_two_messages():
    """A sign of two places that does not fit at the end of a segment goes over to the next whole."""
    assert sms.segments("a" * 152 + "€" + "a" * 152) == 3


LINK = "https://parley.example.org/r/" + "x" * 43


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=2000))
def test_any_text_fits(text):
    """However long and in whatever script, at most two segments are paid for, and the link is whole."""
    told = SimpleNamespace(text=text, kind="answer", question="?", agent=None, citations=(), also_by=())

    made = sms.message(told, TEMPLATES, LINK)

    assert sms.segments(made) <= sms.SEGMENTS
    assert LINK not in made or made.endswith(LINK)


def test_typography_does_not_double_the_price(said):
    """Curly quotes and dashes become plain ones, so that the text stays in the GSM alphabet."""
    assert said("\u201cIt\u2019s\u201d \u2013 fine\u2026") == '"It\'s" - fine...'


def test_marks_are_left_out(said):
    """A text message has no emphasis; a link shows its address."""
    assert said("**Use** [the portal](https://example.org), `now`") == "Use the portal (https://example.org), now"


def test_what_fits_has_no_link(said):
    """Only what is cut needs one."""
    assert said("Yes.", LINK) == "Yes."


def test_without_a_door_the_beginning_is_all(said):
    """It ends at a word, and shows that it goes on."""
    made = said("word " * 200)

    assert made.endswith("word...")
    assert sms.segments(made) == sms.SEGMENTS


@pytest.mark.parametrize("number", ["+49 171 1234567", "+49(171)123-4567", "+491711234567"])
def test_a_number_is_read_as_people_write_it(number):
    """Blanks and punctuation do not count."""
    assert sms.number(number) == "+491711234567"


@pytest.mark.parametrize(
    "number", ["0171 1234567", "+0171234567", "+49", "+12345678901234567", "+49 171 ABC", "", "+\uff14\uff191711234567"]
)
def test_a_number_that_is_none_is_refused(number):
    """Without a country, too short, too long, no digits of ASCII."""
    with pytest.raises(ValueError):
        sms.number(number)


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Answer(200, provider_id="1"), Delivered),
        (Answer(400, "Throttling"), Wait),
        (Answer(403, "SignatureDoesNotMatch"), Parked),
        (Answer(503, "ServiceUnavailable"), Retry),
        (Answer(500, "InternalError"), Unsure),
        (Answer(400, "InvalidParameter"), Failed),
    ],
)
def test_answers_of_sns(answer, meaning):
    """Throttling waits, refused credentials are ours to mend, an internal error may hide a success."""
    assert isinstance(sms.outcome(answer), meaning)

"""How an answer fits into text messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.text(min_size=1, max_size=2000))
def test_any_text_fits(text):
    """However long and in whatever script, at most three segments are paid for."""
    assert sms.segments(sms.fit(text)) <= 3


def test_typography_does_not_double_the_price():
    """Curly quotes and dashes become plain ones, so that the text stays in the GSM alphabet."""
    assert sms.fit("\u201cIt\u2019s\u201d \u2013 fine\u2026") == '"It\'s" - fine...'


def test_marks_are_left_out(job):
    """Markdown's marks mean nothing on a telephone; links keep their address."""
    text = "**Use** `ssh` and [the portal](https://example.org).\n\n- now"

    made = sms.render(job(text, address={"to": "+491234567"}))

    assert made["Message"] == "Use ssh and the portal (https://example.org). - now"
    assert made["PhoneNumber"] == "+491234567"


@pytest.mark.parametrize(
    "number", ["0123456789", "+0123456789", "+49", "+49123456789012345", "+49x", "", "+491234567\n0"]
)
def test_a_number_that_is_none_is_refused(job, number):
    """Only E.164."""
    with pytest.raises(ValueError):
        sms.render(job(address={"to": number}))


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

"""Links that open one answer."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.domain import links

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
REQUEST = UUID("0192f0c1-2345-7abc-8def-0123456789ab")
TOKEN = links.sign("new,old", REQUEST, NOW + timedelta(days=7))


def test_a_link_opens_its_answer_until_it_ends():
    """For as long as was said, and not a second longer."""
    assert links.read("new", TOKEN, NOW) == REQUEST
    assert links.read("new", TOKEN, NOW + timedelta(days=7)) == REQUEST
    assert links.read("new", TOKEN, NOW + timedelta(days=7, seconds=1)) is None


def test_a_rotation_keeps_links_alive():
    """The first key signs, all of them verify."""
    assert links.read("newer, new", TOKEN, NOW) == REQUEST
    assert links.read("old", TOKEN, NOW) is None
    assert links.read("", TOKEN, NOW) is None


@pytest.mark.parametrize("place", range(links.LENGTH))
def test_a_changed_token_opens_nothing(place):
    """Whatever is changed, id, time or signature."""
    other = "A" if TOKEN[place] != "A" else "Q"

    assert links.read("new", TOKEN[:place] + other + TOKEN[place + 1 :], NOW) is None


@given(st.text(max_size=60))
def test_nothing_else_opens_anything(token):
    """No text that we did not make is a token, and none is an error."""
    assert links.read("new", token, NOW) is None


def test_it_is_short():
    """Each character of a text message is paid for."""
    assert len(TOKEN) == links.LENGTH

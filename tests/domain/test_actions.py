"""What was shown is what is decided, and which messages are a decision."""

import pytest

from parley.domain.actions import digest, said


def test_the_digest_is_of_tool_and_arguments():
    """The order of the arguments does not matter, everything else does."""
    assert digest("t", {"a": 1, "b": [2]}) == digest("t", {"b": [2], "a": 1})
    assert len({digest("t", {"a": 1}), digest("t", {"a": "1"}), digest("u", {"a": 1}), digest("t", {})}) == 4


@pytest.mark.parametrize(
    "text", ["yes", "Yes!", "yes, please", "OK.", "<@U1> yes", "👍", ":+1:", "Go ahead", "Ja", "yes yes"]
)
def test_what_is_a_yes(text):
    """Case, punctuation, mentions and courtesy do not matter."""
    assert said(text) is True


@pytest.mark.parametrize("text", ["no", "No, thanks.", "don't", "Don\u2019t do it", "cancel", ":x:", "nein"])
def test_what_is_a_no(text):
    """The same for a no."""
    assert said(text) is False


@pytest.mark.parametrize(
    "text", ["", "yes but the other one", "no idea", "yes no", "maybe", "I said yes?!", "approve nothing", "x" * 30000]
)
def test_what_is_neither(text):
    """Anything that is not clearly one of them is none."""
    assert said(text) is None

"""What Slack's errors mean."""

import json
import os
from pathlib import Path

import pytest

from parley.channels import slack, slack_errors
from parley.channels.outcome import Answer


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("ratelimited", "wait"), ("rate_limited", "wait"), ("service_unavailable", "retry"),
        ("internal_error", "unsure"),
        ("is_archived", "recipient"), ("token_expired", "credential"), ("invalid_blocks", "content"),
        ("stopped_by_user", "stopped"), ("message_not_in_streaming_state", "gone"), ("invalid_arg_name", "ours"),
        ("restricted_action_of_tomorrow", "recipient"), ("invalid_blocks_new", "content"),
        ("never_heard_of", "unknown"),
    ],
)  # fmt: skip
def test_each_error_has_a_class(code, name):
    """Those that are named, new ones of a known family, and the rest."""
    assert slack_errors.classed(code) == name


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        ("ratelimited", True), ("request_timeout", True), ("messaging_processing_failed", True),
        ("is_archived", False), ("token_expired", False), ("never_heard_of", False), (None, False),
    ],
)  # fmt: skip
def test_what_passes_is_asked_again(code, passes):
    """Rate limits, and what Slack says of itself; neither what is refused nor what is not known."""
    assert slack_errors.passes(code) is passes


def test_no_error_of_slacks_lists_is_missing():
    """With PARLEY_SLACK_API, a folder of Slack's methods as JSON, each error of each method is in the table."""
    folder = os.environ.get("PARLEY_SLACK_API")
    if not folder:
        return  # the table was made from these lists; it is looked at again where they are
    listed = {
        code
        for path in Path(folder).glob("*.json")
        for code in json.loads(path.read_text(encoding="utf-8")).get("errors") or {}
    }
    assert listed - slack_errors.codes() == set()


@pytest.mark.parametrize("code", sorted(slack_errors.codes() | {"never_heard_of"}))
def test_no_error_is_a_success(code):
    """Whatever Slack names, the message does not count as delivered."""
    assert type(slack.outcome(Answer(200, code))).__name__ != "Delivered"

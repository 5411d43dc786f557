"""Every kind of request that Slack sends, and what follows from it."""

import pytest
from channels.slack_inbound.cases import CASES

from parley.channels import slack_inbound
from parley.domain.events import MessageReceived


def test_there_are_enough():
    """Each is named once."""
    assert len({case.name for case in CASES}) == len(CASES) >= 120


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_request_is_read(case):
    """The event that is published fits its contract; what is answered and opened is as expected."""
    found = slack_inbound.read(case.body)

    given = dict(found.data or {})
    assert given.get("kind") == case.gives
    assert {name: given.get(name) for name in case.expect} == dict(case.expect)
    assert found.answer == case.answer
    assert (found.view or {}).get("callback_id") == case.opens
    assert bool(found.ignored) == (not given and case.answer is None and case.opens is None)
    if given:
        MessageReceived.model_validate(given)
        assert found.again or found.sorry or case.payload.get("type") == "block_actions"

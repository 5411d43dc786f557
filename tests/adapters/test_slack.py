"""People, as Slack knows them, against the stand-in."""

import pytest

from devkit.slack import ALICE, Fault, SlackStandIn
from parley.adapters.slack import Slack
from parley.adapters.slack_api import SlackApi
from parley.errors import Unavailable


@pytest.fixture
def workspace():
    """A Slack."""
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def channel(workspace):
    """Our side of it."""
    return Slack(lambda *_: SlackApi(workspace.token, workspace.api_url))


def test_a_person_is_looked_up(workspace, channel):
    """Name, e-mail and time zone, as Slack tells them."""
    profile = channel.profile("T1", "", ALICE)

    user = workspace.workspace.users[ALICE]
    assert (profile.email, profile.name, profile.timezone) == (
        user["profile"]["email"],
        user["profile"]["real_name"],
        user["tz"],
    )


def test_an_unknown_person_has_no_profile(channel):
    """Somebody whom Slack does not show is met without name and address."""
    assert channel.profile("T1", "", "U404").email is None


@pytest.mark.parametrize("fault", [Fault("reset"), Fault("error", error="invalid_auth"), Fault("status", status=500)])
def test_a_lookup_that_fails_comes_again(workspace, channel, fault):
    """While Slack cannot say who somebody is, the message waits."""
    workspace.fail(fault)

    with pytest.raises(Unavailable):
        channel.profile("T1", "", ALICE)

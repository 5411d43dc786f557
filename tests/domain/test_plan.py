"""The delivery plan: a pure function, so each rule of it is a line in a table."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.adapters.files import load_defaults
from parley.domain.plan import Asked, Default, Defaults, Invalid, Override, parse_defaults, plan
from parley.errors import Misconfigured

NOW = datetime(2026, 11, 23, 23, 10, tzinfo=UTC)
SHIPPED = load_defaults(Path(__file__).parents[2] / "config" / "integrations.yaml")
CHANNELS = tuple(SHIPPED.channels)
THREAD = {"channel": "slack", "workspace": "T1", "conversation": "C1", "thread": "1.1", "user": "U1"}
DIRECT = {**THREAD, "conversation": "D1"}
EVERYWHERE = (
    Override("sms", config={"number": "+491234567"}),
    Override("webhook", config={"url": "https://example.org/hook"}, id="i1"),
)


def asked(**values):
    return Asked(**{"source": "slack", "email": "ann@example.org", "slack": ("T1:U1",), **values})


def said(made):
    """Give the plan's channels in order."""
    return [rank.channel for rank in made.ranks]


def test_nothing_wanted_is_polled():
    """A request from the API without channels has an empty plan: nobody is sent anything."""
    made = plan(SHIPPED, EVERYWHERE, asked(source="cli"), NOW)

    assert (made.ranks, made.skipped) == ((), ())


def test_a_question_is_answered_where_it_was_asked():
    """Mode origin: the thread first, then the user's own ranks."""
    made = plan(SHIPPED, EVERYWHERE, asked(origin=THREAD), NOW)

    assert made.mode == "origin"
    assert said(made) == ["slack", "slack", "email", "sms", "webhook"]
    assert made.ranks[0].address == {"workspace": "T1", "conversation": "C1", "thread": "1.1"}
    assert made.ranks[1].address == {"workspace": "T1", "conversation": "U1", "thread": None}


def test_direct_messages_are_tried_once():
    """A question from direct messages does not fall back to the same place."""
    made = plan(SHIPPED, (), asked(origin=DIRECT), NOW)

    assert said(made) == ["slack", "email"]
    assert ("slack", "the question came from there") in [(s.channel, s.reason) for s in made.skipped]


def test_wanted_channels_are_used_in_their_order():
    """A request that names channels gets these and no others, the test channel too."""
    made = plan(SHIPPED, EVERYWHERE, asked(source="cli", wanted={"channels": ["webhook", "test", "email"]}), NOW)

    assert said(made) == ["webhook", "test", "email"]
    assert [rank.rank for rank in made.ranks] == [1, 2, 3]
    assert made.ranks[0].address == {"url": "https://example.org/hook", "integration": "i1"}


def test_mode_first_uses_the_users_ranks():
    """Without named channels, `first` goes by rank, and the test channel has none."""
    made = plan(SHIPPED, EVERYWHERE, asked(source="cli", wanted={"mode": "first"}), NOW)

    assert said(made) == ["slack", "email", "sms", "webhook"]


def test_users_rank_wins_over_the_default():
    """A rank of the user's own moves the channel, and before a default of the same number."""
    made = plan(SHIPPED, (Override("email", rank=1),), asked(source="cli", wanted={"mode": "first"}), NOW)

    assert said(made) == ["email", "slack"]


def test_enabled_is_inherited_field_by_field():
    """An override of the rank alone inherits `enabled` from the default."""
    off = Defaults({**SHIPPED.channels, "email": Default(False, 2, timedelta(minutes=1))})

    made = plan(off, (Override("email", rank=1),), asked(source="cli", wanted={"mode": "first"}), NOW)

    assert ("email", "it is turned off for everybody") in [(s.channel, s.reason) for s in made.skipped]


def test_users_address_wins_over_the_profile():
    """An e-mail address of the user's choice is used instead of the one that Slack told."""
    override = Override("email", config={"address": "desk@example.org"})

    made = plan(SHIPPED, (override,), asked(source="cli", wanted={"channels": ["email"]}), NOW)

    assert made.ranks[0].address == {"to": "desk@example.org"}


@pytest.mark.parametrize(
    ("override", "wanted", "reason"),
    [
        (Override("slack", enabled=False), "slack", "the user has turned it off"),
        (Override("sms"), "sms", "no telephone number is known"),
        (Override("sms", config={"number": "0123"}), "sms", "the telephone number is not in the form +491234567"),
        (Override("webhook"), "webhook", "no URL is registered"),
        (Override("webhook", config={"url": "file:///etc/passwd"}), "webhook", "the URL is not valid"),
        (Override("webhook", config={"url": "http://[::1"}), "webhook", "the URL is not valid"),
        (Override("email", config={"address": "a@b\nBcc: c@d"}), "email", "the e-mail address is not valid"),
        (Override("email"), "pigeon", "there is no such channel"),
    ],
)
def test_what_cannot_be_used_is_skipped_with_a_reason(override, wanted, reason):
    """A channel that is off, unknown or without a usable address is named in the plan, never tried."""
    made = plan(SHIPPED, (override,), asked(source="cli", wanted={"channels": [wanted]}), NOW)

    assert made.ranks == ()
    assert [(skip.channel, skip.reason) for skip in made.skipped] == [(wanted, reason)]


def test_off_holds_for_the_origin_too():
    """A user who turned Slack off and asks there is answered by the next channel."""
    made = plan(SHIPPED, (Override("slack", enabled=False),), asked(origin=THREAD), NOW)

    assert said(made) == ["email"]


def test_a_plan_can_be_stored_and_explained():
    """As a dictionary the plan is JSON: mode, ranks, skips with reasons, time."""
    made = plan(SHIPPED, (), asked(source="cli", wanted={"channels": ["email", "sms"]}), NOW).as_dict()

    assert made["ranks"][0]["patience_seconds"] == 12 * 3600
    assert made["skipped"] == [{"channel": "sms", "reason": "no telephone number is known"}]
    assert made["at"] == "2026-11-23T23:10:00+00:00"


overrides = st.lists(
    st.builds(
        Override,
        channel=st.sampled_from(CHANNELS),
        enabled=st.sampled_from([None, True, False]),
        rank=st.one_of(st.none(), st.integers(1, 6)),
        config=st.sampled_from([{}, {"number": "+491234567"}, {"url": "https://example.org"}, {"address": "a@b.org"}]),
    ),
    unique_by=lambda override: override.channel,
)
requests = st.builds(
    Asked,
    source=st.just("cli"),
    origin=st.sampled_from([None, THREAD, DIRECT]),
    wanted=st.one_of(
        st.none(),
        st.fixed_dictionaries({"channels": st.lists(st.sampled_from([*CHANNELS, "fax"]))}),
        st.just({"mode": "first"}),
    ),
    email=st.sampled_from([None, "ann@example.org", "not one"]),
    slack=st.sampled_from([(), ("T1:U1",), ("T2:U2", "T1:U1")]),
)


@given(overrides, requests)
def test_never_sent_although_off(own, request_):
    """Whatever is set and asked: ranks count from 1, places are tried once, and what is off is never in the plan."""
    made = plan(SHIPPED, own, request_, NOW)

    assert [rank.rank for rank in made.ranks] == list(range(1, len(made.ranks) + 1))
    assert len({rank.address_key for rank in made.ranks}) == len(made.ranks)
    assert not {rank.channel for rank in made.ranks} & {o.channel for o in own if o.enabled is False}


def broken(**changes):
    channels = {name: {"enabled": True, "rank": None, "patience": "30m"} for name in CHANNELS}
    channels["slack"] = {**channels["slack"], **changes}
    return {"channels": channels}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "the file: must be a mapping"),
        ({}, "the file.channels: missing"),
        ({"channels": {}}, "channels: must be a mapping that names at least one"),
        ({"channels": {"Fax": {}}}, "channels: Fax is no name of a channel"),
        ({"channels": {"fax": {}}}, "channels.fax.enabled: missing"),
        (broken(locked=["enabled"]), "channels.slack.because: missing: whoever finds it locked is told why"),
        (broken(locked=["color"]), "channels.slack.locked: must be a list of enabled, rank, level, patience"),
        (broken(level="read"), "channels.slack.level: must be one of accepted, delivered, seen"),
        (broken(retry=[]), "channels.slack.retry: must be a list of durations"),
        (broken(address={"url": "uri"}), "channels.slack.address: must give each field one of email, phone, url, text"),
        ({**broken(), "quiet": {"from": 22, "until": "07:00"}}, 'quiet.from: must be a time such as "22:00"'),
        ({**broken(), "fresh": "soon"}, "fresh: must be a duration such as 90s, 30m or 72h"),
        (broken(color="red"), "channels.slack: unknown field color"),
        (broken(enabled="yes"), "channels.slack.enabled: must be true or false"),
        (broken(rank=0), "channels.slack.rank: must be a whole number from 1, or null"),
        (broken(rank=True), "channels.slack.rank: must be a whole number from 1, or null"),
        (broken(patience=30), "channels.slack.patience: must be a duration such as 90s, 30m or 72h"),
        (broken(patience="0m"), "channels.slack.patience: must be a duration such as 90s, 30m or 72h"),
    ],
)
def test_wrong_defaults_name_the_field(document, message):
    """Whoever edits the defaults is told which field is wrong, and nothing is guessed."""
    with pytest.raises(Invalid) as error:
        parse_defaults(document)

    assert str(error.value) == message


@pytest.mark.parametrize(("text", "message"), [("a: [", "is not YAML"), ("a: 1", "unknown field a")])
def test_a_wrong_file_is_named(tmp_path, text, message):
    """A file that cannot be used stops the process with its name and what is wrong in it."""
    path = tmp_path / "integrations.yaml"
    path.write_text(text)

    with pytest.raises(Misconfigured, match="integrations.yaml: .*" + message):
        load_defaults(path)

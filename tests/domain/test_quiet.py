"""Quiet hours, by the clock on the person's wall."""

from datetime import UTC, datetime, time, timedelta

import pytest

from parley.domain.quiet import Quiet

NIGHT = (time(22), time(7))


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "zone", "now", "until"),
    [
        (NIGHT, "UTC", "2026-11-23T21:59", None),
        (NIGHT, "UTC", "2026-11-23T22:00", "2026-11-24T07:00"),
        (NIGHT, "UTC", "2026-11-24T06:59", "2026-11-24T07:00"),
        (NIGHT, "UTC", "2026-11-24T07:00", None),
        (NIGHT, "Asia/Kolkata", "2026-11-23T16:29", None),
        (NIGHT, "Asia/Kolkata", "2026-11-23T16:30", "2026-11-24T01:30"),
        (NIGHT, "Pacific/Kiritimati", "2026-11-23T12:00", "2026-11-23T17:00"),
        (NIGHT, "Europe/Berlin", "2026-10-24T21:00", "2026-10-25T06:00"),  # an hour longer: the clock goes back
        (NIGHT, "Europe/Berlin", "2026-03-28T22:00", "2026-03-29T05:00"),  # and one shorter
        ((time(1), time(2, 30)), "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:30"),  # 02:30 is not there
        (NIGHT, "Nowhere/Atlantis", "2026-11-23T23:00", "2026-11-24T07:00"),
        ((time(9), time(17)), "UTC", "2026-11-23T12:00", "2026-11-23T17:00"),
        ((time(0), time(0)), "UTC", "2026-11-23T12:00", None),
    ],
)
def test_until_when(hours, zone, now, until):
    """In the zone of the person, over midnight and clock changes; both ends the same: never; unknown zones are UTC."""
    assert Quiet(*hours, zone).until(at(now), None) == (at(until) if until else None)


@pytest.mark.parametrize(("minutes", "is_put_off"), [(0, False), (15, False), (16, True)])
def test_who_has_just_asked_is_told_at_night(minutes, is_put_off):
    """An answer within a quarter of an hour is never put off."""
    now = at("2026-11-23T23:10")

    assert (Quiet(*NIGHT).until(now, now - timedelta(minutes=minutes)) is not None) == is_put_off


def test_it_is_kept_with_the_delivery():
    """What is stored is what was meant."""
    quiet = Quiet(time(22, 30), time(6, 15), "Europe/Berlin", timedelta(minutes=5))

    assert Quiet.of(quiet.as_dict()) == quiet

"""
The plan against an oracle that was written apart from it, on random (defaults, overrides, request, clock).

PLAN_CASES says how many; the default is quick, `make test-plans` tries a hundred thousand and more.
"""

import os
import random
from datetime import UTC, datetime, time, timedelta

import pytest
from domain import oracle

from parley.domain.plan import Asked, Default, Defaults, Override, plan

CASES = int(os.environ.get("PLAN_CASES", "20000"))
SHARDS = 4
DAY = datetime(2026, 11, 23, tzinfo=UTC)
NAMES = ("slack", "email", "sms", "webhook", "test", "fax")
ADDRESS = {"email": {"address": "email"}, "sms": {"number": "phone"}, "webhook": {"url": "url"}}
LEVELS = ("accepted", "delivered", "seen")
FIELDS = ("enabled", "rank", "level", "patience")
ZONES = {"UTC": 0, "Asia/Kolkata": 330, "America/Phoenix": -420, "Pacific/Kiritimati": 840}


def made(chance):
    """One random case, in the oracle's own terms."""
    ranks = chance.sample(range(1, 10), len(NAMES))
    origin = chance.choice([None, "C1", "C1", "D1"])
    names = [*NAMES, "pigeon"]
    wanted = {
        "channels": chance.choices(names, k=chance.randint(1, 4)) if chance.random() < 0.5 else None,
        "mode": chance.choice([None, "first", "all", "origin"]),
        "level": chance.choice([None, None, *LEVELS]),
        "patience": chance.choice([None, None, 60, 7200]),
        "critical": chance.random() < 0.1,
    }
    return {
        "defaults": {
            name: {
                "enabled": chance.random() < 0.9,
                "rank": rank if chance.random() < 0.7 else None,
                "patience": chance.choice([300, 1800]),
                "level": chance.choice(LEVELS),
                "interrupts": chance.random() < 0.7,
                "locked": {field for field in FIELDS if chance.random() < 0.1},
            }
            for name, rank in zip(NAMES[: chance.randint(3, 6)], ranks, strict=False)
        },
        "own": {name: overridden(chance) for name in NAMES if chance.random() < 0.5},
        "wanted": {k: v for k, v in wanted.items() if v} if chance.random() < 0.6 else None,
        "origin": {"channel": "slack", "workspace": "T1", "conversation": origin, "thread": "1.1"} if origin else None,
        "email": chance.choice([None, "Ann@example.org", "Ann@example.org", "nobody"]),
        "slack": chance.choice([(), ("T1:U1",), ("T2:U2", "T1:U1"), ("T2:U2",)]),
        "suppressed": chance.choice([{}, {}, {"email:ann@example.org"}, {"sms:+491234567"}]),
        "quiet": chance.choice([None, (1320, 420), (540, 1020), (0, 0), (1, 0), (0, 1439), (480, 479)]),
        "minute": chance.randrange(1440),
        "zone": chance.choice(list(ZONES)),
        "minutes_since_acted": chance.choice([0, 15, 16, 600, 600, 600]),
    }


def overridden(chance):
    """One user's setting for a channel."""
    return {
        "enabled": chance.choice([None, True, False]),
        "rank": chance.choice([None, None, chance.randint(1, 9)]),
        "level": chance.choice([None, *LEVELS]),
        "patience": chance.choice([None, 90]),
        "config": chance.choice([
            {}, {"address": "ann@example.org"}, {"address": "x", "number": "+491234567"}, {"number": "0123"},
            {"url": "https://example.org/h"}, {"url": "gopher://x"}, {"number": "+491234567", "url": "http://[::1"},
        ]),
        "trouble": "it is gone" if chance.random() < 0.1 else None,
    }  # fmt: skip


def planned(case):
    """The same case, by the real plan."""
    defaults = Defaults({
        name: Default(
            one["enabled"], one["rank"], timedelta(seconds=one["patience"]), one["level"], interrupts=one["interrupts"],
            address=ADDRESS.get(name, {}), locked=frozenset(one["locked"]), because="so",
        )
        for name, one in case["defaults"].items()
    })  # fmt: skip
    overrides = [
        Override(
            name, one["enabled"], one["rank"], one["config"], "i1", one["level"],
            timedelta(seconds=one["patience"]) if one["patience"] else None, one["trouble"],
        )
        for name, one in case["own"].items()
    ]  # fmt: skip
    now = DAY + timedelta(minutes=case["minute"])
    wanted = case["wanted"]
    if wanted and "patience" in wanted:
        wanted = {**wanted, "patience_seconds": wanted["patience"]}
    quiet = case["quiet"] and tuple(time(*divmod(minute, 60)) for minute in case["quiet"])
    asked = Asked(
        "slack", origin=case["origin"], wanted=wanted, email=case["email"], slack=case["slack"], timezone=case["zone"],
        quiet=quiet, acted_at=now - timedelta(minutes=case["minutes_since_acted"]),
        suppressed=dict.fromkeys(case["suppressed"], "suppressed: bounce"),
    )  # fmt: skip
    return plan(defaults, overrides, asked, now), now


def said(case):
    """What the real plan says, in the oracle's terms."""
    made, now = planned(case)
    found = [
        (
            rank.channel, rank.address_key, rank.level, rank.patience.total_seconds(),
            (rank.not_before - now).total_seconds() / 60 if rank.not_before else 0,
        )
        for rank in made.ranks
    ]  # fmt: skip
    return made.mode, found


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_plan_is_what_the_rules_say(shard):
    """Who is off is never used, ranks are in order, each place once, every field, deadline and delay as it was set."""
    for number in range(shard, CASES, SHARDS):
        case = made(random.Random(number))
        case["zone_minutes"] = ZONES[case["zone"]]

        expected, got = oracle.tried(case), said(case)

        assert got == expected, f"case {number}: {case}"


def test_the_cases_are_worth_trying():
    """Many plans have several ranks, some are put off, some are empty: it is not always the same question."""
    cases = [made(random.Random(number)) for number in range(1000)]
    for case in cases:
        case["zone_minutes"] = ZONES[case["zone"]]
    found = [oracle.tried(case) for case in cases]

    assert sum(len(ranks) > 1 for _, ranks in found) > 250
    assert sum(any(rank[4] for rank in ranks) for _, ranks in found) > 20
    assert sum(not ranks for _, ranks in found) > 50
    assert {mode for mode, _ in found} == {"first", "all", "origin"}

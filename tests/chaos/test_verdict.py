"""The judge of a chaos run finds what it is there to find, and nothing else."""

from dataclasses import replace

import pytest

from chaos.verdict import Arrival, Found, Sending, Stored, Taken, Told, excess, judge, quantile

TOLD = Told(0, talk=0, first_sent=10.0, accepted_at=11.0, requests={"r0"})
STORED = Stored("r0", 0, "completed", None, 12.0)
SENDING = Sending("d0", "r0", "slack", "slack:T:C:1", "delivered", open=False, finished_at=13.0)
GOOD = Found([TOLD], [STORED], [SENDING], [Arrival("d0", 13.0)])


def second(found, **fields):
    """Add a question of the same talk, asked after the first was accepted."""
    told = Told(1, talk=0, first_sent=20.0, accepted_at=21.0, requests={"r1"})
    stored = Stored("r1", 1, "completed", None, 22.0)
    sending = replace(SENDING, id="d1", request="r1", finished_at=23.0)
    arrivals = [*found.arrivals, Arrival("d1", fields.get("at", 23.0))]
    return replace(
        found, told=[*found.told, told], stored=[*found.stored, stored], sendings=[*found.sendings, sending],
        arrivals=arrivals,
    )  # fmt: skip


def test_what_was_answered_once_and_in_order_is_good():
    """Two questions and two answers are no failure; the line counts them, and the bound is three in two."""
    verdict = judge(second(GOOD))

    assert not verdict.failed
    assert verdict.line().startswith("accepted 2 · lost 0 · answered twice 0 · effects twice 0 · out of order 0 · p99")
    assert "0 of 2, so below 150.000%" in verdict.bound()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (replace(GOOD, stored=[]), "accepted, not stored"),
        (replace(GOOD, stored=[replace(STORED, state="queued", finished_at=None)]), "queued"),
        (replace(GOOD, arrivals=[]), "nothing arrived"),
        (replace(GOOD, arrivals=[*GOOD.arrivals, Arrival("d9", 14.0)]), "arrived without a row: d9"),
    ],
)
def test_lost(broken, why):
    """Not stored, never to be ended, claimed to be delivered, or sent by a row that is gone: each is found."""
    verdict = judge(broken)

    assert verdict.failed
    assert why in "; ".join(verdict.lost)


@pytest.mark.parametrize(
    ("busy", "what"),
    [
        (replace(GOOD, stored=[replace(STORED, state="queued", finished_at=None, due=True)]), "0: queued (r0)"),
        (replace(GOOD, sendings=[replace(SENDING, state="sending", open=True)]), "0: slack sending"),
    ],
)
def test_what_is_still_worked_on_is_open_and_not_lost(busy, what):
    """The run ended too early to know; the line says so."""
    verdict = judge(busy)

    assert (verdict.lost, verdict.open) == ([], [what])
    assert " · lost 0 · open 1 · " in verdict.line()


def test_takeover_is_measured_from_the_kill_of_the_turn():
    """Of a turn that lived at the kill; what was taken over for another reason is none of it."""
    taken = [Taken(10.0, 14.0), Taken(13.0, 15.0)]

    assert judge(replace(GOOD, killed=[12.0], taken=taken)).takeovers == [2.0]


def test_what_nobody_acknowledged_is_not_lost():
    """A sender that got no 200 or 202 was promised nothing."""
    verdict = judge(replace(GOOD, told=[replace(TOLD, accepted_at=None)], stored=[], sendings=[], arrivals=[]))

    assert (verdict.accepted, verdict.failed) == (0, False)


def test_what_was_said_to_others_is_not_lost():
    """A follow-up that does not name the app is ours only when its thread was already: nobody answers it otherwise."""
    follow_up = Told(1, talk=0, first_sent=20.0, accepted_at=21.0, leans=True)

    ours = judge(replace(GOOD, told=[TOLD, follow_up]))
    others = judge(replace(GOOD, told=[replace(TOLD, accepted_at=None), follow_up]))

    assert ours.lost == ["1: accepted, not stored"]
    assert (others.accepted, others.lost) == (0, [])


def test_twice_by_one_channel_or_by_two():
    """Two messages of one delivery, and one message each of two deliveries, are two answers."""
    doubled = replace(GOOD, arrivals=[Arrival("d0", 13.0), Arrival("d0", 14.0)])
    elsewhere = replace(
        GOOD,
        sendings=[SENDING, replace(SENDING, id="d1", channel="webhook")],
        arrivals=[*GOOD.arrivals, Arrival("d1", 1.0)],
    )

    assert judge(doubled).twice == ["0: slack d0 at 13.000 and slack d0 at 14.000"]
    assert judge(elsewhere).twice == ["0: slack d0 at 13.000 and webhook d1 at 1.000"]


def test_a_second_answer_that_announces_itself():
    """After a mail that may or may not have arrived, the next channel says so: counted apart, and no failure."""
    mail = replace(SENDING, channel="email", state="unknown")
    hook = replace(SENDING, id="d1", channel="webhook", announced=True)
    found = replace(GOOD, sendings=[mail, hook], arrivals=[*GOOD.arrivals, Arrival("d1", 1.0)])

    silent = replace(found, sendings=[mail, replace(hook, announced=False)])
    again = replace(found, arrivals=[*found.arrivals, Arrival("d0", 2.0)])

    assert (judge(found).announced, judge(found).failed) == (["0: email d0 at 13.000 and webhook d1 at 1.000"], False)
    assert judge(silent).failed
    assert judge(again).failed


def test_effects_twice():
    """One question in two rows, one key with two requests, one step done twice."""
    found = replace(
        GOOD,
        told=[replace(TOLD, requests={"r0", "r1"})],
        stored=[STORED, replace(STORED, id="r1")],
        steps={("r0", "mark"): 2, ("r1", "mark"): 1},
    )

    assert len(judge(found).effects) == 3


def test_out_of_order():
    """The second answer first is found, unless the second question was asked before the first was acknowledged."""
    swapped = second(GOOD, at=12.5)
    at_once = replace(swapped, told=[replace(TOLD, accepted_at=20.5), swapped.told[1]])

    assert judge(swapped).disorder == ["1 before 0 at slack:T:C:1"]
    assert not judge(at_once).disorder


def test_recovery_is_measured_from_the_kill():
    """A question that was open during a kill is measured from it, one that was asked within it from its asking."""
    assert judge(replace(GOOD, harms=[(10.5, 11.0)])).recoveries == [2.5]
    assert judge(replace(GOOD, harms=[(8.0, 11.0)])).recoveries == [3.0]
    assert judge(replace(GOOD, harms=[(13.5, 14.0)])).recoveries == []


def test_quantiles():
    """The 99th of a hundred, and nothing of nothing."""
    assert quantile(range(1, 101), 0.99) == 99
    assert quantile([], 0.99) == 0


def test_a_table_without_a_bound_has_grown():
    """A new table must be thought of."""
    assert excess({"a": 2, "b": 1, "c": 0}, {"a": 1, "b": 1}) == {"a": 2, "c": 0}

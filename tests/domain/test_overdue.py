"""What happens to a row whose time has passed: which nudge, named how, and when it is looked at again."""

import math
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley import envelope
from parley.domain.events import RequestCreated, ResponseReady
from parley.domain.overdue import Pace, overdue

REQUEST, DELIVERY, SESSION = UUID(int=1), UUID(int=2), UUID(int=3)
PACE = Pace(first=30, longest=900)

chances = st.floats(0, 1, exclude_max=True)
counts = st.integers(0, 10**9)
paces = st.builds(Pace, first=st.floats(0.1, 100), longest=st.floats(100, 10_000))


def request(**fields):
    """A row of `requests`, as the sweep reads it."""
    base = {"kind": "request", "id": REQUEST, "request_id": REQUEST, "session_id": SESSION, "channel": None}
    return {**base, "epoch": 0, "nudges": 0, "traceparent": None, "past_deadline": False, "called": False, **fields}


def delivery(**fields):
    """A row of `deliveries`, as the sweep reads it."""
    base = {"kind": "delivery", "id": DELIVERY, "request_id": REQUEST, "session_id": SESSION, "channel": "email"}
    base |= {"about": "answer", "past_deadline": False, "called": False}
    return {**base, "epoch": 0, "nudges": 0, "traceparent": None, **fields}


rows = st.builds(
    lambda make, **fields: make(**fields),
    st.sampled_from([request, delivery]),
    epoch=st.integers(0, 10**6),
    nudges=counts,
    id=st.uuids(),
)


def event_id(action):
    """The id of the event that is published."""
    return envelope.outgoing(action.emit, "recover").id


@pytest.mark.parametrize("state", ["queued", "running", "requires_action"])
@pytest.mark.parametrize("past_deadline", [False, True])
def test_an_open_request_is_nudged_whatever_is_the_matter(state, past_deadline):
    """A lost event, a lease that ended and a deadline that passed are told apart by who takes the turn."""
    action = overdue(request(state=state, past_deadline=past_deadline), PACE, 0.0)

    assert action.emit.contract == RequestCreated(request_id=REQUEST, session_id=SESSION)
    assert action.pause == 15.0


@pytest.mark.parametrize("channel", ["slack", "email", "sms", "webhook", "test"])
@pytest.mark.parametrize("about", ["answer", "failure"])
@pytest.mark.parametrize("state", ["queued", "sending", "parked"])
def test_an_open_delivery_is_nudged_on_its_channel(channel, about, state):
    """The event names the delivery and says what it is, so that its own function gets it."""
    action = overdue(delivery(channel=channel, about=about, state=state), PACE, 0.0)

    assert action.emit.contract == ResponseReady(
        request_id=REQUEST, delivery_id=DELIVERY, session_id=SESSION, channel=channel, kind=about
    )


@pytest.mark.parametrize("make", [request, delivery])
def test_a_nudge_keeps_the_trace(make):
    """Whoever reads the logs finds the nudge with its question."""
    trace = f"00-{'a' * 32}-{'b' * 16}-01"

    assert overdue(make(traceparent=trace), PACE, 0.0).emit.traceparent == trace


def test_pauses_double_up_to_the_longest():
    """30 s, 1, 2, 4, 8 minutes, and from then on a quarter of an hour: here without the spread."""
    pauses = [overdue(request(nudges=count), PACE, 0.0).pause * 2 for count in range(8)]

    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 15.0), (0.5, 22.5), (0.75, 26.25)])
def test_chance_spreads_over_the_upper_half(chance, pause):
    """Rows that became overdue together are not looked at together again."""
    assert overdue(request(), PACE, chance).pause == pause


def test_defaults_are_half_a_minute_and_a_quarter_of_an_hour():
    """What the design says, unless a setting says otherwise."""
    assert Pace() == Pace(first=30.0, longest=900.0)


@given(row=rows, pace=paces, chance=chances)
def test_a_pause_is_always_within_the_pace(row, pace, chance):
    """Never at once again, never later than the longest, however often it was nudged."""
    pause = overdue(row, pace, chance).pause

    assert pace.first / 2 <= pause <= pace.longest


@given(row=rows, pace=paces, chance=chances)
def test_a_later_nudge_never_comes_sooner(row, pace, chance):
    """With the same chance, one more nudge means at least the same pause."""
    following = {**row, "nudges": row["nudges"] + 1}

    assert overdue(row, pace, chance).pause <= overdue(following, pace, chance).pause


@given(row=rows, one=chances, other=chances)
def test_the_same_nudge_has_one_id(row, one, other):
    """Two sweeps that publish the same nudge publish one event twice; chance has no part in it."""
    assert event_id(overdue(row, PACE, one)) == event_id(overdue(dict(row), Pace(1, 2), other))


@given(row=rows)
def test_each_nudge_is_an_event_of_its_own(row):
    """The next nudge, and the first of another epoch, are not taken for doubles."""
    others = [{**row, "nudges": row["nudges"] + 1}, {**row, "epoch": row["epoch"] + 1}]

    ids = {event_id(overdue(one, PACE, 0.0)) for one in (row, *others)}

    assert len(ids) == 3


@pytest.mark.parametrize("make", [request, delivery])
@pytest.mark.parametrize(("past", "called", "ends"), [(0, 0, False), (0, 1, False), (1, 0, False), (1, 1, True)])
def test_it_is_ended_when_its_last_call_was_not_heard(make, past, called, ends):
    """Past its deadline it is nudged once more, so that its own function ends it; only then is it ended for it."""
    action = overdue(make(past_deadline=bool(past), called=bool(called), nudges=3), PACE, 0.0)

    assert action.ends == ends
    assert action.pause == (15 if past else 120)


@given(
    first=st.floats(1, 100), deadline=st.floats(1, 900), chance=chances, late=st.lists(st.floats(0, 60), min_size=99)
)
def test_nudges_end_and_are_few(first, deadline, chance, late):
    """A row that nobody hears is nudged 2 + log2(1 + D/p) times at most, then ended; however late the sweeps come."""
    pace, now, due, nudges = Pace(first, 900), 0.0, 0.0, 0
    for pause in late:
        now = max(now, due) + pause + 0.001
        row = request(nudges=nudges, past_deadline=now > deadline, called=nudges > 0 and due > deadline)
        action = overdue(row, pace, chance)
        if action.ends:
            break
        nudges += 1
        due = now + action.pause
        if now < deadline:
            due = min(due, deadline)

    assert action.ends
    assert nudges <= 2 + math.log2(1 + deadline / (first / 2))

"""The courier's own rules, with a store and a channel that are scripted."""

from uuid import UUID

import pytest

from parley.channels.outcome import Delivered, Retry, Sent, Unsure
from parley.delivery import Courier
from parley.domain.delivery import Claimed, Due, LeaseLost
from parley.errors import Rejected, Unavailable

DUE = Due(UUID(int=1), "email", UUID(int=2), UUID(int=3))


class Store:
    """Gives one claim, keeps what is recorded."""

    lease = 60.0

    def __init__(self, claimed):
        self.claimed = claimed
        self.recorded = []
        self.is_lost = False

    def claim(self, *_):
        return self.claimed

    def record(self, _, outcome, **__):
        if self.is_lost:
            raise LeaseLost
        self.recorded.append(outcome)

    def give_up_unsure(self, _, outcome):
        self.recorded.append(("gave up", outcome))
        return DUE

    def ready(self):
        return None

    def close(self):
        return None


class Channel:
    """Sends and finds as told; counts."""

    def __init__(self, outcome=None, found=None):
        self.outcome, self.found, self.timeouts = outcome or Delivered(), found, []

    def send(self, _, timeout):
        self.timeouts.append(timeout)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return Sent(self.outcome)

    def find(self, *_):
        return self.found


@pytest.fixture
def run(job):
    """Deliver once: gives the reply, what was recorded, and the channel."""

    def make(channel, *, claimed=None, clock=lambda: 0.0, can_ask=True, is_lost=False, **fields):
        store = Store(claimed or Claimed("take", job(**fields)))
        store.is_lost = is_lost
        courier = Courier("email", store, channel, can_ask=can_ask, clock=clock)
        return courier(DUE.emit("test", None).contract), store.recorded

    return make


def test_a_send_ends_within_the_lease(run):
    """The channel gets half of what is left of the lease."""
    channel = Channel()

    run(channel, clock=iter([0.0, 10.0]).__next__)

    assert channel.timeouts == [25.0]


def test_nothing_is_sent_late(run):
    """With half of the lease gone, the send is left to the next attempt."""
    channel = Channel()

    with pytest.raises(Unavailable):
        run(channel, clock=iter([0.0, 30.0]).__next__)

    assert channel.timeouts == []


def test_the_first_import_does_not_make_a_send_late(run):
    """What loading takes is taken from the lease before it is decided whether enough is left, not after."""
    now = [0.0]

    class Slow(Channel):
        def load(self):
            now[0] = 31.0

    channel = Slow()

    with pytest.raises(Unavailable, match="too little"):
        run(channel, clock=lambda: now[0])

    assert channel.timeouts == []


def test_what_arrived_is_not_sent(run):
    """An ambiguous job whose earlier message is found is recorded as delivered."""
    channel = Channel(found=Sent(Delivered("ts")))

    reply, recorded = run(channel, ambiguous=True)

    assert (reply, recorded, channel.timeouts) == (None, [Delivered("ts")], [])


def test_a_final_doubt_is_given_up(run):
    """Where no look can tell, the next rank is due."""
    reply, recorded = run(Channel(found=Sent(Unsure("no", final=True))), ambiguous=True)

    assert reply.contract.delivery_id == DUE.delivery_id
    assert recorded[0][0] == "gave up"


def test_who_lost_the_lease_is_silent(run):
    """Whoever took over answers for it."""
    assert run(Channel(), is_lost=True) == (None, [])


def test_a_bug_while_sending_leaves_a_doubt(run):
    """An exception that nobody foresaw may have come after the send."""
    reply, recorded = run(Channel(ValueError("bug")), can_ask=False)

    assert isinstance(recorded[0][1], Unsure)
    assert reply


def test_retry_is_the_brokers(run):
    """Recorded first, then 503."""
    with pytest.raises(Unavailable, match="down"):
        run(Channel(Retry("down")))


def test_only_its_own_channel(job):
    """An event for another channel is rejected before anything is touched."""
    courier = Courier("slack", Store(Claimed("over")), Channel(), can_ask=True)

    with pytest.raises(Rejected):
        courier(DUE.emit("test", None).contract)


def test_attempts_are_measured_by_what_came_of_them_and_linked_to_the_one_before(run, told):
    """A retry is a part of the answer's trace, and says which attempt it follows."""
    before = f"00-{'a' * 32}-{'b' * 16}-01"

    with pytest.raises(Unavailable):
        run(Channel(Unsure("?")), taken_in=before)

    [point] = told.points("parley.delivery.duration")
    sent = told.spans()["send email"]
    assert point.attributes == {"parley.channel": "email", "parley.outcome": "unsure"}
    assert [f"{link.context.span_id:016x}" for link in sent.links] == ["b" * 16]
    assert sent.attributes["error.type"] == "unsure"

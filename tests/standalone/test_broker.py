"""What becomes of an event: replies, retries, order, time-outs, dead letters, the spool."""

import base64
import logging
import threading

import pytest

from parley.errors import Misconfigured, Rejected, Unavailable
from standalone.broker import Broker
from standalone.rules import MAX_BYTES
from standalone.spool import MemorySpool
from standalone.triggers import Wiring

PATIENCE = 20


def test_event_reaches_each_matching_subscriber_as_it_was_accepted(bench, trigger, event):
    """
    Two triggers take the type, one does not; attributes, extensions and bytes arrive unchanged.
    """
    broker = bench.start(trigger("one"), trigger("two"), trigger("other", "u"))
    given = event(body=b'{"b" : 1.0, "a":2}', partitionkey="käse %", tenant="x")

    broker.accept(given)

    assert broker.wait_idle(PATIENCE)
    assert bench.scripts["one"].seen == [given]
    assert bench.scripts["two"].seen == [given]
    assert bench.scripts["other"].seen == []


def test_request_says_that_a_reply_is_welcome_and_where_it_comes_from(bench, trigger, event):
    """
    Binary mode with `Prefer: reply`, `Kn-Namespace`, and the trace as a header when the event carries one.
    """
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    broker = bench.start(trigger())

    broker.accept(event(traceparent=trace))
    assert broker.wait_idle(PATIENCE)
    broker.accept(event())
    assert broker.wait_idle(PATIENCE)

    traced, plain = bench.scripts["greet"].headers
    assert (traced["prefer"], traced["kn-namespace"], traced["ce-specversion"]) == ("reply", "n", "1.0")
    assert traced["traceparent"] == traced["ce-traceparent"] == trace
    assert "traceparent" not in plain


@pytest.mark.parametrize("status", [200, 202])
def test_reply_goes_back_into_the_broker(bench, trigger, event, status):
    """
    A reply is an event like any other, whatever 2xx it came with.
    """
    reply = event("u")
    broker = bench.start(trigger("one", "t"), trigger("two", "u"))
    headers = {"ce-id": reply.id, "ce-source": "/test", "ce-type": "u", "ce-specversion": "1.0"}
    bench.scripts["one"].answers = [(status, {**headers, "content-type": "application/json"}, reply.body)]

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert bench.scripts["two"].seen == [reply]
    assert broker.stats()["replies"] == 1


@pytest.mark.parametrize("status", [404, 408, 409, 429, 500, 502, 503])
def test_retryable_status_is_tried_again(bench, trigger, event, status):
    """
    retry 3: three failures, then success at the fourth attempt, and no dead letter.
    """
    broker = bench.start(trigger(retry=3))
    bench.scripts["greet"].answers = [status, status, status, 202]

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert len(bench.scripts["greet"].seen) == 4
    assert bench.scripts["dead"].seen == []
    assert broker.stats()["retries"] == 3


def test_attempts_are_one_more_than_retries_then_the_event_is_dead(bench, trigger, event):
    """
    retry 3: four failures lead to the dead-letter sink, with the last answer's code, data and `kne-` headers.
    """
    given = event(channel="sms")
    broker = bench.start(trigger(retry=3))
    bench.scripts["greet"].answers = [(503, {"Kne-Reason": "down"}, b"later")]

    broker.accept(given)

    assert broker.wait_idle(PATIENCE)
    assert len(bench.scripts["greet"].seen) == 4
    [letter] = bench.scripts["dead"].seen
    assert (letter.id, letter.source, letter.type, letter.body) == (given.id, given.source, given.type, given.body)
    assert letter.extensions == {
        "channel": "sms",
        "knativeerrordest": "http://greet.n.svc.cluster.local",
        "knativeerrorcode": "503",
        "knativeerrordata": base64.b64encode(b"later").decode(),
        "reason": "down",
    }
    assert broker.stats()["dead_lettered"] == 1


def test_no_retry_means_one_attempt(bench, trigger, event):
    """
    retry 0: the first failure is the last.
    """
    broker = bench.start(trigger(retry=0))
    bench.scripts["greet"].answers = [503]

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert len(bench.scripts["greet"].seen) == 1
    assert len(bench.scripts["dead"].seen) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 413, 422])
def test_final_status_is_dead_at_once(bench, trigger, event, status):
    """
    A status that says "never" is not tried again.
    """
    broker = bench.start(trigger(retry=3))
    bench.scripts["greet"].answers = [status]

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert len(bench.scripts["greet"].seen) == 1
    assert bench.scripts["dead"].seen[0].extensions["knativeerrorcode"] == str(status)


def test_body_that_is_no_event_is_a_failure_that_is_not_tried_again(bench, trigger, event):
    """
    200 with any other body: straight to the dead letter, which tells the destination only.
    """
    broker = bench.start(trigger(retry=3))
    bench.scripts["greet"].answers = [(200, {"content-type": "text/html"}, b"OK")]

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert len(bench.scripts["greet"].seen) == 1
    assert bench.scripts["dead"].seen[0].extensions == {"knativeerrordest": "http://greet.n.svc.cluster.local"}


@pytest.mark.parametrize("trouble", [ConnectionRefusedError(), TimeoutError(), OSError("no route"), ValueError("bug")])
def test_unreachable_subscriber_is_tried_again_then_dead_without_a_code(bench, trigger, event, trouble):
    """
    Nobody answers: the same retries, and a dead letter with the destination only.
    """
    broker = bench.start(trigger(retry=2))
    bench.scripts["greet"].answers = [trouble]

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert len(bench.scripts["greet"].seen) == 3
    assert bench.scripts["dead"].seen[0].extensions == {"knativeerrordest": "http://greet.n.svc.cluster.local"}


def test_dead_letter_is_tried_again_like_any_event(bench, trigger, event):
    """
    The dead-letter sink gets the same retries, all of them, after the subscriber has used up its own.
    """
    broker = bench.start(trigger(retry=2))
    bench.scripts["greet"].answers = [503]
    bench.scripts["dead"].answers = [503, 503, 202]

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert len(bench.scripts["dead"].seen) == 3
    assert broker.stats()["dropped"] == 0


def test_dead_letter_that_fails_is_dropped_counted_and_logged_without_its_data(bench, trigger, event, caplog):
    """
    The last resort is a line in the log that names the event, never what it says.
    """
    broker = bench.start(trigger(retry=1))
    bench.scripts["greet"].answers = [422]
    bench.scripts["dead"].answers = [503]

    with caplog.at_level(logging.ERROR):
        broker.accept(event(id="lost-one", body=b'{"secret":"swordfish"}'))
        assert broker.wait_idle(PATIENCE)

    assert broker.stats()["dropped"] == 1
    [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert record.fields["event_id"] == "lost-one"
    assert record.fields["event_type"] == "t"
    assert "swordfish" not in str(record.__dict__)


def test_reply_of_a_dead_letter_sink_is_fed_back(bench, trigger, event):
    """
    What the sink answers is an event for the broker, as with Kafka.
    """
    reply = event("u")
    broker = bench.start(trigger("greet"), trigger("two", "u"))
    bench.scripts["greet"].answers = [422]
    bench.scripts["dead"].answers = [reply]

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert bench.scripts["two"].seen == [reply]


def test_reply_that_cannot_be_accepted_sends_the_original_to_the_dead_letters(bench, trigger, event):
    """
    The spool is down when the reply comes: the subscriber is not asked again, the original event is dead.
    """

    class Broken(MemorySpool):
        def add(self, _):
            raise Unavailable("down")

    given = event()
    broker = bench.start(trigger("one", "t"), trigger("two", "u"), spool=Broken(), spooled_types=frozenset({"u"}))
    bench.scripts["one"].answers = [event("u")]

    broker.accept(given)

    assert broker.wait_idle(PATIENCE)
    assert bench.scripts["one"].seen == [given]
    assert bench.scripts["two"].seen == []
    assert [one.id for one in bench.scripts["dead"].seen] == [given.id]


def test_reply_larger_than_kafka_takes_sends_the_original_to_the_dead_letters(bench, trigger, event):
    """
    A reply above 1 MiB could not be produced, so it is lost and the original is dead.
    """
    given = event()
    broker = bench.start(trigger("one", "t"), trigger("two", "u"))
    bench.scripts["one"].answers = [event("u", body=b"1" * (MAX_BYTES + 1))]

    broker.accept(given)

    assert broker.wait_idle(PATIENCE)
    assert bench.scripts["two"].seen == []
    assert [one.id for one in bench.scripts["dead"].seen] == [given.id]


def test_each_trigger_fails_alone(bench, trigger, event):
    """
    One subscriber's failure costs the other ones nothing.
    """
    broker = bench.start(trigger("good"), trigger("bad", retry=1))
    bench.scripts["bad"].answers = [500]

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert len(bench.scripts["good"].seen) == 1
    assert len(bench.scripts["bad"].seen) == 2
    assert broker.stats()["delivered"] == 1


def test_event_that_no_trigger_takes_is_counted_and_logged_once(bench, trigger, event, caplog):
    """
    Accepted, shown, and said once for each type.
    """
    broker = bench.start(trigger())

    with caplog.at_level(logging.WARNING):
        for kind in ("u", "u", "v"):
            broker.accept(event(kind))

    assert broker.idle()
    assert broker.stats()["unmatched"] == {"u": 2, "v": 1}
    assert [one.fields["event_type"] for one in caplog.records] == ["u", "v"]


def test_types_that_nobody_takes_do_not_fill_the_memory(bench, trigger, event):
    """
    After a hundred unknown types the rest is counted together.
    """
    broker = bench.start(trigger())

    for number in range(150):
        broker.accept(event(f"u{number}"))

    unmatched = broker.stats()["unmatched"]
    assert len(unmatched) == 101
    assert unmatched["(other)"] == 50


class Gate:
    """Holds calls until the test opens it."""

    def __init__(self):
        self.opened = threading.Event()

    def __call__(self, _):
        assert self.opened.wait(PATIENCE)
        return 202


class Clock:
    """A clock that stands still until the test moves it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def move(self, seconds, broker):
        """Let time pass, and wait until the broker's timer has done what was due."""
        self.now += seconds
        looked = threading.Event()
        broker._timer.at(self.now, looked.set)
        assert looked.wait(PATIENCE)


def test_timed_out_attempt_is_tried_again_beside_the_running_one(bench, trigger, event):
    """
    The retry starts while the first call still runs, and the late answer, an event, is ignored.
    """
    reply, gate, clock = event("u"), Gate(), Clock()
    slow = trigger("slow", timeout=60.0, delay=1.0, policy="linear")
    broker = bench.start(slow, trigger("two", "u"), clock=clock, scale=1.0)
    bench.scripts["slow"].answers = [lambda given: (gate(given), reply)[1], 202]

    broker.accept(event())
    bench.scripts["slow"].wait(1)
    clock.move(60, broker)
    clock.move(1, broker)
    assert broker.wait_idle(PATIENCE)
    assert broker.stats()["abandoned"] == 1
    gate.opened.set()
    bench.scripts["slow"].wait(2)
    wait_until(broker, lambda: broker.stats()["abandoned"] == 0)

    assert len(bench.scripts["slow"].seen) == 2
    assert bench.scripts["two"].seen == []
    assert {name: broker.stats()[name] for name in ("timeouts", "delivered", "replies")} == {
        "timeouts": 1,
        "delivered": 1,
        "replies": 0,
    }


def test_late_answer_is_not_taken_for_that_of_the_attempt_in_flight(bench, trigger, event):
    """
    The first call answers while the second one still runs: only the second one counts.
    """
    first, second, reply, clock = Gate(), Gate(), event("u"), Clock()
    slow = trigger("slow", timeout=60.0, delay=1.0, policy="linear")
    broker = bench.start(slow, trigger("two", "u"), clock=clock, scale=1.0)
    bench.scripts["slow"].answers = [lambda given: (first(given), 422)[1], lambda given: (second(given), reply)[1]]

    broker.accept(event())
    bench.scripts["slow"].wait(1)
    clock.move(60, broker)
    clock.move(1, broker)
    bench.scripts["slow"].wait(2)
    first.opened.set()
    wait_until(broker, lambda: broker.stats()["abandoned"] == 0)
    in_flight = broker.stats()["queues"]["slow"]["in_flight"]
    second.opened.set()

    assert in_flight == 1
    assert broker.wait_idle(PATIENCE)
    assert bench.scripts["two"].seen == [reply]
    assert bench.scripts["dead"].seen == []


def test_subscriber_is_told_how_long_it_has(bench, trigger, event):
    """
    The time-out of the Trigger, scaled: a subscriber that can end its call in time does so.
    """
    broker = bench.start(trigger(timeout=60.0), scale=0.5)

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert bench.scripts["greet"].timeouts == [30.0]


def test_event_whose_every_attempt_times_out_is_dead(bench, trigger, event):
    """
    A subscriber that never answers costs retry + 1 attempts and gives a dead letter without a code.
    """
    gate = Gate()
    broker = bench.start(trigger("slow", timeout=1.0, retry=1))
    bench.scripts["slow"].answers = [gate]

    broker.accept(event())
    [letter] = bench.scripts["dead"].wait(1)
    gate.opened.set()

    assert len(bench.scripts["slow"].seen) == 2
    assert letter.extensions == {"knativeerrordest": "http://slow.n.svc.cluster.local"}


def test_calls_that_hang_do_not_take_the_places_of_others(bench, trigger, event):
    """
    After its time-out a call is no longer counted: two hang, and the third event still arrives with two places.
    """
    gate, clock = Gate(), Clock()
    broker = bench.start(trigger("slow", timeout=60.0, retry=0), concurrency=2, clock=clock, scale=1.0)
    bench.scripts["slow"].answers = [gate, gate, 202]

    for _ in range(3):
        broker.accept(event())
    bench.scripts["slow"].wait(2)
    clock.move(60, broker)
    assert broker.wait_idle(PATIENCE)
    stats = broker.stats()
    gate.opened.set()

    assert stats["delivered"] == 1
    assert len(bench.scripts["dead"].seen) == 2


def test_no_more_than_concurrency_are_in_flight(bench, trigger, event):
    """
    The other events wait, and are shown as waiting.
    """
    gate = Gate()
    broker = bench.start(trigger(), concurrency=3)
    bench.scripts["greet"].answers = [gate]

    for _ in range(10):
        broker.accept(event())
    bench.scripts["greet"].wait(3)
    depth = broker.stats()["queues"]["greet"]
    gate.opened.set()

    assert depth == {"waiting": 7, "in_flight": 3, "paused": 0}
    assert broker.wait_idle(PATIENCE)
    assert len(bench.scripts["greet"].seen) == 10


def test_ordered_events_of_one_key_keep_their_order_through_retries(bench, trigger, event):
    """
    The head of a partition blocks what is behind it, also while it waits for its retry.
    """
    broker = bench.start(trigger(ordered=True))
    failed = set()
    bench.scripts["greet"].answers = [lambda e: 202 if e.id in failed else (failed.add(e.id), 503)[1]]
    given = [event(partitionkey="k") for _ in range(5)]

    for one in given:
        broker.accept(one)

    assert broker.wait_idle(PATIENCE)
    assert bench.scripts["greet"].ids() == [one.id for one in given for _ in range(2)]


def test_ordered_event_that_dies_lets_the_next_one_go_after_its_letter(bench, trigger, event):
    """
    The partition is held until the dead letter is delivered.
    """
    order = []
    broker = bench.start(trigger(ordered=True))
    bench.scripts["greet"].answers = [lambda e: (order.append(f"greet {e.id}"), 422 if e.id == "a" else 202)[1]]
    bench.scripts["dead"].answers = [
        lambda e: (order.append(f"dead {e.id}"), 503)[1],
        lambda e: (order.append(f"dead {e.id}"), 202)[1],
    ]

    broker.accept(event(id="a", partitionkey="k"))
    broker.accept(event(id="b", partitionkey="k"))

    assert broker.wait_idle(PATIENCE)
    assert order == ["greet a", "dead a", "dead a", "greet b"]


def test_ordered_partitions_do_not_wait_for_each_other(bench, trigger, event):
    """
    One key's event hangs; an event of another partition, and events without a key, go on.
    """
    gate = Gate()
    broker = bench.start(trigger(ordered=True))
    bench.scripts["greet"].answers = [lambda e: gate(e) if e.id in {"a", "b"} else 202]

    for one in (event(id="a", partitionkey="k1"), event(id="b", partitionkey="k1"), event(id="c", partitionkey="k2")):
        broker.accept(one)
    seen = bench.scripts["greet"].wait(2)
    gate.opened.set()

    assert {one.id for one in seen} == {"a", "c"}
    assert broker.wait_idle(PATIENCE)


def test_ordered_events_without_a_key_go_round(bench, trigger, event):
    """
    Eleven events without a key: ten partitions hold one in flight each, the eleventh waits.
    """
    gate = Gate()
    broker = bench.start(trigger(ordered=True), concurrency=20)
    bench.scripts["greet"].answers = [gate]

    for _ in range(11):
        broker.accept(event())
    bench.scripts["greet"].wait(10)
    depth = broker.stats()["queues"]["greet"]
    gate.opened.set()

    assert depth == {"waiting": 1, "in_flight": 10, "paused": 0}
    assert broker.wait_idle(PATIENCE)


def test_unordered_events_overtake_one_that_waits_for_its_retry(bench, trigger, event):
    """
    A pause holds nothing but its own event: even one place is enough for the others.
    """
    broker = bench.start(trigger(delay=20.0, retry=1), concurrency=1)
    bench.scripts["greet"].answers = [503, 202]

    broker.accept(event(id="a"))
    bench.scripts["greet"].wait(1)
    broker.accept(event(id="b"))
    bench.scripts["greet"].wait(2)
    paused = broker.stats()["queues"]["greet"]["paused"]

    assert paused == 1
    assert broker.wait_idle(PATIENCE)
    assert bench.scripts["greet"].ids() == ["a", "b", "a"]


@pytest.mark.parametrize(("policy", "pauses"), [("exponential", [4.0, 8.0, 16.0]), ("linear", [2.0, 4.0, 6.0])])
def test_pauses_follow_the_policy(bench, trigger, event, policy, pauses):
    """
    Each retry comes when its pause is over by the clock, and not before.
    """
    clock = Clock()
    broker = bench.start(trigger(delay=2.0, policy=policy), clock=clock, scale=1.0)
    bench.scripts["greet"].answers = [503]
    broker.accept(event())
    bench.scripts["greet"].wait(1)

    for number, wait in enumerate(pauses, start=2):
        wait_until(broker, lambda: broker.stats()["queues"]["greet"]["paused"] == 1)
        clock.move(wait - 0.01, broker)
        early = len(bench.scripts["greet"].seen)
        clock.move(0.01, broker)
        bench.scripts["greet"].wait(number)
        assert early == number - 1


def test_spooled_event_is_kept_until_every_trigger_has_acknowledged_it(bench, trigger, event):
    """
    Spooled before it is queued, and forgotten only after the last of its triggers is done.
    """
    gate = Gate()
    given = event()
    broker = bench.start(trigger("one"), trigger("two"), spooled_types=frozenset({"t"}))
    bench.scripts["two"].answers = [gate]

    broker.accept(given)
    bench.scripts["one"].wait(1)
    wait_until(broker, lambda: broker.stats()["delivered"] == 1)
    kept = bench.spool.pending()
    gate.opened.set()

    assert kept == [given]
    assert broker.wait_idle(PATIENCE)
    assert bench.spool.pending() == []


def test_spooled_event_that_is_dead_lettered_is_settled(bench, trigger, event):
    """
    The dead-letter sink has it: the spool needs it no more.
    """
    broker = bench.start(trigger(), spooled_types=frozenset({"t"}))
    bench.scripts["greet"].answers = [422]

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert bench.spool.pending() == []


def test_spooled_event_that_nobody_took_stays_for_the_next_start(bench, trigger, event):
    """
    A promise is not dropped: neither acknowledged nor dead-lettered, it comes again at the next start.
    """
    given = event()
    broker = bench.start(trigger(retry=0), spooled_types=frozenset({"t"}))
    bench.scripts["greet"].answers = [422]
    bench.scripts["dead"].answers = [422]
    broker.accept(given)
    assert broker.wait_idle(PATIENCE)
    broker.stop(0)

    bench.scripts["greet"].answers = [202]
    again = bench.start(trigger(retry=0), spooled_types=frozenset({"t"}))

    assert again.wait_idle(PATIENCE)
    assert bench.scripts["greet"].seen == [given, given]
    assert again.stats()["reloaded"] == 1
    assert bench.spool.pending() == []


def test_other_types_are_not_spooled(bench, trigger, event):
    """
    Only what the broker alone remembers costs a write.
    """
    gate = Gate()
    broker = bench.start(trigger(), trigger("message", "parley.message.received"))
    bench.scripts["greet"].answers = [gate]
    bench.scripts["message"].answers = [gate]

    broker.accept(event())
    broker.accept(event("parley.message.received"))
    kept = [one.type for one in bench.spool.pending()]
    gate.opened.set()

    assert kept == ["parley.message.received"]


def test_event_that_cannot_be_spooled_is_not_accepted(bench, trigger, event):
    """
    No promise without the write: the sender hears Unavailable, and nobody gets the event.
    """

    class Broken(MemorySpool):
        def add(self, _):
            raise Unavailable("down")

    broker = bench.start(trigger(), spool=Broken(), spooled_types=frozenset({"t"}))

    with pytest.raises(Unavailable):
        broker.accept(event())

    assert broker.idle()
    assert bench.scripts["greet"].seen == []


def test_spool_that_cannot_forget_does_not_hold_the_broker_up(bench, trigger, event):
    """
    The event stays in the spool and comes once more at the next start, which is allowed.
    """

    class Clinging(MemorySpool):
        def remove(self, _):
            raise Unavailable("down")

    broker = bench.start(trigger(), spool=Clinging(), spooled_types=frozenset({"t"}))

    broker.accept(event())

    assert broker.wait_idle(PATIENCE)
    assert broker.stats()["delivered"] == 1


def test_spool_that_was_away_forgets_later(bench, trigger, event):
    """
    An outage of the spool at the wrong moment leaves nothing behind in it: the table does not grow.
    """

    forgotten = threading.Event()

    class Away(MemorySpool):
        refusals = 2

        def remove(self, given):
            if self.refusals:
                self.refusals -= 1
                raise Unavailable("down")
            super().remove(given)
            forgotten.set()

    spool = Away()
    broker = bench.start(trigger(), spool=spool, spooled_types=frozenset({"t"}))

    broker.accept(event())

    assert forgotten.wait(PATIENCE)
    assert spool.pending() == []


def test_stop_lets_what_is_in_flight_and_its_replies_finish(bench, trigger, event):
    """
    A drain ends when nothing moves any more; the reply of the last call is delivered as well.
    """
    gate = Gate()
    reply = event("u")
    broker = bench.start(trigger("one"), trigger("two", "u"))
    bench.scripts["one"].answers = [lambda given: (gate(given), reply)[1]]
    broker.accept(event())
    bench.scripts["one"].wait(1)

    stopping = threading.Thread(target=broker.stop, args=(PATIENCE,))
    stopping.start()
    gate.opened.set()
    stopping.join(PATIENCE)

    assert bench.scripts["two"].seen == [reply]
    with pytest.raises(Unavailable):
        broker.accept(event())


def test_stop_waits_for_no_pause(bench, trigger, event):
    """
    An event that waits an hour for its retry does not hold up the end; the spool has it if it was promised.
    """
    given = event()
    broker = bench.start(trigger(delay=360000.0), spooled_types=frozenset({"t"}))
    bench.scripts["greet"].answers = [503]
    broker.accept(given)
    wait_until(broker, lambda: broker.stats()["queues"]["greet"]["paused"] == 1)

    broker.stop(3600)

    assert bench.spool.pending() == [given]


def test_broker_that_does_not_run_accepts_nothing(trigger, event):
    """
    Before its start there is no promise to give.
    """
    subscribers = {"greet": None, "dead": None}
    broker = Broker(Wiring("n", "b", (trigger(),)), subscribers, MemorySpool())

    with pytest.raises(Unavailable):
        broker.accept(event())


def test_event_that_is_too_large_is_refused(bench, trigger, event):
    """
    Kafka takes no more than 1 MiB.
    """
    broker = bench.start(trigger())

    with pytest.raises(Rejected):
        broker.accept(event(body=b"1" * (MAX_BYTES + 1)))


def test_missing_subscriber_ends_the_start(trigger):
    """
    A broker is not made for a function that is not there.
    """
    with pytest.raises(Misconfigured, match="Trigger greet: there is no function dead"):
        Broker(Wiring("n", "b", (trigger(),)), {"greet": None}, MemorySpool())


def test_many_events_from_many_senders_arrive_once_each(bench, trigger, event):
    """
    Under load nothing is lost and, without failures, nothing comes twice; ordered keys stay in order.
    """
    given = [[event(partitionkey=str(sender)) for _ in range(200)] for sender in range(8)]
    broker = bench.start(trigger("one"), trigger("two", ordered=True))

    senders = [threading.Thread(target=lambda mine=mine: [broker.accept(one) for one in mine]) for mine in given]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert broker.wait_idle(PATIENCE)
    everything = sorted(one.id for mine in given for one in mine)
    assert sorted(bench.scripts["one"].ids()) == everything
    assert sorted(bench.scripts["two"].ids()) == everything
    for mine in given:
        key = mine[0].extensions["partitionkey"]
        came = [one.id for one in bench.scripts["two"].seen if one.extensions["partitionkey"] == key]
        assert came == [one.id for one in mine]


def wait_until(broker, condition):
    """Wait until a condition holds on the broker, which says when something has changed."""
    with broker._changed:
        assert broker._changed.wait_for(condition, PATIENCE), "waited in vain"

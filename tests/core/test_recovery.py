"""recover on a real PostgreSQL: dead letters are kept, what is owed is nudged. Only the broker is scripted."""

import base64
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from parley import envelope
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.ledger import Ledger
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.channels.outcome import Delivered, Failed, Parked
from parley.domain import ids
from parley.domain.events import RequestCreated, ResponseReady
from parley.domain.overdue import Pace
from parley.domain.plan import Plan
from parley.domain.requests import NewRequest, SessionWanted
from parley.errors import Rejected, Unavailable
from parley.recovery import Recovery, publish_all

TICK = envelope.Event("1", "/ping", "dev.knative.sources.ping", body=b"{}")
NUMBER = "http://deliver-email.parley.svc/"
PACE = Pace(first=2000, longest=16_000)  # with no chance: half of it, whole thousands that no test takes


class Broker:
    """Keeps what is published, as the events that go out; refuses those after the first `takes`."""

    def __init__(self):
        self.events, self.contracts, self.takes = [], [], None

    def publish(self, emit):
        if self.takes is not None and len(self.events) >= self.takes:
            raise Unavailable("the broker cannot be reached")
        self.events.append(envelope.outgoing(emit, "recover"))
        self.contracts.append(emit.contract)


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def recovery(database, broker):
    """Make the handler."""

    def make(**changes):
        return Recovery(Ledger(database), broker, **{"pace": PACE, "chance": lambda: 0.0, **changes})

    return make


@pytest.fixture
def owed(database):
    """Store a question whose first nudge is due, each in a session of its own; gives its id."""
    user = Users(database).meet("api", "test", email=None, name="Ann", timezone=None)

    def make(store=None, **fields):
        new = NewRequest(
            id=ids.new(), user_id=user, session=SessionWanted(), source="cli", content="Why?", principal="test",
            route="test", **fields,
        )  # fmt: skip
        return (store or Requests(database, nudge=0, deadline=100_000)).accept(new).request_id

    return make


def again(rows):
    """Let every row that is open be overdue."""
    for table in ("requests", "deliveries"):
        rows(f"update {table} set due_at = now() - interval '1 second' where due_at is not null")


def letter(body=b'{"request_id": "7"}', **extensions):
    """An event as its dead-letter sink gets it."""
    return envelope.Event(
        "e1", "/parley/normalize", "parley.request.created", subject="7", time="2026-11-23T09:00:00Z",
        extensions={"knativeerrordest": NUMBER, "partitionkey": "s", **extensions}, body=body,
    )  # fmt: skip


# --- dead letters ----------------------------------------------------------------------------------------------------


def test_a_dead_letter_is_stored_whole(recovery, rows, broker):
    """Every attribute and the data, where it failed and why; nothing is published, nothing else is stored."""
    recovery()(letter(knativeerrorcode="422", reason="no such request"))

    (row,) = rows("select * from dead_letters")
    assert envelope.from_structured(row["event"]) == letter(
        knativeerrorcode="422", reason="no such request", body=b'{"request_id":"7"}'
    )
    assert (row["source"], row["event_id"], row["type"], row["subject"], row["destination"]) == (
        ("/parley/normalize", "e1", "parley.request.created", "7", NUMBER)
    )
    assert (row["code"], row["reason"], row["replayed_at"], row["closed_at"]) == (422, "no such request", None, None)
    assert (broker.events, rows("select * from heartbeats")) == ([], [])


def test_a_dead_letter_is_stored_once(recovery, rows):
    """The broker may bring it again; from another function it is another letter."""
    for _ in range(3):
        recovery()(letter())
    recovery()(letter(knativeerrordest="http://normalize.parley.svc/"))

    stored = rows("select destination from dead_letters order by destination desc")
    assert [row["destination"] for row in stored] == ["http://normalize.parley.svc/", NUMBER]


def test_a_dead_letter_that_comes_many_times_at_once_is_stored_once(recovery, rows):
    """The first one is kept as it is."""
    barrier = threading.Barrier(8)

    def keep(_):
        barrier.wait()
        recovery()(letter())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, range(8)))

    assert rows("select count(*) from dead_letters") == [{"count": 1}]


@pytest.mark.parametrize("kind", ["dev.knative.sources.ping", "parley.recovery.requested"])
def test_a_dead_tick_is_a_dead_letter(recovery, owed, rows, broker, kind):
    """It is told by its extension, not by its type: a tick that could not be handled does not sweep."""
    owed()

    recovery()(envelope.Event("1", "/ping", kind, extensions={"knativeerrordest": NUMBER}, body=b"{}"))

    assert broker.events == []
    assert rows("select type from dead_letters") == [{"type": kind}]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", None),
        (b"not JSON", "application/json"),
        (b"\xff\x00\xfe", "application/octet-stream"),
        (b"<a/>", "text/xml"),
        (b'{"text":"a\\u0000b"}', "application/json"),
        (b'{"a\\u0000b":1}', "application/json"),
        (b'{"text":"a\\\\u0000b"}', "application/json"),
        (b"[" * 3000 + b"]" * 3000, "application/json"),
    ],
    ids=["empty", "broken", "binary", "xml", "nul", "nul in a name", "no nul", "deep"],
)
def test_data_that_is_odd_is_kept_to_the_byte(recovery, rows, body, content_type):
    """A dead letter is dead because something is wrong with it: that is what must be seen later."""
    event = envelope.Event(
        "1", "/x", "t", datacontenttype=content_type, extensions={"knativeerrordest": NUMBER}, body=body
    )

    recovery()(event)

    assert envelope.from_structured(rows("select event from dead_letters")[0]["event"]).body == body


def test_an_attribute_with_a_nul_among_its_data_is_readable(recovery, rows):
    """What the database cannot hold is shown as such, the rest of the event is there."""
    recovery()(letter(note="a\x00b"))

    (row,) = rows("select event from dead_letters")
    assert row["event"]["note"] == "a\N{REPLACEMENT CHARACTER}b"
    assert base64.b64decode(row["event"]["data_base64"]) == letter().body


@pytest.mark.parametrize(
    ("code", "stored"),
    [("503", 503), ("0", 0), ("9999", 9999), ("99999", None), ("", None), ("-1", None), ("5e1", None), ("٥٠٣", None)],
)
def test_a_code_that_is_no_status_is_left_out(recovery, rows, code, stored):
    """The letter is kept all the same."""
    recovery()(letter(knativeerrorcode=code))

    assert rows("select code from dead_letters") == [{"code": stored}]


def encoded(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        ({}, None),
        ({"reason": "ours", "knativeerrordata": encoded("theirs")}, "ours"),
        ({"reason": "x" * 600}, "x" * 500),
        ({"knativeerrordata": encoded("theirs, ä")}, "theirs, ä"),
        ({"knativeerrordata": encoded("y" * 600)}, "y" * 500),
        ({"knativeerrordata": encoded("a\0b")}, "ab"),
        ({"knativeerrordata": encoded("\0")}, None),
        ({"knativeerrordata": ""}, None),
        ({"knativeerrordata": "not base64!"}, None),
        ({"knativeerrordata": encoded(b"\xff")}, None),
    ],
)
def test_the_reason_is_ours_or_what_the_subscriber_answered(recovery, rows, extensions, reason):
    """Cut to 500 characters; what cannot be read is no reason, and no reason to lose the letter."""
    recovery()(letter(**extensions))

    assert rows("select reason from dead_letters") == [{"reason": reason}]


def test_an_event_that_is_neither_is_rejected(recovery, owed, rows, broker):
    """Nothing is stored and nothing swept."""
    owed()

    with pytest.raises(Rejected):
        recovery()(envelope.Event("1", "/x", "parley.request.created", body=b"{}"))

    assert (broker.events, rows("select * from dead_letters"), rows("select * from heartbeats")) == ([], [], [])


@pytest.mark.parametrize("body", [b'{"text":"\\ud83d"}', b'{"number":1e400}'], ids=["half a character", "out of range"])
def test_json_that_the_database_cannot_hold_is_kept_to_the_byte(recovery, rows, body):
    """It came as JSON, and cannot be written as JSON again."""
    recovery()(letter(body=body))

    assert envelope.from_structured(rows("select event from dead_letters")[0]["event"]).body == body


@pytest.mark.parametrize("field", ["id", "source", "type", "subject", "knativeerrordest", "reason"])
@pytest.mark.parametrize("odd", ["a\x00b", "a\ud83d"], ids=["nul", "half a character"])
def test_an_attribute_that_the_database_cannot_hold_loses_no_letter(recovery, rows, field, odd):
    """What cannot be written is replaced, the rest is there."""
    event = letter()
    document = {**envelope.to_structured(event), field: odd}

    recovery()(envelope.parse({"content-type": "application/cloudevents+json"}, json.dumps(document).encode()))

    (row,) = rows("select event from dead_letters")
    assert row["event"][field][0] == "a"


# --- what is overdue -------------------------------------------------------------------------------------------------


def test_a_question_whose_event_was_lost_is_nudged(recovery, owed, rows, broker):
    """The event names the row and keeps the trace of its question."""
    request = owed(traceparent=f"00-{'a' * 32}-{'b' * 16}-01")

    recovery()(TICK)

    (row,) = rows("select session_id, nudges from requests")
    assert broker.contracts == [RequestCreated(request_id=request, session_id=row["session_id"])]
    assert broker.events[0].extensions["traceparent"] == f"00-{'a' * 32}-{'b' * 16}-01"
    assert row["nudges"] == 1


def test_a_delivery_whose_event_was_lost_is_nudged(recovery, answered, rank, broker):
    """On its channel, with its kind; the rank after it has its time still to come."""
    (due,) = answered(rank("email", 1, to="a@example.org"), rank("sms", 2, to="+4912345678"), title="No answer.")

    recovery()(TICK)

    assert broker.contracts == [
        ResponseReady(
            request_id=due.request_id, delivery_id=due.delivery_id, session_id=due.session_id, channel="email",
            kind="failure",
        )
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["dev.knative.sources.ping", "parley.recovery.requested"])
def test_a_tick_and_a_person_can_ask_for_a_sweep(recovery, owed, broker, kind):
    """The schedule's event, and the one that is published by hand."""
    owed()

    recovery()(envelope.Event("1", "/x", kind))

    assert len(broker.events) == 1


def test_what_is_not_overdue_is_left_alone(recovery, owed, database, rows, broker):
    """A question that was just asked, a turn whose lease lives, and one that has ended."""
    patient = Requests(database, nudge=30)
    owed(patient)
    held = owed(patient)
    patient.claim(held, owner="test", revision="r")
    ended = patient.claim(owed(), owner="test", revision="r")
    patient.complete(ended, {"text": "Yes.", "citations": [], "agent": "desk"}, _nowhere())

    assert recovery().sweep() == 0
    assert (broker.events, rows("select sum(nudges) as n from requests")) == ([], [{"n": 0}])


def test_a_turn_whose_lease_has_ended_is_nudged(recovery, owed, database, broker):
    """Whoever held it has died."""
    request = owed()
    Requests(database, lease=0).claim(request, owner="dead", revision="r")

    recovery().sweep()

    assert [contract.request_id for contract in broker.contracts] == [request]


@pytest.mark.parametrize(
    ("outcome", "nudged"),
    [(None, ["email"]), (Delivered(), []), (Failed("refused"), ["sms"]), (Parked("no credentials"), ["email", "sms"])],
    ids=["the sender died", "delivered", "failed", "parked"],
)
def test_a_delivery_is_nudged_while_it_is_open(recovery, answered, rank, database, rows, broker, outcome, nudged):
    """Lease or pause over, or the next rank's turn; what has ended is never sent again."""
    (due,) = answered(rank("email", 1, to="a@example.org"), rank("sms", 2, to="+4912345678"))
    deliveries = Deliveries(database, owner="test")
    job = deliveries.claim(due.delivery_id, "email").job
    if outcome:
        deliveries.record(job, outcome)
    again(rows)

    recovery().sweep()

    assert sorted(contract.channel for contract in broker.contracts) == nudged  # both have been due equally long


def test_a_nudge_puts_the_next_one_off_further_each_time(recovery, owed, rows, broker):
    """Up to the longest pause; each nudge is an event of its own."""
    owed()
    pauses = []

    for _ in range(5):
        recovery().sweep()
        (row,) = rows("select extract(epoch from due_at - now())::float8 as pause from requests")
        pauses.append(round(row["pause"], -3))
        again(rows)

    assert pauses == [1000, 2000, 4000, 8000, 8000]
    assert len({event.id for event in broker.events}) == 5


def test_a_delivery_is_put_off_likewise(recovery, answered, rank, rows):
    """Its pauses grow on their own."""
    answered(rank("email", 1, patience=100_000, to="a@example.org"))
    pauses = []

    for _ in range(3):
        recovery().sweep()
        (row,) = rows("select extract(epoch from due_at - now())::float8 as pause from deliveries where rank = 1")
        pauses.append(round(row["pause"], -3))
        again(rows)

    assert pauses == [1000, 2000, 4000]


def test_a_step_begins_the_pauses_anew(recovery, owed, database, rows, broker):
    """A turn that gets somewhere is alive: what goes wrong after a journaled step is looked at soon."""
    request = owed()
    for _ in range(4):
        recovery().sweep()
        again(rows)

    store = Requests(database)
    held = store.claim(request, owner="test", revision="r")
    store.journal(held, kind="model", fingerprint="f", output={})
    store.release(held, pause=0, failed=False)
    recovery().sweep()

    (row,) = rows("select nudges, extract(epoch from due_at - now())::float8 as pause from requests")
    assert (row["nudges"], round(row["pause"], -3)) == (1, 1000)
    assert len({event.id for event in broker.events}) == 5


def test_a_row_is_nudged_once_in_a_sweep(recovery, owed, answered, rank, broker):
    """However many batches it takes, requests and deliveries, the longest overdue first."""
    requests = [owed() for _ in range(5)]
    (due,) = answered(rank("email", 1, to="a@example.org"))

    nudged = recovery(batch=2).sweep()

    assert nudged == 6
    assert [contract.request_id for contract in broker.contracts] == [*requests, due.request_id]


def test_sweeps_at_once_share_the_work(recovery, owed, broker):
    """What one has taken the others skip: nothing is nudged twice, nothing is left."""
    requests, barrier = {owed() for _ in range(20)}, threading.Barrier(4)

    def sweep(_):
        barrier.wait()
        return recovery(batch=3).sweep()

    with ThreadPoolExecutor(4) as pool:
        nudged = sum(pool.map(sweep, range(4)))

    assert nudged == 20
    assert Counter(contract.request_id for contract in broker.contracts) == Counter(requests)


def test_a_sweep_ends_when_its_time_is_up(recovery, owed, broker, rows):
    """After 45 s no batch is begun; the rest is overdue still, and the next sweep's."""
    for _ in range(3):
        owed()
    clock = iter([100.0, 100.0, 144.9, 145.0]).__next__

    assert recovery(batch=1, clock=clock).sweep() == 2
    assert rows("select count(*) from requests where due_at < now()") == [{"count": 1}]
    assert recovery().sweep() == 1


def test_a_sweep_leaves_a_heartbeat(recovery, rows):
    """Also when nothing is overdue; a later one moves it on."""
    recovery().sweep()
    (first,) = rows("select * from heartbeats")
    recovery().sweep()

    (second,) = rows("select * from heartbeats")
    assert first["name"] == second["name"] == "recover"
    assert second["beat_at"] > first["beat_at"]


def test_a_broker_that_is_down_loses_no_nudge(recovery, owed, rows, broker):
    """The sweep says so, and what was not published is nudged again at its next time; what was, as another event."""
    requests = {owed() for _ in range(3)}
    broker.takes = 1

    with pytest.raises(Unavailable):
        recovery().sweep()
    once = list(broker.contracts)
    broker.takes = None
    again(rows)
    recovery().sweep()

    assert len(once) == 1
    assert {contract.request_id for contract in broker.contracts[1:]} == requests
    assert len({event.id for event in broker.events}) == 4


def test_a_nudge_too_many_does_nothing(recovery, owed, database, broker):
    """The row decides: whoever is nudged finds the turn held, or the question answered."""
    request, store = owed(), Requests(database)
    recovery().sweep()
    held = store.claim(broker.contracts[0].request_id, owner="test", revision="r")

    assert store.claim(request, owner="another", revision="r").verdict == "busy"
    store.complete(held, {"text": "Yes.", "citations": [], "agent": "desk"}, _nowhere())
    assert store.claim(request, owner="another", revision="r").verdict == "over"


class Refusing(Broker):
    """Calls the first event none."""

    def publish(self, emit):
        if not self.events:
            self.events.append(None)
            raise Rejected("the broker refused the event with 413")
        super().publish(emit)


def test_a_nudge_that_is_refused_does_not_stop_the_others(database, owed):
    """The sweep goes on with the next row."""
    broker = Refusing()
    for _ in range(3):
        owed()

    Recovery(Ledger(database), broker, pace=PACE).sweep()

    assert len(broker.contracts) == 2


def test_nobody_waits_longer_than_the_deadline(recovery, owed, database, rows):
    """However long the pause: what is late is looked at when it is late, and then at the usual pace."""
    owed(Requests(database, nudge=0, deadline=100))

    recovery().sweep()
    first = rows("select due_at = deadline as ok from requests")
    rows("update requests set due_at = now() - interval '1 second', deadline = now() - interval '1 second'")
    recovery().sweep()

    assert first == [{"ok": True}]
    assert rows("select due_at > now() as ok from requests") == [{"ok": True}]


def test_the_next_rank_waits_no_longer_than_the_patience_of_the_one_before(recovery, answered, rank, rows):
    """The sweep after the deadline ends the delivery, and the next rank takes over."""
    answered(rank("email", 1, patience=100, to="a@example.org"))

    recovery().sweep()

    assert rows("select due_at = deadline as ok from deliveries") == [{"ok": True}]


# --- nudges that a row stands behind ---------------------------------------------------------------------------------


class Picky:
    """Takes every event but those of one channel, and says so by `error`."""

    def __init__(self, refused, error):
        self.refused, self.error, self.taken = refused, error, []

    def publish(self, emit):
        if emit.contract.channel == self.refused:
            raise self.error
        self.taken.append(emit.contract.channel)


@pytest.mark.parametrize("error", [Unavailable("down"), Rejected("413")])
def test_one_nudge_that_fails_does_not_stop_the_others(error):
    """It is found again by a sweep."""
    broker = Picky("sms", error)

    publish_all(broker, [_nudge("email"), _nudge("sms"), _nudge("webhook")])

    assert broker.taken == ["email", "webhook"]


def test_a_bug_while_publishing_is_seen():
    """Only what the broker says is forgiven."""
    with pytest.raises(ValueError, match="bug"):
        publish_all(Picky("sms", ValueError("bug")), [_nudge("sms")])


def test_a_published_nudge_is_a_valid_event(recovery, owed, answered, rank, broker):
    """Type, subject, routing attributes and data are those of the contract, as every consumer reads them."""
    owed()
    answered(rank("email", 1, to="a@example.org"))

    recovery().sweep()

    for event, contract in zip(broker.events, broker.contracts, strict=True):
        assert (event.type, event.subject) == (contract.TYPE, contract.subject())
        assert contract.extensions().items() <= event.extensions.items()
        assert type(contract).model_validate(json.loads(event.body)) == contract


def _nowhere():
    from datetime import UTC, datetime

    return Plan("first", (), (), datetime.now(UTC))


def _nudge(channel):
    from parley.domain.delivery import Due

    return Due(ids.new(), channel, ids.new(), ids.new()).emit("test", None)


def test_whose_holder_is_known_to_be_gone_is_swept_at_once(recovery, ask, store, database, broker):
    """A start that finds nobody else ends all leases: nobody waits for them to run out."""
    created = ask()
    store.claim(created.request_id, owner="killed", revision="r1")

    assert (Ledger(database).end_leases(), Ledger(database).end_leases()) == (1, 0)
    recovery().sweep()

    assert [contract.request_id for contract in broker.contracts] == [created.request_id]
    assert store.claim(created.request_id, owner="next", revision="r1").verdict == "take"

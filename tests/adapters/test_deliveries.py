"""The store of deliveries, on a real PostgreSQL."""

import threading
from collections import Counter

import pytest

from parley import telemetry
from parley.adapters.postgres.deliveries import Deliveries
from parley.channels.outcome import Delivered, Failed, Parked, Retry, Unsure, Wait
from parley.domain.delivery import LeaseLost

EXPIRE_LEASE = "update deliveries set lease_until = now() - interval '1 s', due_at = now() where state = 'sending'"
END_PATIENCE = "update deliveries set deadline = now() - interval '1 s' where due_at is not null"


@pytest.fixture
def store(database):
    """The store, as a sender named `one` has it."""
    return Deliveries(database, owner="one", lease=60)


@pytest.fixture
def sql(database_url):
    """Run one statement, past the store; gives the first row, if any."""
    import psycopg
    from psycopg.rows import dict_row

    def run(statement, *values):
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchone() if cursor.description else None

    return run


@pytest.fixture
def state(sql):
    """Read one delivery's row."""
    return lambda due: sql("select * from deliveries where id = %s", due.delivery_id)


def planned(sql, channel):
    """Give the id of the delivery by a channel."""
    return sql("select id from deliveries where channel = %s", channel)["id"]


def test_only_the_first_rank_is_due(answered, rank, sql):
    """A plan of two ranks makes one delivery due; the other is planned and has no deadline yet."""
    due = answered(rank("slack", 1), rank("email", 2, to="ann@example.org"))

    second = sql("select * from deliveries where rank = 2")
    assert [one.channel for one in due] == ["slack"]
    assert (second["state"], second["due_at"], second["deadline"]) == ("planned", None, None)


def test_a_claim_brings_all_that_the_channel_is_told(answered, rank, store):
    """The job holds question, answer, citations, agent and address, read from the rows."""
    (due,) = answered(rank(), text="Use the portal.", question="How?")

    job = store.claim(due.delivery_id, "slack").job

    assert (job.question, job.text, job.agent) == ("How?", "Use the portal.", "desk")
    assert job.citations[0]["heading"] == "Access"
    assert job.address["thread"] == "1700000000.000100"
    assert not job.ambiguous
    assert 1790 < job.left <= 1800
    assert job.answered_at <= job.at


def test_a_failed_request_is_told_by_its_title(answered, rank, store):
    """A request that ended without an answer is delivered as what the user may know of it."""
    (due,) = answered(rank(), title="No answer could be given.")

    job = store.claim(due.delivery_id, "slack").job

    assert (job.kind, job.text) == ("failure", "No answer could be given.")


def test_another_channels_function_cannot_take_it(answered, rank, store, state):
    """An event that names the wrong channel finds nothing to send."""
    (due,) = answered(rank("slack"))

    claimed = store.claim(due.delivery_id, "email")

    assert (claimed.verdict, claimed.job) == ("over", None)
    assert state(due)["state"] == "queued"


def test_a_delivery_that_is_held_is_left_alone(answered, rank, store):
    """The same event again, while the first is being worked on, does nothing."""
    (due,) = answered(rank())
    store.claim(due.delivery_id, "slack")

    again = store.claim(due.delivery_id, "slack")

    assert (again.verdict, again.job) == ("busy", None)


def test_of_eight_one_takes_over_a_stale_lease(answered, rank, store, sql):
    """Eight senders find the same expired lease: one gets it, seven are told that it is busy."""
    (due,) = answered(rank())
    store.claim(due.delivery_id, "slack")
    sql(EXPIRE_LEASE)
    together = threading.Barrier(8)
    verdicts = []

    def claim():
        together.wait()
        verdicts.append(store.claim(due.delivery_id, "slack").verdict)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(verdicts) == {"take": 1, "busy": 7}


def test_takeover_knows_that_an_attempt_may_have_been_sent(answered, rank, store, sql):
    """After a crash the next job is ambiguous, and says since when to look for the earlier message."""
    (due,) = answered(rank())
    first = store.claim(due.delivery_id, "slack").job
    sql(EXPIRE_LEASE)

    second = store.claim(due.delivery_id, "slack").job

    assert second.ambiguous
    assert second.epoch == first.epoch + 1
    assert second.first_attempt == pytest.approx(first.at.timestamp(), abs=1)


def test_zombie_is_fenced(answered, rank, store, sql, state):
    """Who lost the lease ends nothing; what became of its attempt is written down all the same."""
    (due,) = answered(rank())
    zombie = store.claim(due.delivery_id, "slack").job
    sql(EXPIRE_LEASE)
    store.claim(due.delivery_id, "slack")

    with pytest.raises(LeaseLost):
        store.record(zombie, Delivered("ts-1"))

    assert state(due)["state"] == "sending"
    assert sql("select outcome from delivery_attempts where epoch = %s", zombie.epoch)["outcome"] == "delivered"


def test_success_ends_the_plan(answered, rank, store, state, sql):
    """A delivered answer has its provider's id, and the later ranks are cancelled."""
    (due,) = answered(rank("slack", 1), rank("email", 2, to="ann@example.org"))
    job = store.claim(due.delivery_id, "slack").job

    following = store.record(job, Delivered("ts-1"))

    assert following is None
    assert (state(due)["state"], state(due)["provider_id"], state(due)["due_at"]) == ("delivered", "ts-1", None)
    assert sql("select state from deliveries where rank = 2")["state"] == "cancelled"


def test_failure_makes_the_next_rank_due(answered, rank, store, sql):
    """A permanent error gives the next rank at once, with a patience of its own."""
    (due,) = answered(rank("slack", 1), rank("email", 2, patience=600, to="ann@example.org"))
    job = store.claim(due.delivery_id, "slack").job

    following = store.record(job, Failed("no such channel", "channel_not_found"))

    second = sql("select *, deadline - now() as left from deliveries where rank = 2")
    assert (following.delivery_id, following.channel) == (second["id"], "email")
    assert (second["state"], second["also_by"]) == ("queued", [])
    assert 590 < second["left"].total_seconds() <= 600


def test_the_next_rank_knows_what_may_have_arrived(answered, rank, store, sql):
    """A delivery that ends as unknown makes the next one say so, through all later ranks."""
    (due,) = answered(rank("email", 1, to="ann@example.org"), rank("sms", 2, to="+491234567"), rank("test", 3, to="x"))
    job = store.claim(due.delivery_id, "email").job

    second = store.give_up_unsure(job, Unsure("lost"))
    third = store.record(store.claim(second.delivery_id, "sms").job, Failed("no"))

    assert store.claim(third.delivery_id, "test").job.also_by == ("email",)
    assert sql("select state from deliveries where rank = 1")["state"] == "unknown"


def test_nothing_half_written_when_the_next_rank_cannot_be_made_due(answered, rank, store, sql, state):
    """End and next rank are one transaction: when the second cannot be written, the first is not."""
    (due,) = answered(rank("slack", 1), rank("email", 2, to="ann@example.org"))
    job = store.claim(due.delivery_id, "slack").job
    sql("alter table deliveries add constraint never check (rank < 2 or state <> 'queued')")

    with pytest.raises(Exception, match="never"):
        store.record(job, Failed("no"))

    assert state(due)["state"] == "sending"


def test_an_ended_delivery_points_to_the_one_that_is_due(answered, rank, store, sql):
    """The event of an ended delivery, come again after its reply was lost, gives the next rank again."""
    (due,) = answered(rank("slack", 1), rank("email", 2, to="ann@example.org"))
    store.record(store.claim(due.delivery_id, "slack").job, Failed("no"))

    again = store.claim(due.delivery_id, "slack")

    assert (again.verdict, again.due.delivery_id) == ("over", planned(sql, "email"))


def test_patience_ends_and_the_next_rank_takes_over(answered, rank, store, sql, state):
    """A claim after the deadline sends nothing: it expires the delivery and gives the next rank."""
    (due,) = answered(rank("slack", 1), rank("email", 2, to="ann@example.org"))
    sql(END_PATIENCE)

    claimed = store.claim(due.delivery_id, "slack")

    assert (claimed.verdict, claimed.job, claimed.due.channel) == ("expired", None, "email")
    assert state(due)["state"] == "expired"


def test_planned_rank_is_not_sent(answered, rank, store, sql):
    """An event for a rank that is not yet due does nothing but point to the one that is."""
    (due,) = answered(rank("slack", 1), rank("email", 2, to="ann@example.org"))

    claimed = store.claim(planned(sql, "email"), "email")

    assert (claimed.verdict, claimed.job) == ("over", None)
    assert claimed.due.delivery_id == due.delivery_id


def test_rate_limit_is_kept(answered, rank, store, state):
    """What the vendor asked us to wait is due then, and not taken before, whoever asks."""
    (due,) = answered(rank())
    store.record(store.claim(due.delivery_id, "slack").job, Wait(120, "ratelimited"))

    claimed = store.claim(due.delivery_id, "slack")

    assert claimed.verdict == "early"
    assert 110 < claimed.pause <= 120
    assert (state(due)["state"], state(due)["due_at"]) == ("queued", state(due)["not_before"])


def test_wait_beyond_patience_goes_to_the_next_rank_at_once(answered, rank, store, state):
    """Nobody waits for a channel that will be too late."""
    (due,) = answered(rank("slack", 1, patience=60), rank("email", 2, to="ann@example.org"))

    following = store.record(store.claim(due.delivery_id, "slack").job, Wait(3600))

    assert following.channel == "email"
    assert state(due)["state"] == "expired"


def test_retry_may_be_taken_at_once(answered, rank, store):
    """After a surely unsent attempt the broker's retry finds it free, and it is not ambiguous."""
    (due,) = answered(rank())
    store.record(store.claim(due.delivery_id, "slack").job, Retry("down"))

    job = store.claim(due.delivery_id, "slack").job

    assert (job.attempt, job.ambiguous) == (2, False)


def test_retry_is_nudged_after_a_lease(answered, rank, store, sql):
    """When the broker's own retry is lost with the broker, the sweeper looks again after as long as a lease lasts."""
    (due,) = answered(rank())

    store.record(store.claim(due.delivery_id, "slack").job, Retry("down"))

    [pause] = sql("select round(extract(epoch from due_at - updated_at))::int as pause from deliveries").values()
    assert pause == store.lease


def test_unsure_attempt_makes_the_next_one_ambiguous(answered, rank, store):
    """An attempt whose answer was lost is to be looked up before the next."""
    (due,) = answered(rank())
    store.record(store.claim(due.delivery_id, "slack").job, Unsure("lost"))

    assert store.claim(due.delivery_id, "slack").job.ambiguous


def test_parked_is_kept_for_longer_each_time(answered, rank, store, state, sql):
    """Trouble with credentials fails nothing; it is looked at again after 5 minutes, then 10."""
    (due,) = answered(rank(patience=60))
    pauses = []

    for _ in range(2):
        store.record(store.claim(due.delivery_id, "slack").job, Parked("bad token"))
        row = sql("select state, round(extract(epoch from due_at - updated_at)) as pause from deliveries")
        pauses.append((row["state"], int(row["pause"])))
        sql("update deliveries set not_before = now(), due_at = now()")
        sql("update circuits set until = now()")

    assert pauses == [("parked", 300), ("parked", 600)]


def test_order_is_kept_per_place(answered, rank, store):
    """A second answer to the same thread waits for the first, which wakes it when it ends."""
    (first,) = answered(rank())
    (second,) = answered(rank())
    before = store.claim(second.delivery_id, "slack")

    following = store.record(store.claim(first.delivery_id, "slack").job, Delivered("1"))

    assert before.verdict == "behind"
    assert following.delivery_id == second.delivery_id
    assert store.claim(second.delivery_id, "slack").verdict == "take"


def test_rate_limited_answer_is_not_overtaken(answered, rank, store):
    """While the first waits for the vendor, the second to the same place does too."""
    (first,) = answered(rank())
    (second,) = answered(rank())
    store.record(store.claim(first.delivery_id, "slack").job, Wait(120))

    assert store.claim(second.delivery_id, "slack").verdict == "behind"


def test_other_places_do_not_wait(answered, rank, store):
    """Order is per place: an answer to another address of the same session goes out at once."""
    answered(rank())
    (other,) = answered(rank("email", to="ann@example.org"))

    assert store.claim(other.delivery_id, "email").verdict == "take"


def test_who_waited_for_a_lock_sees_what_was_recorded_meanwhile(answered, rank, store, sql):
    """A claim that waits for a record to commit reads the attempt's end, not the state before it."""
    (due,) = answered(rank("email", to="ann@example.org"))
    results = []

    for _ in range(20):
        job = store.claim(due.delivery_id, "email").job
        both = [
            threading.Thread(target=store.record, args=(job, Retry("down"))),
            threading.Thread(target=lambda: results.append(store.claim(due.delivery_id, "email"))),
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        if results[-1].job:
            store.record(results[-1].job, Retry("down"))
        sql("update deliveries set failures = 0, not_before = null")

    assert not any(result.job.ambiguous for result in results if result.job)


def test_attempt_keeps_code_and_latency(answered, rank, store, sql):
    """Each attempt has its row: outcome, our reason, the vendor's code, how long it took, what was kept."""
    (due,) = answered(rank("test", to="x"))
    job = store.claim(due.delivery_id, "test").job

    store.record(job, Failed("refused", "410"), sent={"text": "Hello"})

    row = sql("select * from delivery_attempts")
    assert (row["outcome"], row["reason"], row["code"], row["sent"]) == ("failed", "refused", "410", {"text": "Hello"})
    assert 0 <= row["latency_ms"] < 60_000


def test_an_attempt_knows_where_the_one_before_was_made(answered, rank, store, sql, told):
    """So that its span is linked to the earlier one."""
    (due,) = answered(rank())
    with telemetry.span("first"):
        first = store.claim(due.delivery_id, "slack").job
    sql(EXPIRE_LEASE)

    second = store.claim(due.delivery_id, "slack").job

    context = told.spans()["first"].context
    assert first.taken_in is None
    assert second.taken_in.startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")

"""What every channel keeps, from its function's folder, on a real PostgreSQL, against its vendor or a stand-in."""

import threading

import psycopg
import pytest
from functions import contract
from wiring.conftest import CHANNELS

from parley.adapters.postgres.deliveries import Deliveries
from parley.domain.delivery import Due

ENDED = ("accepted", "delivered", "seen")
KILLED = (
    "update deliveries set state = 'sending', lease_owner = 'gone', lease_until = now() - interval '1 s',"
    " due_at = now(), finished_at = null, provider_id = null where rank = 1"
)
CUT = "update delivery_attempts set outcome = null, finished_at = null, provider_id = null, sent = null"
LATER = "update deliveries set due_at = now(), not_before = null where due_at is not null"
CURE = "update circuits set until = now()"


EMPTY = """do $$ begin
    execute (select 'truncate ' || string_agg(quote_ident(tablename), ', ')
               from pg_tables where schemaname = 'public' and tablename <> 'schema_migrations');
end $$"""


@pytest.fixture
def database_url(shared_database_url):
    """One database for all, empty at the start of each."""
    with psycopg.connect(shared_database_url, autocommit=True) as connection:
        connection.execute(EMPTY)
    return shared_database_url


@pytest.fixture(params=contract.VENDORS)
def name(request):
    """Each channel."""
    return request.param


@pytest.fixture
def vendor(name):
    """Its vendor, running."""
    with contract.VENDORS[name]() as one:
        yield one


@pytest.fixture
def send(name, vendor, deliver):
    """Its function."""
    return deliver(name, **vendor.settings)


@pytest.fixture
def due(name, vendor, answered, rank):
    """An answer that goes there, and to the test channel when it does not arrive."""
    (one,) = answered(rank(name, 1, **vendor.address), rank("test", 2, to="next"))
    return one


def those_that_can(case):
    """Run for the channels whose vendors can be in this case."""
    return pytest.mark.parametrize("name", contract.can(case))


def of(row, number=1):
    """The delivery of a rank."""
    return row("select * from deliveries where rank = %s", number)


def test_every_channel_is_held_to_the_contract():
    """What the defaults name is here, and nothing else."""
    assert set(contract.VENDORS) == set(CHANNELS)


def test_ok(send, due, vendor, row):
    """It arrives once, the attempt is written down, and the next rank is not needed."""
    assert send(due) == (202, None)

    attempt = row("select * from delivery_attempts")
    assert (of(row)["state"] in ENDED, of(row, 2)["state"], vendor.arrived()) == (True, "cancelled", 1)
    assert (attempt["outcome"], attempt["finished_at"] is not None) == ("delivered", True)


def test_doubled_and_out_of_order(send, due, vendor, row):
    """The event of the second rank first, then the same event three times, twice of them at once: one message."""
    second = Due(of(row, 2)["id"], due.channel, due.request_id, due.session_id)
    send(second)
    threads = [threading.Thread(target=send, args=(due,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    send(due)

    assert (of(row)["attempt"], vendor.arrived()) == (1, 1)


@those_that_can("wait")
def test_wait(send, due, vendor, row):
    """Asked to wait, it waits: nothing is charged, nothing goes elsewhere, and then it arrives."""
    vendor.fail("wait")
    send(due)

    waiting = of(row)
    assert (waiting["state"], waiting["not_before"] is not None, vendor.arrived()) == ("queued", True, 0)
    assert (waiting["failures"], of(row, 2)["state"]) == (0, "planned")
    row(LATER)
    row("update paces set next_at = now()")
    assert send(due)[0] == 202
    assert (of(row)["state"] in ENDED, vendor.arrived()) == (True, 1)


@those_that_can("retry")
def test_retry(send, due, vendor, row):
    """Surely not sent: the broker is told to come again, and the second attempt arrives."""
    vendor.fail("retry")

    assert send(due)[0] == 503

    assert (of(row)["state"], of(row)["failures"], vendor.arrived()) == ("queued", 1, 0)
    row(LATER)
    assert send(due)[0] == 202
    assert (of(row)["state"] in ENDED, vendor.arrived()) == (True, 1)


@those_that_can("unsure")
def test_unsure(send, due, vendor, row):
    """Taken, and the answer lost: somebody gets one message, or the next rank says that it may have arrived."""
    vendor.fail("unsure")
    status, following = send(due)
    if vendor.can_ask:
        row(LATER)
        status, following = send(due)

    assert vendor.arrived() == 1
    if vendor.can_ask:
        assert (status, of(row)["state"] in ENDED) == (202, True)
    else:
        assert (following.channel, of(row)["state"], of(row, 2)["also_by"]) == ("test", "unknown", [due.channel])


@those_that_can("permanent")
def test_permanent(send, due, vendor, row):
    """Refused for good: the next rank at once, and it is never tried again."""
    vendor.fail("permanent")

    status, following = send(due)

    assert (status, following.channel, of(row)["state"]) == (200, "test", "failed")
    assert send(due)[1].channel == "test"
    assert (vendor.arrived(), of(row)["attempt"]) == (0, 1)


@those_that_can("content")
def test_content_is_refused(send, due, vendor, row):
    """Said more simply at once where the channel can, else the next rank."""
    vendor.fail("content")

    _, following = send(due)

    if following is None:
        assert (of(row)["state"] in ENDED, vendor.arrived()) == (True, 1)
    else:
        assert (following.channel, of(row)["state"], vendor.arrived()) == ("test", "failed", 0)


@those_that_can("credentials")
def test_credentials_are_refused(send, due, vendor, row):
    """It is kept, with an alert; the next rank is due meanwhile; once cured, it is sent, or not needed any more."""
    vendor.fail("credentials")

    status, following = send(due)

    assert (status, following.channel, of(row)["state"]) == (200, "test", "parked")
    assert row("select count(*) as n from circuits where until > now()")["n"] == 1
    assert send(due) == (202, None), "nobody tries while the circuit is open"
    assert of(row)["attempt"] == 1
    row(CURE)
    row(LATER)
    send(due)
    assert (of(row)["state"] in ENDED, of(row, 2)["state"], vendor.arrived()) == (True, "cancelled", 1)
    assert row("select count(*) as n from circuits")["n"] == 0


def test_killed_before_sending(send, due, vendor, row, database):
    """The lease ends, and whoever takes over sends it; or says that it cannot know."""
    Deliveries(database, owner="gone").claim(due.delivery_id, due.channel)
    row(KILLED)

    _, following = send(due)

    if vendor.can_ask:
        assert (of(row)["state"] in ENDED, vendor.arrived()) == (True, 1)
    else:
        assert (following.channel, of(row)["state"], vendor.arrived()) == ("test", "unknown", 0)


def test_killed_after_sending(send, due, vendor, row):
    """Whoever takes over sends nothing that somebody would get twice."""
    send(due)
    row("update deliveries set state = 'planned', finished_at = null where rank = 2")
    row(KILLED)
    row(CUT)

    _, following = send(due)

    assert vendor.arrived() == 1
    if vendor.can_ask:
        assert of(row)["state"] in ENDED
    else:
        assert (following.channel, of(row)["state"], of(row, 2)["also_by"]) == ("test", "unknown", [due.channel])


def test_eight_find_one_stale_lease(send, due, vendor, row, database):
    """Eight workers at once, one lease that has ended: one attempt, one message at most."""
    Deliveries(database, owner="gone").claim(due.delivery_id, due.channel)
    row(KILLED)
    together = threading.Barrier(8)

    def work():
        together.wait()
        send(due)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert of(row)["attempt"] == 2
    assert vendor.arrived() == (1 if vendor.can_ask else 0)

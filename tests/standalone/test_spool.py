"""The broker's promise: one suite for the spool in memory and the one in PostgreSQL."""

import psycopg
import pytest

from parley import envelope
from parley.envelope import Event
from parley.errors import Malformed, Unavailable
from standalone.spool import MemorySpool, PostgresSpool


@pytest.fixture(params=["memory", "postgres"])
def spool(request):
    """Each kind of spool, empty."""
    made = MemorySpool() if request.param == "memory" else PostgresSpool(request.getfixturevalue("database_url"))
    yield made
    made.close()


def event(number, **more):
    return Event(**{"id": str(number), "source": "/test", "type": "t", "body": b'{"a":1}', **more})


def test_what_was_added_is_pending_in_order_until_removed(spool):
    """
    First in, first out; removing one leaves the others.
    """
    events = [event(number) for number in range(5)]
    for one in events:
        spool.add(one)

    spool.remove(events[2])

    assert spool.pending() == [*events[:2], *events[3:]]


def test_event_that_is_added_twice_is_kept_once(spool):
    """
    Source and id make an event the same one; the first is kept.
    """
    spool.add(event(1))
    spool.add(event(1, body=b"{}"))
    spool.add(event(1, source="/other"))

    assert spool.pending() == [event(1), event(1, source="/other")]


def test_removing_what_is_not_there_is_no_error(spool):
    """
    An event may be acknowledged twice.
    """
    spool.remove(event(1))

    assert spool.pending() == []


@pytest.mark.parametrize(
    "given",
    [
        event(
            1, body=b'{"n": 1e2, "z":1.0, "a":12345678901234567890, "a":2}', subject="s", time="2026-01-01T00:00:00Z"
        ),
        event(1, body=b"\x00\xff", datacontenttype="application/octet-stream", dataschema="urn:x"),
        event(1, body='"\u0000 \ud83d\ude00"'.encode("utf-16", "surrogatepass"), datacontenttype=None),
        event(1, body=b"", extensions={"partitionkey": "ü 😀", "traceparent": "00-x"}),
    ],
)
def test_event_comes_back_byte_by_byte(spool, given):
    """
    Neither attributes nor data are changed: the same numbers, spaces and keys.
    """
    spool.add(given)

    assert spool.pending() == [given]


def test_signature_holds_after_the_spool(spool):
    """
    What normalize checks is still true after a restart, also for a number that JSON has two ways to write.
    """
    signed = envelope.signed(event(1, body=b'{"a":1.0,"b":1e2}'), "key")
    spool.add(signed)

    [kept] = spool.pending()

    assert envelope.is_signed(kept, ["key"])


def test_added_event_is_seen_by_another_process(database_url):
    """
    The row is committed when `add` returns.
    """
    spool = PostgresSpool(database_url)

    spool.add(event(1))

    with psycopg.connect(database_url) as other:
        assert other.execute("select source, id, event ->> 'type' from spool").fetchall() == [("/test", "1", "t")]
    spool.close()


def test_spool_survives_connections_that_have_died(database_url):
    """
    After a restart of the server the next write finds a new connection.
    """
    spool = PostgresSpool(database_url)
    spool.add(event(1))
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley-spool'")

    spool.add(event(2))

    assert len(spool.pending()) == 2
    spool.close()


def test_spool_without_a_database_is_unavailable(tmp_path):
    """
    No server, no promise.
    """
    spool = PostgresSpool(f"postgresql://nobody@/none?host={tmp_path}")

    with pytest.raises(Unavailable):
        spool.add(event(1))
    spool.close()


def test_closed_spool_is_unavailable(database_url):
    """
    A late acknowledgement opens no new connections.
    """
    spool = PostgresSpool(database_url)
    spool.close()

    with pytest.raises(Unavailable):
        spool.remove(event(1))


def test_attribute_that_cannot_be_stored_is_malformed(database_url):
    """
    PostgreSQL stores no NUL: the sender is told so instead of being asked to come again for ever.
    """
    spool = PostgresSpool(database_url)

    with pytest.raises(Malformed):
        spool.add(event(1, subject="a\x00b"))
    spool.close()


def test_broker_delivers_after_a_restart_what_it_had_accepted(bench, trigger, database_url):
    """
    The broker dies with an accepted event in its queue; the next one has it from the table and clears it.
    """
    given = event(1)
    PostgresSpool(database_url).add(given)

    broker = bench.start(trigger(), spool=PostgresSpool(database_url), spooled_types=frozenset({"t"}))

    assert broker.wait_idle(20)
    assert bench.scripts["greet"].seen == [given]
    with psycopg.connect(database_url) as other:
        assert other.execute("select count(*) from spool").fetchone() == (0,)

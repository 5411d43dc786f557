"""recover from its folder, called as a broker and a PingSource call it, with a broker behind it that listens."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest
from databases import as_role
from prometheus_client.parser import text_string_to_metric_families

from parley import envelope, serve
from parley.adapters.postgres.state import GAUGES
from parley.domain.events import ResponseReady
from parley.domain.retention import Retention
from parley.errors import Misconfigured
from standalone.rules import dead_letter

FOLDER = Path(__file__).parents[2] / "functions" / "recover"
TICK = envelope.Event("1", "/ping", "dev.knative.sources.ping", body=b'{"task":"sweep"}')
EVENT = envelope.Event("e1", "/parley/normalize", "parley.request.created", subject="7", body=b'{"request_id":"7"}')
EMAIL = "http://deliver-email.parley.svc/"


@pytest.fixture
def function():
    """The function of the folder."""
    spec = importlib.util.spec_from_file_location("func", FOLDER / "func.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.function
    module.function.close()


@pytest.fixture
def settings(database_url, broker):
    return {"DATABASE_URL": as_role(database_url, "recover"), "K_SINK": broker.url}


@pytest.fixture
def client(function, settings):
    function.configure(settings)
    return serve.application(function).test_client()


@pytest.fixture
def post(client):
    """Post an event; gives the status and the body."""

    def run(event):
        headers, body = envelope.to_binary(event)
        answer = client.post("/", headers=headers, data=body)
        return answer.status_code, answer.data

    return run


def test_a_tick_nudges_what_is_overdue(post, answered, rank, broker, row):
    """An empty 202; the nudges went to the broker as valid events."""
    (due,) = answered(rank("email", 1, to="ann@example.org"))

    assert post(TICK) == (202, b"")

    (event,) = broker.events
    assert ResponseReady.model_validate(event.data) == due.emit("", None).contract
    assert (event.source, event.subject) == ("/parley/recover", str(due.delivery_id))
    assert event.extensions == {"channel": "email", "partitionkey": str(due.session_id)}
    assert row("select array_agg(name order by name) as names from heartbeats") == {"names": ["purge", "recover"]}


def test_a_second_tick_finds_nothing(post, answered, rank, broker):
    """What was nudged has time to answer."""
    answered(rank("email", 1, to="ann@example.org"))

    post(TICK)
    status, _ = post(TICK)

    assert (status, len(broker.events)) == (202, 1)


def test_settings_say_when_it_is_looked_at_again(settings, answered, rank, row, request):
    """NUDGE_SECONDS and LONGEST_NUDGE_SECONDS, the longest being the longest."""
    settings |= {"NUDGE_SECONDS": "80000", "LONGEST_NUDGE_SECONDS": "40000"}
    answered(rank("email", 1, patience=100_000, to="ann@example.org"))

    request.getfixturevalue("post")(TICK)

    pause = row("select extract(epoch from due_at - now())::float8 as pause from deliveries")["pause"]
    assert 19_000 < pause <= 40_000


@pytest.mark.parametrize(("days", "left"), [("3", 0), ("5", 1), ("", 1)])
def test_a_setting_says_how_long_questions_are_kept(settings, answered, row, request, days, left):
    """KEEP_REQUESTS_DAYS; a tick purges, too."""
    settings |= {"KEEP_REQUESTS_DAYS": days}
    answered()
    row("update requests set finished_at = now() - interval '4 days'")

    assert request.getfixturevalue("post")(TICK) == (202, b"")

    assert row("select count(*) from requests") == {"count": left}


def test_each_rule_of_retention_is_a_setting(function, settings):
    """With the default that the domain says."""
    config = function.config(database_url="x", k_sink="x")
    kept = {field.name: getattr(config, f"keep_{field.name}_days") for field in dataclasses.fields(Retention)}

    assert Retention(**kept) == Retention()
    assert len(kept) == sum(field.name.startswith("keep_") for field in dataclasses.fields(config))


def test_a_question_that_nobody_can_end_is_ended_here(post, answered, rank, broker, row):
    """Its patience is over, and its function was told: the next rank is due, and is nudged."""
    answered(rank("email", 1, to="ann@example.org"), rank("sms", 2, to="+4912345678"))
    row("update deliveries set deadline = now() - interval '1 hour', due_at = now() - interval '1 minute', nudges = 1"
        " where rank = 1")  # fmt: skip

    assert post(TICK) == (202, b"")

    (event,) = broker.events
    assert (event.data["channel"], row("select state from deliveries where rank = 1")) == ("sms", {"state": "expired"})


@pytest.mark.parametrize("status", [500, 503])
def test_a_broker_that_is_down_is_told_to_whoever_ticks(post, answered, rank, broker, row, status):
    """503, so that the tick comes again; the delivery is owed as before."""
    answered(rank("email", 1, to="ann@example.org"))
    broker.status = status

    assert post(TICK)[0] == 503

    broker.status = 202
    row("update deliveries set due_at = now() - interval '1 second'")
    assert post(TICK)[0] == 202
    assert len(broker.events) == 2


def test_a_dead_letter_is_stored_as_the_broker_brings_it(post, row, broker):
    """202 once it is there; whole, with where and why, in the words that the function gave."""
    letter = dead_letter(EVENT, EMAIL, 422, b"", {"kne-reason": "no such request"})

    assert [post(letter), post(letter)] == [(202, b"")] * 2

    stored = row("select *, count(*) over () as all from dead_letters")
    assert envelope.from_structured(stored["event"]) == letter
    assert (stored["destination"], stored["code"], stored["reason"], stored["all"]) == (
        EMAIL,
        422,
        "no such request",
        1,
    )
    assert broker.events == []


def test_a_letter_from_nobody_reachable_has_neither_code_nor_reason(post, row):
    """The subscriber never answered."""
    assert post(dead_letter(EVENT, EMAIL))[0] == 202
    assert row("select code, reason from dead_letters") == {"code": None, "reason": None}


def test_a_structured_letter_is_stored_too(client, row):
    """The other form in which an event may come."""
    letter = dead_letter(EVENT, EMAIL, 503, b"no")

    answer = client.post(
        "/", data=envelope.dumps(envelope.to_structured(letter)), content_type="application/cloudevents+json"
    )

    assert answer.status_code == 202
    assert row("select code, reason from dead_letters") == {"code": 503, "reason": "no"}


@pytest.mark.parametrize("body", [b"\xff\x00", b"not JSON", b'{"text":"\\u0000"}', b""])
def test_a_letter_with_broken_data_is_stored_to_the_byte(post, row, body):
    """That it is broken is what it tells."""
    event = envelope.Event("1", "/x", "parley.message.received", body=body)

    assert post(dead_letter(event, EMAIL, 400))[0] == 202
    assert envelope.from_structured(row("select event from dead_letters")["event"]).body == body


def test_a_letter_that_cannot_be_stored_is_not_taken(post, row):
    """No 2xx: the broker keeps it, and stores it when it can be."""
    row("alter table dead_letters rename to mislaid")
    refused = post(dead_letter(EVENT, EMAIL))[0]
    row("alter table mislaid rename to dead_letters")

    assert refused >= 500
    assert post(dead_letter(EVENT, EMAIL))[0] == 202


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"{}", 400),
        ({"content-type": "application/cloudevents+json"}, b"{", 400),
        ({"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "parley.request.created"}, b"{}", 422),
    ],
    ids=["no event", "broken", "neither letter nor tick"],
)
def test_what_is_not_for_it_is_refused(client, row, headers, body, status):
    """Nothing is stored."""
    assert client.post("/", headers=headers, data=body).status_code == status
    assert row("select count(*) from dead_letters") == {"count": 0}


@pytest.mark.parametrize(
    ("setting", "value"), [("DATABASE_URL", ""), ("K_SINK", ""), ("NUDGE_SECONDS", "-1"), ("KEEP_AUDIT_LOG_DAYS", "x")]
)
def test_it_does_not_start_with_a_wrong_setting(function, settings, setting, value):
    """One line that names it."""
    function.configure({**settings, setting: value})

    with pytest.raises(Misconfigured, match=setting):
        function.ready()


# --- what is owed, for Prometheus ------------------------------------------------------------------------------------


def gauges(client):
    """Read /metrics as Prometheus does."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_what_is_owed_is_shown_to_prometheus(post, client, answered, rank, row):
    """Ages and counts of what is open, by state and channel; nothing of anybody."""
    answered(rank("slack"))
    answered(rank("email", to="ann@example.org"))
    post(dead_letter(EVENT, EMAIL, 422, b""))

    found = gauges(client)

    assert found["parley_deliveries_open", "email", "queued"] == 1
    assert found["parley_deliveries_oldest_age_seconds", "email"] >= 0
    assert found["parley_dead_letters_open",] == 1
    assert (found["parley_requests_open", "queued"], found["parley_requests_recent", "completed"]) == (0, 2)
    assert found["parley_overdue", "delivery"] == 2
    assert found["parley_database_connections", "used"] < found["parley_database_connections", "allowed"]
    assert "ann@" not in client.get("/metrics").text


def test_every_gauge_is_described(client):
    assert {name for name, *_ in gauges(client)} <= set(GAUGES)


def test_a_heartbeat_gets_old(post, client, row):
    """It is the age since the last tick that tells of a schedule that is gone."""
    post(TICK)
    row("update heartbeats set beat_at = now() - interval '10 minutes' returning name")

    assert 600 <= gauges(client)["parley_heartbeat_age_seconds", "recover"] < 700


def test_without_a_database_there_is_nothing_to_show(function, settings):
    function.configure({**settings, "DATABASE_URL": "postgresql://127.0.0.1:9/none"})

    assert serve.application(function).test_client().get("/metrics").status_code == 503

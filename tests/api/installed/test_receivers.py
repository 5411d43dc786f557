"""Receivers over HTTP: registered, asked, rotated, called again, replayed; and where an answer went, in words."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from api.installed.world import INTEGRATIONS, REQUESTS, problem, serving
from databases import run

from devkit.serving import LocalServer, Reply

RECEIVER = f"{INTEGRATIONS}/webhook"
PUBLIC = {"config": {"url": "https://hooks.example.org/parley"}}


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://169.254.169.254/", "http://example.org/", "https://me@example.org/"]
)
def test_an_inner_address_is_refused_at_once(ann, url):
    """Told when it is registered, with its place, and not when the first answer fails."""
    got = ann.put(RECEIVER, json={"config": {"url": url}})

    problem(got, "invalid", 422)
    assert got.json()["errors"][0]["pointer"] == "/config/url"


def test_a_new_receiver_has_both_keys_and_a_new_secret_overlaps(ann):
    """The secret and the public key are shown once; a rotation gives others."""
    made = ann.put(RECEIVER, json=PUBLIC).json()
    rotated = ann.post(f"{RECEIVER}/rotate", json={"overlap_seconds": 60}).json()
    status = ann.get(f"{RECEIVER}/status").json()

    assert re.fullmatch(r"whsec_[A-Za-z0-9+/=]{44}", made["secret"])
    assert re.fullmatch(r"whpk_[A-Za-z0-9+/=]{44}", made["public_key"])
    assert rotated["secret"] != made["secret"]
    assert (status["state"], status["generation"]) == ("ok", 2)
    assert "secret" not in ann.get(RECEIVER).json()


@pytest.fixture
def private(world, tmp_path):
    """Somebody who calls an installation that may reach this machine."""
    allowed = {"WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8", "PUBLIC_URL": "https://parley.example.org"}
    with (
        serving(world.url, world.log[0], tmp_path / "log", **allowed) as process,
        replace(world, process=process).person() as person,
    ):
        yield person


CONSENT = Reply(200, headers={"WebHook-Allowed-Origin": "parley.example.org", "WebHook-Allowed-Rate": "7"})


def test_a_receiver_of_cloudevents_has_to_consent(private):
    """Without the header nothing of it is stored; with it, its rate is kept and its secret shown."""
    replies = [Reply(200), CONSENT]
    with LocalServer(lambda _: replies.pop(0)) as server:
        wanted = {"config": {"url": server.url, "format": "binary"}}
        refused, left = private.put(RECEIVER, json=wanted), private.get(RECEIVER)
        taken = private.put(RECEIVER, json=wanted)

    problem(refused, "invalid", 422)
    problem(left, "not-found", 404)
    assert taken.status_code == 201
    assert taken.json()["secret"].startswith("whsec_")
    assert private.get(f"{RECEIVER}/status").json()["allowed_rate"] == 7


def test_a_refused_change_leaves_the_receiver_as_it_was(private, world):
    """The old one goes on, with its consent; and who is turned off is not asked."""
    replies = [CONSENT, Reply(200)]
    with LocalServer(lambda _: replies.pop(0)) as server:
        one, other = ({"url": f"{server.url}/{path}", "format": "binary"} for path in ("one", "other"))
        private.put(RECEIVER, json={"config": one})
        refused = private.put(RECEIVER, json={"config": other})
        kept = [
            config for (config,) in run(world.url, "select config from user_integrations") if config in (one, other)
        ]
        status = private.get(f"{RECEIVER}/status").json()
        off = private.put(RECEIVER, json={"config": other, "enabled": False})

    problem(refused, "invalid", 422)
    assert (kept, status["allowed_rate"]) == ([one], 7)
    assert (off.status_code, off.json()["enabled"]) == (200, False)


def test_others_receivers_are_not_found(ann, bob):
    """Nor changed, rotated, replayed."""
    ann.put(RECEIVER, json=PUBLIC)
    span = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00Z"}

    for got in (
        bob.get(f"{RECEIVER}/status"), bob.post(f"{RECEIVER}/rotate"), bob.post(f"{RECEIVER}/enable"),
        bob.post(f"{RECEIVER}/replay", json=span),
    ):  # fmt: skip
        problem(got, "not-found", 404)


@pytest.mark.parametrize(
    "span",
    [
        {"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"},
        {"since": "2026-01-01T00:00:00Z", "until": "2026-11-01T00:00:00Z"},
        {"since": "2026-11-01T00:00:00", "until": "2026-11-02T00:00:00"},
        {},
    ],
)
def test_a_replay_has_a_range(ann, span):
    """In order, at most 90 days, with a time zone."""
    ann.put(RECEIVER, json=PUBLIC)

    problem(ann.post(f"{RECEIVER}/replay", json=span), "invalid", 422)


def test_what_may_not_be_set_is_refused_by_name(ann):
    """A level that is none, an option that is none."""
    problem(ann.put(RECEIVER, json={**PUBLIC, "level": "read"}), "invalid", 422)
    got = ann.put(RECEIVER, json={"config": {**PUBLIC["config"], "format": "xml"}})

    problem(got, "invalid", 422)
    assert got.json()["errors"][0]["pointer"] == "/config/format"


def test_only_services_call_an_answer_critical(ann):
    """A person's answer waits for the morning, if they have said so."""
    got = ann.post(REQUESTS, json={"content": "Hi", "delivery": {"channels": ["test"], "critical": True}})

    problem(got, "forbidden", 403)


def test_where_an_answer_went_is_told_in_words(world, ann, bob):
    """The channel, its rank, why, and what became of it; nobody else is told."""
    asked = world.ask(ann)
    world.deliver(world.complete(world.begin(asked["request_id"])))

    got = ann.get(f"{REQUESTS}/{asked['request_id']}/deliveries")

    assert got.status_code == 200, got.text
    assert [item["state"] for item in got.json()["items"]] == ["delivered"]
    [line] = got.json()["explained"]
    assert (line["channel"], line["state"]) == ("test", "delivered")
    assert line["says"] == "the test channel, number 1 of 1, it was delivered."
    problem(bob.get(f"{REQUESTS}/{asked['request_id']}/deliveries"), "not-found", 404)


def test_what_is_in_force_says_where_it_comes_from(ann):
    """Field by field: the user's or the default's."""
    ann.put(f"{INTEGRATIONS}/email", json={"rank": 1, "patience_seconds": 60})

    found = ann.get("/api/v1/users/me/integration-defaults?explain=1").json()["items"]

    email = next(one for one in found if one["channel"] == "email")
    assert (email["rank"], email["patience_seconds"], email["enabled"]) == (1, 60, True)
    assert email["origin"] == {"enabled": "default", "rank": "user", "level": "default", "patience_seconds": "user"}


def test_quiet_hours_are_the_persons_own(ann):
    """Set, shown, forgotten; what is no time or zone is refused with its place."""
    path = "/api/v1/users/me/quiet-hours"
    put = ann.put(path, json={"from": "22:00", "until": "07:00", "timezone": "Europe/Berlin"})
    night = {"from": "22:00", "until": "07:00"}
    wrong = [ann.put(path, json={**night, **bad}) for bad in ({"from": "25:00"}, {"timezone": "X"})]

    assert put.json() == {"from": "22:00", "until": "07:00", "timezone": "Europe/Berlin"}
    assert [got.json()["errors"][0]["pointer"] for got in wrong] == ["/from", "/timezone"]
    assert ann.delete(path).status_code == 204
    assert ann.get(path).json() == {"from": None, "until": None, "timezone": "Europe/Berlin"}


def test_staff_sees_what_is_in_trouble_and_closes_it(world, ann):
    """Which credentials, since when, why, how many wait; users see none of it."""
    with world.database.transaction() as tx:
        tx.run(
            "keep_circuit", name="slack:T9", failing_since=datetime.now(UTC), failures=1, trips=1,
            opened_at=datetime.now(UTC), until=datetime.now(UTC) + timedelta(minutes=5), reason="revoked", code="x",
        )  # fmt: skip
    path = "/api/v1/admin/circuits"

    with world.person(role="admin") as admin:
        [circuit] = admin.get(path).json()["items"]
        closed, again = admin.post(f"{path}/slack:T9/close"), admin.post(f"{path}/slack:T9/close")

    assert (circuit["name"], circuit["reason"], circuit["parked"]) == ("slack:T9", "revoked", 0)
    assert (closed.status_code, closed.json(), again.status_code) == (202, {"count": 0}, 404)
    problem(ann.get(path), "forbidden", 403)

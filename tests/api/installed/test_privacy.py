"""Erasing and taking along what is one's own: a dump of the whole database is searched for what was said."""

import json
import uuid

import psycopg
from api.installed.world import API, REQUESTS, problem
from databases import run
from psycopg.types.json import Jsonb

from parley import envelope
from parley.adapters.postgres import letters
from parley.adapters.postgres.privacy import ERASED_ONLY, EXPORTED, NOBODYS
from parley.adapters.postgres.requests import Requests

TABLES = "select tablename from pg_tables where schemaname = 'public'"


def tables(url):
    """Every row of every table as text."""
    return {
        table: "\n".join(text for (text,) in run(url, f'select t::text from "{table}" t'))
        for (table,) in run(url, TABLES)
    }


def dump(url):
    return "\n".join(tables(url).values())


def said(world, person, canary, **more):
    """A question, its answer, everything around it: the canary is in all of it."""
    asked = world.ask(person, f"What is {canary}?", context={"where": canary}, **more)
    turn = world.begin(asked["request_id"])
    store = Requests(world.database)
    store.tell(turn, ("text", {"step": 0, "delta": canary}))
    store.journal(turn, kind="model", fingerprint="f", output={"text": canary})
    due = world.complete(turn, f"It is {canary}.")
    world.deliver(due)
    person.post(f"{REQUESTS}/{asked['request_id']}/feedback", json={"rating": "down", "comment": canary})
    person.post(f"{REQUESTS}/{asked['request_id']}/escalate", json={"reason": canary})
    letter = envelope.Event(
        uuid.uuid4().hex, "/x", "parley.request.created",
        body=envelope.dumps({"request_id": asked["request_id"], "note": canary}),
    )  # fmt: skip
    letters.store(world.database, letter, destination="http://x/", code=500, reason="r")
    return asked


def test_erased_user_is_nowhere(world):
    """
    After DELETE …/data no table holds anything that was said, or who said it; the key opens no more.

    Every table is named in `privacy`; whatever may hold something of a person does here, and what is theirs was in
    their export.
    """
    canary = f"canary{uuid.uuid4().hex}"
    email = f"{canary}@example.org"
    with world.person(email) as person, world.person() as other:
        me = person.get(f"{API}/me").json()["user_id"]
        session = person.post(
            f"{API}/sessions", json={"title": canary, "metadata": {"a": canary}}, headers={"Idempotency-Key": canary}
        ).json()
        said(world, person, canary, session_id=session["session_id"])
        asked = said(world, person, canary)
        person.put(f"{API}/users/me/quiet-hours", json={"from": "01:23", "until": "04:56"})
        person.put(f"{API}/users/me/integrations/email", json={"config": {"address": email}})
        person.put(f"{API}/users/me/integrations/webhook", json={"config": {"url": f"https://example.org/{canary}"}})
        kept = said(world, other, f"other{canary[6:]}")
        _in_slack(world.url, email, canary)
        _around(world.url, me, email, canary, asked["request_id"])
        before, export = tables(world.url), person.get(f"{API}/users/me/export").json()

        done = person.delete(f"{API}/users/me/data")
        after = person.get(f"{API}/me")
        theirs = other.get(kept["links"]["result"]).json()

    assert (done.status_code, done.json()) == (200, {"requests": 2, "sessions": 2, "waiting": 0})
    assert set(before) == {*EXPORTED, *ERASED_ONLY, *NOBODYS}
    marks = {name: me if name in ("token_usage", "rate_limits") else canary for name in (*EXPORTED, *ERASED_ONLY)}
    assert [name for name, mark in marks.items() if mark not in before[name]] == []
    later = tables(world.url)
    assert [name for name, text in later.items() if canary in text] == []
    assert [name for name, mark in marks.items() if mark in later[name]] == []
    assert [name for name in EXPORTED.values() if name != "usage" and canary not in json.dumps(export[name])] == []
    assert export["usage"] == [{"day": "2026-11-01", "input_tokens": 7, "output_tokens": 0, "cost": 0}]
    assert (export["user"]["quiet_from"], "01:23" in later["users"]) == ("01:23", False)
    problem(after, "unauthenticated", 401)
    assert "other" in theirs["result"]["text"]


def _in_slack(url, email, canary):
    """What was said in Slack and has no row yet: a dead letter, and one that waits in the spool."""
    with psycopg.connect(url) as connection:
        [(user,)] = connection.execute("select id from users where email = %s", (email,)).fetchall()
        connection.execute("insert into user_identities values ('slack', %s, %s)", (f"T9:{canary}", user))
        data = Jsonb({"data": {"workspace": "T9", "sender": canary, "text": canary}})
        connection.execute("insert into spool (source, id, event) values ('s', %s, %s)", (canary, data))
        connection.execute(
            "insert into dead_letters (id, event, source, event_id, type, destination)"
            " values (gen_random_uuid(), %s, 's', '1', 'parley.message.received', 'd')", (data,),
        )  # fmt: skip
        connection.execute("insert into suppressions (kind, address, reason) values ('email', %s, 'bounce')", (email,))


def _around(url, user, email, canary, request_id):
    """What other functions keep of somebody."""
    with psycopg.connect(url) as connection:
        for statement, *values in (
            ("insert into desk_employees values (%s, %s, 'EMEA', 'France', 'design')", email, canary),
            ("insert into desk_laptops values ('AF100001', %s, %s, '2024-01-01')", email, canary),
            (
                ("insert into desk_tickets (email, kind, summary, effect_key, opened_by)"
                " values (%s, 'request', %s, gen_random_uuid(), 'desk')"), email, canary,
            ),
            ("insert into desk_effects select effect_key, number, 'x' from desk_tickets",),
            ("insert into token_usage (user_id, day, input_tokens) values (%s, '2026-11-01', 7)", user),
            (
                ("insert into slack_messages (request_id, kind, part, conversation, state)"
                " values (%s, 'answer', 0, %s, 'starting')"), request_id, canary,
            ),
            (
                ("insert into actions (id, request_id, step, fingerprint, tool, arguments, digest, risk, summary,"
                " state, decided_at, expires_at) values (gen_random_uuid(), %s, 1, 'f', 't', '{}', 'd', 'write', %s,"
                " 'denied', now(), now())"), request_id, canary,
            ),
            ("update deliveries set address = %s where user_id = %s", Jsonb({"to": canary}), user),
            (
                ("update delivery_attempts a set provider_id = %s from deliveries d"
                " where d.id = a.delivery_id and d.user_id = %s"), canary, user,
            ),
            ("update api_keys set name = %s where user_id = %s", canary, user),
        ):  # fmt: skip
            connection.execute(statement, values)


def test_erased_request_is_gone_and_in_the_books(world, ann):
    """Its content is nowhere; that it was asked stays; it is 410 from then on, and the second time nothing happens."""
    canary = f"canary{uuid.uuid4().hex}"
    asked = said(world, ann, canary)
    link = ann.post(f"{REQUESTS}/{asked['request_id']}/link").json()["url"]

    done = ann.delete(f"{REQUESTS}/{asked['request_id']}")

    assert (done.status_code, done.content) == (204, b"")
    assert canary not in dump(world.url)
    for path in (*asked["links"].values(), link):
        problem(ann.get(path), "gone", 410)
    [(state, erased)] = run(world.url, "select state, erased_at from requests where id = %s", asked["request_id"])
    assert (state, erased is not None) == ("completed", True)


def test_what_still_runs_is_not_erased(world, ann):
    """A turn needs its question: cancel it first. All that waits is cancelled with the erasure of its user."""
    asked = world.ask(ann)
    refused = ann.delete(f"{REQUESTS}/{asked['request_id']}")
    world.begin(asked["request_id"])
    with_session = ann.get(f"{API}/sessions/{asked['session_id']}")
    busy = ann.delete(f"{API}/sessions/{asked['session_id']}", headers={"If-Match": with_session.headers["ETag"]})
    waiting = world.ask(ann)

    done = ann.delete(f"{API}/users/me/data").json()

    problem(refused, "conflict", 409)
    problem(busy, "busy", 409)
    assert done["waiting"] == 1
    states = "select state, cancel_requested, erased_at is not null from requests where id = any(%s) order by id"
    assert run(world.url, states, [asked["request_id"], waiting["request_id"]]) == [
        ("running", True, False), ("cancelled", True, True),
    ]  # fmt: skip


def test_erased_session_is_gone(world, ann):
    """With everything that was said in it; questions that wait are cancelled and erased with it."""
    canary = f"canary{uuid.uuid4().hex}"
    asked = said(world, ann, canary)
    path = f"{API}/sessions/{asked['session_id']}"
    world.ask(ann, canary, session_id=asked["session_id"])
    etag = ann.get(path).headers["ETag"]

    done = ann.delete(path, headers={"If-Match": etag})

    assert done.status_code == 204
    assert canary not in dump(world.url)


def test_export_holds_everything_of_one_and_nothing_of_another(world, ann, bob):
    """All that was said and is known, as one document; no secret, no digest, nothing of anybody else."""
    mine, theirs = f"canary{uuid.uuid4().hex}", f"canary{uuid.uuid4().hex}"
    asked = said(world, ann, mine)
    said(world, bob, theirs)
    ann.put(f"{API}/users/me/integrations/sms", json={"config": {"number": "+491234567"}})

    got = ann.get(f"{API}/users/me/export")
    found = got.json()

    assert got.headers["Content-Disposition"].startswith("attachment")
    assert theirs not in got.text
    assert [one["id"] for one in found["requests"]] == [asked["request_id"]]
    assert found["requests"][0]["result"]["text"] == f"It is {mine}."
    assert [one["role"] for one in found["messages"]] == ["user", "assistant"]
    assert found["integrations"][0]["config"] == {"number": "+491234567"}
    assert found["feedback"][0]["comment"] == mine
    assert "digest" not in got.text


def test_acts_on_others_are_written_down(world, bob):
    """An admin who erases somebody leaves a line that says who, what and with which key."""
    [(bobs,)] = run(world.url, "select user_id from requests where id = %s", world.ask(bob)["request_id"])
    with world.person(role="admin") as admin:
        me = admin.get(f"{API}/me").json()["user_id"]
        admin.get(f"{API}/users/{bobs}/export")
        admin.delete(f"{API}/users/{bobs}/data")
        log = admin.get(f"{API}/admin/audit-log").json()["items"]

    told = [(line["actor"], line["action"]) for line in log if line["object"] == f"user {bobs}"]
    assert told == [(f"user:{me}", "erase user"), (f"user:{me}", "change user"), (f"user:{me}", "read user")]
    assert log[0]["detail"]["role"] == "admin"

"""The request API over HTTP: who may see what, what is refused and how, addresses and deliveries."""

import threading
import uuid

import psycopg
import pytest
from api.installed.world import API, DELIVERIES, INTEGRATIONS, REQUESTS, SIGNING_KEY, UNKNOWN, problem
from databases import end_connections, run
from processes import until

from parley.channels import signing


def test_what_is_foreign_looks_like_what_is_not(world, ann, bob):
    """Request, result and delivery of somebody else are the same 404 as those that never were."""
    asked = world.ask(bob)
    due = world.complete(world.begin(asked["request_id"]))
    theirs, nobodys = str(due.delivery_id), UNKNOWN

    pairs = [
        (asked["links"][name], asked["links"][name].replace(asked["request_id"], UNKNOWN))
        for name in ("status", "result")
    ]
    pairs.append((f"{API}/deliveries/{theirs}", f"{API}/deliveries/{nobodys}"))

    for foreign, unknown in pairs:
        assert bob.get(foreign).status_code == 200
        assert problem(ann.get(foreign), "not-found", 404) == problem(ann.get(unknown), "not-found", 404)
    assert ann.get(DELIVERIES).json()["items"] == []


@pytest.mark.parametrize(
    ("role", "seen", "read"), [("user", 404, 404), ("service", 404, 404), ("support", 200, 403), ("admin", 200, 202)]
)
def test_role_says_what_is_seen_of_what_is_foreign(world, bob, role, seen, read):
    """Support sees how it stands and not what was said; admins read it, and that is written down."""
    asked = world.ask(bob)

    with world.person(role=role) as person:
        got = [person.get(asked["links"][name]).status_code for name in ("status", "result")]

    written = run(world.url, "select action from audit_log where object = %s", f"request {asked['request_id']}")
    assert got == [seen, read]
    assert written == ([("read request",)] if role == "admin" else [])


@pytest.mark.parametrize(
    "path", ["/x", "/api", "/api/v2/requests", f"{REQUESTS}/1/status", f"{REQUESTS}/{UNKNOWN}/x", f"{API}/deliveries/x"]
)
def test_path_that_is_none_is_a_problem(ann, path):
    """404 as a problem, not as a page; what is no id is no path."""
    problem(ann.get(path), "not-found", 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", REQUESTS, {"GET", "POST"}),
        ("DELETE", f"{REQUESTS}/web", {"POST"}),
        ("POST", f"{REQUESTS}/{UNKNOWN}/status", {"GET"}),
        ("PUT", f"{REQUESTS}/{UNKNOWN}/result", {"GET"}),
        ("PATCH", INTEGRATIONS, {"GET", "POST"}),
        ("GET", f"{REQUESTS}/{UNKNOWN}/cancel", {"POST"}),
        ("PATCH", f"{INTEGRATIONS}/email", {"GET", "PUT", "DELETE"}),
        ("DELETE", DELIVERIES, {"GET"}),
    ],
)
def test_wrong_method_is_told_the_right_ones(ann, method, path, allowed):
    """405 with Allow."""
    got = ann.request(method, path)

    problem(got, "method-not-allowed", 405)
    assert {name.strip() for name in got.headers["Allow"].split(",")} - {"HEAD", "OPTIONS"} == allowed


@pytest.mark.parametrize(
    "scheme", [None, "", "Bearer", "Basic {}", "{}", "Bearer {}x", "Bearer pk_x", "Bearer {} {}", "Bearer\t{}"]
)
@pytest.mark.parametrize("path", [f"{REQUESTS}/{UNKNOWN}/status", DELIVERIES, INTEGRATIONS])
def test_without_a_key_nothing_is_told(world, ann, scheme, path):
    """401 that says what is wanted, the same for every path."""
    key = ann.headers["Authorization"].removeprefix("Bearer ")
    headers = {} if scheme is None else {"Authorization": scheme.format(key, key)}

    with world.process.client(headers) as client:
        got = client.get(path)

    members = problem(got, "unauthenticated", 401)
    assert got.headers["WWW-Authenticate"] == 'Bearer realm="parley"'
    assert set(members) == {"type", "title", "status"}


def test_key_is_asked_for_before_the_body_is_read(world):
    """Who has no key is not told what is wrong with a body, and nothing is stored."""
    before = run(world.url, "select count(*) from requests")

    with world.process.client({"Authorization": "Bearer nonsense"}) as client:
        got = client.post(REQUESTS, content=b"{")

    problem(got, "unauthenticated", 401)
    assert run(world.url, "select count(*) from requests") == before


def test_half_of_a_key_opens_nothing(world, ann, bob):
    """The prefix of one key with the secret of another."""
    mine, theirs = (client.headers["Authorization"].split("_", 2) for client in (ann, bob))

    with world.process.client({"Authorization": "_".join([*mine[:2], theirs[2]])}) as client:
        got = client.get(DELIVERIES)

    problem(got, "unauthenticated", 401)


def test_scheme_has_any_case(world, ann):
    """RFC 9110 §11.1: the name of the scheme is case-insensitive."""
    headers = {"Authorization": ann.headers["Authorization"].replace("Bearer", "bEARER")}

    with world.process.client(headers) as client:
        assert client.get(DELIVERIES).status_code == 200


@pytest.mark.parametrize("email", ["named-1@example.org", "Named-2@Example.ORG"])
def test_service_asks_for_a_named_user(world, email):
    """The request is that person's, however the address is spelt, and whether we have met or not."""
    with world.person(role="service") as service, world.person(email.lower()) as named:
        asked = world.ask(service, user={"email": email})
        own = world.ask(service)
        seen = named.get(asked["links"]["status"])
        foreign = named.get(own["links"]["status"])

    assert (seen.status_code, seen.json()["request_id"]) == (200, asked["request_id"])
    assert foreign.status_code == 404


def test_service_sees_what_it_has_asked(world):
    """Whoever asked for somebody can follow the links that it was given, and cancel; no other service can."""
    email = f"{uuid.uuid4().hex}@example.org"

    with world.person(role="service") as service, world.person(role="service") as other:
        asked = world.ask(service, user={"email": email})
        paths = [asked["links"][name] for name in ("status", "result")]
        seen, foreign = ([one.get(path).status_code for path in paths] for one in (service, other))
        refused = other.post(f"{REQUESTS}/{asked['request_id']}/cancel")
        cancelled = service.post(f"{REQUESTS}/{asked['request_id']}/cancel")

    assert (seen, foreign) == ([200, 202], [404, 404])
    problem(refused, "not-found", 404)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")


def test_service_introduces_a_person(world):
    """Somebody whom nobody has met yet: what was asked is there when they come with a key."""
    email = f"{uuid.uuid4().hex}@example.org"

    with world.person(role="service") as service:
        asked = world.ask(service, user={"email": email})
    with world.person(email) as named:
        seen = named.get(asked["links"]["status"])

    assert seen.status_code == 200
    assert run(world.url, "select count(*) from users where email = %s", email) == [(1,)]


@pytest.mark.parametrize("role", ["user", "support", "admin"])
def test_only_a_service_asks_for_others(world, role):
    """403, and nothing is stored: neither the question nor the person."""
    email = f"{uuid.uuid4().hex}@example.org"

    with world.person(role=role) as person:
        got = person.post(REQUESTS, json={"content": "Hi", "user": {"email": email}})

    problem(got, "forbidden", 403)
    assert run(world.url, "select count(*) from users where email = %s", email) == [(0,)]


def test_integration_comes_and_goes(ann, bob):
    """Put, changed, listed, read, deleted; only its owner sees it."""
    made = ann.put(f"{INTEGRATIONS}/email", json={"rank": 2, "config": {"address": "ann@example.org"}})
    changed = ann.put(f"{INTEGRATIONS}/email", json={"enabled": False})
    listed, others = ann.get(INTEGRATIONS).json(), bob.get(INTEGRATIONS).json()
    one, theirs = ann.get(f"{INTEGRATIONS}/email"), bob.get(f"{INTEGRATIONS}/email")
    foreign = bob.delete(f"{INTEGRATIONS}/email")
    gone, again = ann.delete(f"{INTEGRATIONS}/email"), ann.delete(f"{INTEGRATIONS}/email")

    assert (made.status_code, changed.status_code) == (201, 200)
    assert made.json() == {
        "id": made.json()["id"], "channel": "email", "enabled": None, "rank": 2, "version": 1,
        "level": None, "patience_seconds": None, "config": {"address": "ann@example.org"},
    }  # fmt: skip
    assert changed.json() == {**made.json(), "enabled": False, "rank": None, "version": 2, "config": {}}
    assert (listed, others) == ({"items": [changed.json()]}, {"items": []})
    assert (one.status_code, one.json()) == (200, changed.json())
    problem(theirs, "not-found", 404)
    problem(foreign, "not-found", 404)
    assert (gone.status_code, gone.content) == (204, b"")
    problem(again, "not-found", 404)
    assert ann.get(INTEGRATIONS).json() == {"items": []}


def test_secret_of_a_webhook_is_shown_once(world, ann, bob):
    """It follows from our key and the integration's id, is told when it is made, and is stored nowhere."""
    body = {"config": {"url": "https://hooks.example.org/x"}}

    made, changed = ann.put(f"{INTEGRATIONS}/webhook", json=body), ann.put(f"{INTEGRATIONS}/webhook", json=body)
    listed, read = ann.get(INTEGRATIONS), ann.get(f"{INTEGRATIONS}/webhook")
    other = bob.put(f"{INTEGRATIONS}/webhook", json=body)
    ann.delete(f"{INTEGRATIONS}/webhook")
    anew = ann.put(f"{INTEGRATIONS}/webhook", json=body)

    secret = made.json()["secret"]
    assert (made.status_code, changed.status_code, anew.status_code) == (201, 200, 201)
    assert secret == signing.secret(SIGNING_KEY, made.json()["id"])
    assert "secret" not in changed.text + listed.text + read.text
    assert len({secret, other.json()["secret"], anew.json()["secret"]}) == 3
    rows = run(world.url, "select i::text from user_integrations i where channel = 'webhook'")
    assert rows
    assert not any("whsec" in text or secret.removeprefix("whsec_") in text for (text,) in rows)


def test_other_channels_have_no_secret(ann):
    """Only a webhook is signed."""
    got = ann.put(f"{INTEGRATIONS}/sms", json={"config": {"number": "+491234567"}})

    assert (got.status_code, "secret" in got.json()) == (201, False)


@pytest.mark.parametrize("channel", ["pigeon", "%00", "%F0%9F%95%8A", "email%20"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_channel_that_is_none_is_not_found(ann, method, channel):
    """A channel that we do not have, before anything is said about a body."""
    problem(ann.request(method, f"{INTEGRATIONS}/{channel}"), "not-found", 404)


def test_integration_that_is_none_changes_nothing(ann):
    """422 with the place of the fault; what was there stays."""
    ann.put(f"{INTEGRATIONS}/sms", json={"config": {"number": "+491234567"}})

    got = ann.put(f"{INTEGRATIONS}/sms", json={"config": {"number": "call me"}})

    assert [error["pointer"] for error in problem(got, "invalid", 422)["errors"]] == ["/config/number"]
    assert "call me" not in got.text
    assert ann.get(INTEGRATIONS).json()["items"][0]["config"] == {"number": "+491234567"}


def test_deliveries_are_told_newest_first(world, ann):
    """As many as asked for; each only with what concerns its owner."""
    made = [world.complete(world.begin(world.ask(ann)["request_id"])) for _ in range(3)]

    everything = ann.get(DELIVERIES).json()["items"]
    two = ann.get(DELIVERIES, params={"limit": 2}).json()["items"]

    assert [one["id"] for one in everything] == [str(due.delivery_id) for due in reversed(made)]
    assert two == everything[:2]
    assert "user_id" not in everything[0]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", "", "1e1", "٣", "9" * 30])
def test_limit_that_is_none_is_refused(ann, limit):
    """1 to 100."""
    problem(ann.get(DELIVERIES, params={"limit": limit}), "bad-request", 400)


@pytest.mark.parametrize(
    ("body", "media", "kind", "status"),
    [
        (b'{"content": "Hi"', "application/json", "bad-request", 400),
        (b'{"content": "Hi"}', "text/plain", "not-json", 415),
        (b'{"content": "Hi", "color": "red"}', "application/json", "invalid", 422),
        (b'{"content": ""}', "application/json", "invalid", 422),
        (b'["Hi"]', "application/json", "invalid", 422),
        (b'{"content": "' + b"x" * (64 << 10) + b'"}', "application/json", "too-large", 413),
    ],
    ids=["cut", "text", "another member", "blank", "a list", "large"],
)
def test_body_that_does_not_fit_is_refused(world, ann, body, media, kind, status):
    """With a problem of a stable type, and nothing is stored."""
    before = run(world.url, "select count(*) from requests")

    got = ann.post(REQUESTS, content=body, headers={"Content-Type": media})

    problem(got, kind, status)
    assert run(world.url, "select count(*) from requests") == before


def test_body_in_pieces_has_the_same_limit(ann):
    """413 also when its length was not told."""
    pieces = (b"x" * 1024 for _ in range(65))

    got = ann.post(REQUESTS, content=pieces, headers={"Content-Type": "application/json"})

    problem(got, "too-large", 413)


def test_very_large_body_is_a_problem_too(ann):
    """413, when the server itself refuses it before we are asked."""
    got = ann.post(REQUESTS, content=b"x" * (3 << 20), headers={"Content-Type": "application/json"})

    problem(got, "too-large", 413)


def test_pointer_points_into_the_body(ann):
    """Only at what was sent, and once at each place."""
    got = ann.post(REQUESTS, json={"content": "Hi", "context": {"n": []}})

    assert [error["pointer"] for error in problem(got, "invalid", 422)["errors"]] == ["/context/n"]


@pytest.mark.parametrize("path", [REQUESTS, "/nowhere"])
def test_caller_finds_its_own_id_again(ann, path):
    """X-Request-Id comes back, in a problem also as a member; a very long one is cut."""
    got = ann.post(path, json={}, headers={"X-Request-Id": "mine-" + "x" * 300})

    expected = "mine-" + "x" * 195
    assert got.headers["X-Request-Id"] == got.json()["request_id"] == expected


def test_answers_are_not_kept_by_caches(world, ann):
    """They are one person's."""
    links = world.ask(ann)["links"]

    assert [ann.get(path).headers["Cache-Control"] for path in (links["status"], links["result"], DELIVERIES)] == [
        "no-store"
    ] * 3


def test_database_that_goes_away_is_told_as_such(world, ann):
    """503 as a problem with Retry-After, without a word of what has happened; then it goes on."""
    answers = []
    waiting = (
        "select 1 from pg_stat_activity where application_name = 'parley-request-api' and wait_event_type = 'Lock'"
    )

    with psycopg.connect(world.url) as other:
        other.execute("lock table api_keys")
        call = threading.Thread(target=lambda: answers.append(ann.get(DELIVERIES)))
        call.start()
        until(lambda: run(world.url, waiting))
        end_connections(world.url, "parley-request-api")
        call.join(30)
    after = until(lambda: ann.get(DELIVERIES).status_code == 200)

    [got] = answers
    assert set(problem(got, "unavailable", 503)) == {"type", "title", "status"}
    assert int(got.headers["Retry-After"]) >= 1
    assert after


def test_log_knows_the_request_and_not_the_question(world, ann):
    """Every line is JSON; the call has its ids and its route; content, key and problem values are not there."""
    asked = world.ask(ann, "a very private question", context={"page": "a-private-page"})
    ann.post(REQUESTS, json={"content": "Hi", "a-private-member": 1})
    ann.get(f"{REQUESTS}/{asked['request_id']}/status?a-private-query")

    mine = [line for line in world.process.lines() if line.get("request_id") == asked["request_id"]]
    assert [(line["message"], line["status"], line["route"]) for line in mine] == [("handled", 202, REQUESTS)]
    assert mine[0]["session_id"] == asked["session_id"]
    assert "private" not in world.process.errors()
    assert ann.headers["Authorization"].split("_", 2)[2] not in world.process.errors()
    assert world.process.output() == ""

"""
Every route for everybody who may come: generated from the routes, with what this table says of them.

A route that is not in the table fails: whoever adds one says here who may call it.
"""

import time

import pytest
from api.matrix.things import DIGEST, made

from devkit.oidc import OpenIdProvider
from parley import runtime, serve
from parley.adapters.oidc import Provider, Tokens
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.users import Users
from parley.api.routes import ROUTES, Api

EVERYBODY, STAFF, ADMIN, PUBLIC, PAGE = "everybody", "staff", "admin", "public", "our own page"

# Whose thing the path names and what is done with it (access.py), or who may call it at all.
TABLE = {
    "ask": EVERYBODY, "ask_generic": EVERYBODY, "ask_web": EVERYBODY, "ask_cli": EVERYBODY, "ask_tool": EVERYBODY,
    "list_requests": EVERYBODY, "create_session": EVERYBODY, "list_sessions": EVERYBODY, "me": EVERYBODY,
    "list_keys": EVERYBODY, "create_key": EVERYBODY, "list_defaults": EVERYBODY,
    "status": "see", "get_session": "see", "list_deliveries": "see", "get_delivery": "see", "list_integrations": "see",
    "get_integration": "see", "get_effective": "see", "list_request_deliveries": "see", "get_receiver": "see",
    "result": "read", "events": "read", "make_link": "read", "list_messages": "read", "export": "read",
    "feedback": "read",
    "cancel": "change", "erase_request": "change", "escalate": "change", "change_session": "change",
    "erase_session": "change", "reset_session": "change", "create_integration": "change", "put_integration": "change",
    "delete_integration": "change", "reset_integrations": "change", "erase_user": "change", "revoke_key": "change",
    "rotate_secret": "change", "enable_receiver": "change", "replay_deliveries": "change",
    "get_quiet_hours": "see", "put_quiet_hours": "change", "delete_quiet_hours": "change",
    "list_circuits": STAFF, "close_circuit": ADMIN, "redeliver": "repair", "decide": "own",
    "stuck": STAFF, "list_dead_letters": STAFF, "replay_dead_letter": STAFF, "list_escalations": STAFF,
    "close_escalation": STAFF, "get_dead_letter": ADMIN, "list_audit_log": ADMIN,
    "get_timeline": STAFF, "get_metrics": STAFF,
    "read_link": PUBLIC, "openapi": PUBLIC, "reference": PUBLIC, "slack_install": PUBLIC,
    "slack_oauth_redirect": PUBLIC, "chat_page": PUBLIC, "console_page": PUBLIC, "sign_in_page": PUBLIC,
    "page_file": PUBLIC, "get_browser_session": PUBLIC, "sign_in": PAGE, "sign_out": PAGE,
    "sign_in_oidc": PUBLIC, "sign_in_callback": PUBLIC,
}  # fmt: skip
MAY = {
    "own": {"owner"}, "see": {"owner", "support", "admin"}, "read": {"owner", "admin"}, "change": {"owner", "admin"},
    "repair": {"owner", "support", "admin"}, EVERYBODY: {"owner", "other", "support", "admin"},
    STAFF: {"support", "admin"}, ADMIN: {"admin"},
}  # fmt: skip
STRANGERS = ("anonymous", "expired key", "revoked key", "wrong audience", "alg none", "expired token", "other issuer")
ACTORS = ("owner", "other", "support", "admin", *STRANGERS)
BODIES = {
    "ask": {"content": "Hi"}, "ask_generic": {"content": "Hi"}, "ask_web": {"content": "Hi"},
    "ask_cli": {"content": "Hi"}, "ask_tool": {"content": "Hi", "tool_id": "t", "trigger_event": "e"},
    "feedback": {"rating": "up"}, "escalate": {"reason": "why"}, "decide": {"decision": "deny", "digest": DIGEST},
    "create_session": {"title": "t"}, "change_session": {"title": "t"}, "create_key": {"name": "k"},
    "sign_in": {"key": "k"}, "create_integration": {"channel": "email"}, "put_integration": {"rank": 2},
}  # fmt: skip
BODIES["replay_deliveries"] = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00Z"}
BODIES["rotate_secret"] = {}
BODIES["put_quiet_hours"] = {"from": "22:00", "until": "07:00"}
RECEIVERS = {"get_receiver", "rotate_secret", "enable_receiver", "replay_deliveries"}
UNCONFIGURED = {
    "slack_install",
    "slack_oauth_redirect",
    "page_file",
    "sign_in_oidc",
    "sign_in_callback",
}  # 404 here, with tests of their own


def name(route):
    return route.name or route.view.__name__.strip("_")


@pytest.fixture(scope="module")
def provider():
    with OpenIdProvider() as provider:
        yield provider


@pytest.fixture
def client(api, database, provider):
    """The API with tokens of a provider."""
    tokens = Tokens(Provider(provider.issuer, (provider.audience,)), Users(database))
    whole = Api(database, api.desk.store, api.desk.publisher, api.desk.rules, tokens=tokens)
    function = runtime.http_function("request-api", config=type(None), build=lambda _: whole)
    function._handler = whole
    return serve.application(function).test_client()


@pytest.fixture
def bearer(database, provider, rows):
    """Give what each actor shows at the door."""

    def key(role, ended=None):
        made = Keys(database).create(email=f"{role}@example.org", role=role, name="test", days=1)
        if ended:
            rows(f"update api_keys set {ended} = now() where prefix = %s", made.split("_")[1])
        return made

    return {
        "other": lambda: key("user"),
        "support": lambda: key("support"),
        "admin": lambda: key("admin"),
        "anonymous": lambda: None,
        "expired key": lambda: key("admin", "expires_at"),
        "revoked key": lambda: key("admin", "revoked_at"),
        "wrong audience": lambda: provider.token(aud="somebody-else"),
        "alg none": provider.unsigned,
        "expired token": lambda: provider.token(exp=int(time.time()) - 120),
        "other issuer": lambda: provider.token(iss="https://elsewhere.example"),
    }


def expected(route, actor):
    """Give the statuses that are right."""
    who = TABLE[name(route)]
    good = set(route.answers)
    if who == PAGE:  # with a cookie, and from a browser that says where the call comes from
        return {403}
    if who == PUBLIC:
        return {404} if name(route) in UNCONFIGURED else good
    if actor in STRANGERS:
        return {401}
    if actor in MAY[who]:
        return good
    if who in (STAFF, ADMIN):
        return {403}
    return {404} if actor == "other" else {403}


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_who_may_call_what(client, bearer, database, rows, route):
    """Success for those who may, 401 without a valid key, 403 for the wrong role, 404 for what is not theirs."""
    things, got = made(database, rows), {}
    for actor in reversed(ACTORS):  # strangers first: they change nothing
        got[actor] = call(client, route, things, bearer.get(actor, lambda: things.key)()).status_code  # noqa: B023
        if actor not in STRANGERS and route.method != "GET":
            things = made(database, rows)

    wrong = {actor: status for actor, status in got.items() if status not in expected(route, actor)}
    assert wrong == {}


AUDITED = [
    route
    for route in ROUTES
    if TABLE[name(route)] in ("read", "change", "repair")
    or (TABLE[name(route)] in (STAFF, ADMIN) and route.method != "GET")
    or name(route) in ("create_key", "get_dead_letter")
]


@pytest.mark.parametrize("route", AUDITED, ids=name)
def test_what_an_admin_does_with_what_is_not_theirs_is_written_down(client, bearer, database, rows, route):
    """Who, what and of whom, by every route that shows what was said or changes anything; and it stays written."""
    things, key = made(database, rows), bearer["admin"]()
    [admin] = rows("select id from users where email = 'admin@example.org'")
    before = {row["id"] for row in rows("select id from audit_log")}

    done = call(client, route, things, key)

    written = [row for row in rows("select * from audit_log order by id") if row["id"] not in before]
    assert done.status_code < 300, done.text
    assert [(row["actor"], row["detail"]["role"]) for row in written] == [(f"user:{admin['id']}", "admin")] * len(
        written
    )
    named = {part for row in written for part in row["object"].split()}
    assert named & {*things.path.values(), done.json["prefix"] if name(route) == "create_key" else None}


def call(client, route, things, key):
    """Call a route with somebody's things, as it wants to be called."""
    path = {**things.path, "request_id": things.path["waiting" if name(route) == "decide" else "request_id"]}
    path["channel"] = "webhook" if name(route) in RECEIVERS else path["channel"]
    headers = {"Prefer": "respond-async", "Idempotency-Key": path["action_id"], "If-Match": "*"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    body = BODIES.get(name(route))
    return client.open(route.path.format(**path), method=route.method, headers=headers, json=body)


def test_token_of_the_provider_opens_the_door(client, provider):
    """The other side of the matrix: a good token is somebody, and its roles are taken only from its own claim."""
    headers = {"Authorization": f"Bearer {provider.token('ann', roles=['parley-admin'])}"}

    assert client.get("/api/v1/me", headers=headers).status_code == 200

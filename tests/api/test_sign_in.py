"""Signing in on the page: what opens a session, what it may, how it ends, and that no other page can use it."""

import pytest

from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.sign_ins import SignIns
from parley.adapters.postgres.users import Users

SESSION = "/api/v1/session"
OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def browser(client):
    """A browser on this machine, which says where its calls come from."""

    def call(method, path, body=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.open(path, method=method, json=body, headers=named or OURS)

    return call


@pytest.fixture
def key(database):
    def make(**more):
        return Keys(database).create(**{"email": "ann@example.org", "role": "user", "name": "test", **more})

    return make


def sign_in(browser, secret):
    return browser("POST", SESSION, {"key": secret})


def test_a_key_becomes_a_cookie_that_no_script_reads(browser, key):
    """It is not the key, and it says who that is, on each route of the API."""
    secret = key()

    got = sign_in(browser, secret)

    cookie = got.headers["Set-Cookie"]
    assert got.status_code == 201
    assert got.get_json()["me"]["email"] == "ann@example.org"
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert secret not in cookie
    assert browser("GET", "/api/v1/me").get_json()["email"] == "ann@example.org"
    assert browser("GET", SESSION).get_json()["me"]["email"] == "ann@example.org"


def test_elsewhere_than_on_this_machine_the_cookie_is_secure(client, key):
    """And bound to its very host: no neighbour's page can set it."""
    got = client.post(SESSION, json={"key": key()}, headers=OURS, base_url="https://parley.example.org")

    name, *attributes = got.headers["Set-Cookie"].split("; ")
    assert name.startswith("__Host-parley=")
    assert "Secure" in attributes
    assert not any(attribute.startswith("Domain") for attribute in attributes)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Accept": "*/*"},
    ],
    ids=str,
)
def test_no_other_page_changes_anything_with_the_cookie(browser, client, key, rows, headers):
    """A call that changes something must say that our own page makes it; nothing said is refused, too."""
    sign_in(browser, key())

    tried = [
        client.post("/api/v1/requests", json={"content": "Hi"}, headers=headers),
        client.post(SESSION, json={"key": key()}, headers=headers),
        client.delete(SESSION, headers=headers),
    ]

    assert [one.status_code for one in tried] == [403, 403, 403]
    assert rows("select count(*) from requests") == [{"count": 0}]


def test_our_own_page_may_say_so_by_its_origin(browser, client, key):
    """Browsers without fetch metadata send an Origin, which no page can forge."""
    sign_in(browser, key())

    headers = {"Origin": "http://localhost", "Prefer": "respond-async"}
    assert client.post("/api/v1/requests", json={"content": "Hi"}, headers=headers).status_code == 202


@pytest.mark.parametrize("end", ["revoked_at", "expires_at"])
def test_a_session_ends_with_the_key_that_opened_it(browser, key, rows, end):
    """Whoever revokes a key has closed every door that it opened."""
    sign_in(browser, key(days=1))
    rows(f"update api_keys set {end} = now() where kind = 'key'")

    assert browser("GET", "/api/v1/me").status_code == 401
    assert browser("GET", SESSION).get_json()["me"] is None


def test_a_session_may_no_more_than_its_key(browser, key):
    """Its role and its scopes."""
    sign_in(browser, key(role="support", scopes=["requests:read"]))

    me = browser("GET", "/api/v1/me").get_json()
    assert (me["role"], me["scopes"]) == ("support", ["requests:read"])
    assert browser("POST", "/api/v1/sessions", {"title": "t"}).status_code == 403


def test_signing_out_ends_the_session_on_the_server(browser, client, key):
    """A cookie that was copied before opens nothing afterwards."""
    sign_in(browser, key())
    copied = client.get_cookie("parley").value

    assert browser("DELETE", SESSION).status_code == 204

    client.set_cookie("parley", copied)
    assert browser("GET", "/api/v1/me").status_code == 401


def test_a_session_opens_no_door_for_programs(browser, client, key):
    """Its secret is no API key, and an API key in the cookie is no session."""
    secret = key()
    sign_in(browser, secret)
    session = client.get_cookie("parley").value
    client.delete_cookie("parley")

    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {session}"}).status_code == 401
    client.set_cookie("parley", secret)
    assert client.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("secret", ["x", "pk_AAAAAAAA_" + "a" * 43])
def test_what_is_no_key_opens_nothing(browser, secret):
    """And sets no cookie."""
    got = sign_in(browser, secret)

    assert got.status_code == 401
    assert "Set-Cookie" not in got.headers


def test_a_service_key_is_not_for_people(browser, key):
    """It acts for anybody: a browser is no place for it."""
    assert sign_in(browser, key(role="service")).status_code == 403


def test_a_link_signs_in_once(browser, database):
    """Whoever finds it afterwards finds nothing."""
    user_id = Users(database).meet("email", "you@example.org", email="you@example.org", name="", timezone=None)
    secret = SignIns(database).link(user_id, "admin")

    first, second = sign_in(browser, secret), sign_in(browser, secret)

    assert (first.status_code, second.status_code) == (201, 401)
    assert first.get_json()["me"]["role"] == "admin"
    assert browser("GET", "/api/v1/me").get_json()["role"] == "admin"


def test_a_link_that_nobody_used_soon_signs_in_nobody(browser, database, rows):
    """A quarter of an hour: what lies about in a terminal is worth nothing."""
    user_id = Users(database).meet("email", "you@example.org", email="you@example.org", name="", timezone=None)
    secret = SignIns(database).link(user_id, "admin")

    rows("update api_keys set expires_at = expires_at - interval '15 minutes' where kind = 'link'")

    assert sign_in(browser, secret).status_code == 401


def test_a_link_is_no_session_and_no_key(client, database):
    """It is only exchanged."""
    user_id = Users(database).meet("email", "you@example.org", email="you@example.org", name="", timezone=None)
    secret = SignIns(database).link(user_id, "admin")

    assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    client.set_cookie("parley", secret)
    assert client.get("/api/v1/me").status_code == 401


def test_sessions_are_erased_with_their_user(browser, key, rows):
    """Nobody stays signed in who is forgotten."""
    sign_in(browser, key())

    assert browser("DELETE", "/api/v1/users/me/data").status_code == 200

    assert browser("GET", "/api/v1/me").status_code == 401
    assert rows("select count(*) from api_keys") == [{"count": 0}]

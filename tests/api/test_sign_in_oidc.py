"""Signing in at an OpenID provider: only the browser that began, only with what was made for it."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from devkit.oidc import OpenIdProvider
from parley import runtime, serve
from parley.adapters.oidc import Provider, Tokens
from parley.adapters.oidc_code import Client, CodeFlow
from parley.adapters.postgres.users import Users
from parley.api.routes import Api
from parley.errors import Misconfigured

CALLBACK = "/sign-in/callback"


@pytest.fixture(scope="module")
def provider():
    with OpenIdProvider() as provider:
        yield provider


@pytest.fixture
def browser(api, database, provider):
    """The API with a provider at which people sign in."""
    ours = Provider(provider.issuer, (provider.audience,), names={"parley-support": "support"})
    tokens = Tokens(ours, Users(database))
    api.desk.rules.sign_in = CodeFlow(ours, Client("page", "secret", f"http://localhost{CALLBACK}"), tokens)
    whole = Api(database, api.desk.store, api.desk.publisher, api.desk.rules, tokens=tokens)
    function = runtime.http_function("request-api", config=type(None), build=lambda _: whole)
    function._handler = whole
    return serve.application(function).test_client()


def begun(browser, then="/console"):
    """Begin; gives what the provider is asked for."""
    got = browser.get(f"/sign-in/oidc?{urlencode({'then': then})}")
    assert got.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(got.headers["Location"]).query).items()}


def test_there_and_back(browser, provider):
    """A code, exchanged with our secret and verifier, becomes a session with the role of the token."""
    wanted = begun(browser)
    code = provider.sign_in(wanted, "ann", roles=["parley-support"], email="ann@example.org", email_verified=True)

    got = browser.get(f"{CALLBACK}?{urlencode({'code': code, 'state': wanted['state'], 'iss': provider.issuer})}")

    assert (got.status_code, got.headers["Location"]) == (302, "/console")
    me = browser.get("/api/v1/me").get_json()
    assert (me["email"], me["role"]) == ("ann@example.org", "support")
    assert (wanted["code_challenge_method"], wanted["scope"]) == ("S256", "openid email profile")


@pytest.mark.parametrize("wrong", ["state", "code", "browser", "nonce", "audience", "verifier"])
def test_nobody_is_let_in_by_what_does_not_fit(browser, provider, wrong):
    """A foreign state, code, browser, nonce, audience or verifier: no session, and one may try again."""
    wanted = begun(browser)
    said = {"nonce": "other"} if wrong == "nonce" else {"aud": "other"} if wrong == "audience" else {}
    asked = {**wanted, "code_challenge": "x" * 43} if wrong == "verifier" else wanted
    code = "made-up" if wrong == "code" else provider.sign_in(asked, "ann", **said)
    if wrong == "browser":
        browser.delete_cookie("parley-attempt")
    state = "other" if wrong == "state" else wanted["state"]

    got = browser.get(f"{CALLBACK}?{urlencode({'code': code, 'state': state})}")

    assert got.headers["Location"] == "/sign-in?failed=1"
    assert browser.get("/api/v1/me").status_code == 401


def test_a_code_is_good_once(browser, provider):
    """And an attempt, too: its cookie is gone afterwards."""
    wanted = begun(browser)
    back = f"{CALLBACK}?{urlencode({'code': provider.sign_in(wanted, 'ann'), 'state': wanted['state']})}"

    assert browser.get(back).headers["Location"] == "/console"
    assert browser.get(back).headers["Location"] == "/sign-in?failed=1"


@pytest.mark.parametrize(
    "then", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
def test_nobody_is_sent_elsewhere_afterwards(browser, provider, then):
    """To our own pages only."""
    wanted = begun(browser, then)

    got = browser.get(f"{CALLBACK}?{urlencode({'code': provider.sign_in(wanted, 'ann'), 'state': wanted['state']})}")

    assert got.headers["Location"] == "/"


def test_the_attempt_is_for_this_browser_alone(browser):
    """Its cookie is read by no script; a new one each time."""
    first, second = browser.get("/sign-in/oidc"), browser.get("/sign-in/oidc")

    assert re.search(r"parley-attempt=.*HttpOnly.*SameSite=Lax", first.headers["Set-Cookie"])
    assert first.headers["Location"] != second.headers["Location"]


@pytest.mark.parametrize(
    "said", [{"exp": 1}, {"iss": "https://other.example"}, {"sub": None}, {"alg": "none"}], ids=str
)
def test_a_token_must_hold(browser, provider, said):
    """Too old, of another issuer, of nobody, signed by nobody."""
    wanted = begun(browser)
    if said == {"alg": "none"}:
        made = provider.unsigned("ann", aud=wanted["client_id"], nonce=wanted["nonce"])
        code = provider.sign_in(wanted, "ann", made=made)
    else:
        code = provider.sign_in(wanted, "ann", **said)

    got = browser.get(f"{CALLBACK}?{urlencode({'code': code, 'state': wanted['state']})}")

    assert got.headers["Location"] == "/sign-in?failed=1"
    assert browser.get("/api/v1/me").status_code == 401


def test_a_provider_that_is_down_is_said_to_be(browser, provider):
    """At either end of the way; the attempt goes on when it is back."""
    provider.is_down = True
    assert browser.get("/sign-in/oidc").status_code == 503
    provider.is_down = False
    wanted = begun(browser)
    back = f"{CALLBACK}?{urlencode({'code': provider.sign_in(wanted, 'ann'), 'state': wanted['state']})}"
    provider.is_down = True
    down = browser.get(back)
    provider.is_down = False

    assert down.status_code == 503
    assert browser.get(back).headers["Location"] == "/console"


def test_nobody_is_signed_out_by_a_link(browser, provider):
    """Who is signed in stays so, whatever page sends them to the way in or to its end."""
    wanted = begun(browser)
    browser.get(f"{CALLBACK}?{urlencode({'code': provider.sign_in(wanted, 'ann'), 'state': wanted['state']})}")

    tried = [browser.get("/sign-in/oidc").status_code, browser.get(f"{CALLBACK}?state=x&code=y").status_code]

    assert tried == [302, 302]
    assert browser.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize("change", ["then", "end"])
def test_an_attempt_is_ours_or_none(browser, provider, change):
    """A cookie that was written by somebody else sends nobody anywhere, and none gets older by a change."""
    wanted = begun(browser)
    cookie = browser.get_cookie("parley-attempt").value
    mac, until, rest = cookie.split(".", 2)
    changed = {"then": f"{mac}.{until}.{rest.replace('console', 'chat')}", "end": f"{mac}.{int(until) + 9}.{rest}"}
    assert changed[change] != cookie
    browser.set_cookie("parley-attempt", changed[change])

    got = browser.get(f"{CALLBACK}?{urlencode({'code': provider.sign_in(wanted, 'ann'), 'state': wanted['state']})}")

    assert got.headers["Location"] == "/sign-in?failed=1"


def test_without_a_provider_there_is_no_such_way(client):
    """Nothing is open that nobody has configured."""
    assert client.get("/sign-in/oidc").status_code == 404
    assert client.get(CALLBACK).status_code == 404
    assert client.get("/api/v1/session").get_json()["ways"] == ["key"]


def test_people_are_sent_back_encrypted():
    """A code over plain HTTP is everybody's."""
    with pytest.raises(Misconfigured, match="PUBLIC_URL"):
        Client("page", None, "http://parley.example.org/sign-in/callback")

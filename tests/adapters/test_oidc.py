"""Tokens of an OpenID provider, over real HTTP with real keys: the good ones are somebody, all others nobody."""

import base64
import hashlib
import hmac
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from devkit.oidc import OpenIdProvider
from parley.adapters.oidc import KeySet, Provider, Tokens, fetched
from parley.errors import Misconfigured, Unavailable

NAMES = {"parley-admin": "admin", "parley-support": "support", "parley-service": "service"}


@pytest.fixture(scope="module")
def running():
    with OpenIdProvider() as provider:
        yield provider


@pytest.fixture
def provider(running):
    """A provider that is up, with one key."""
    running.is_down = False
    running.asked.clear()
    running.rotate()
    return running


class People:
    """Users by identity."""

    def __init__(self):
        self.met = {}

        self.staff = []

    def of_token(self, value, email, name, role):
        self.staff.append(role)
        return self.met.setdefault(value, (email, name))


class Clock:
    """Stands until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(provider, clock):
    """Who takes this provider's tokens; settings can be given."""

    def make(people=None, **settings):
        known = Provider(**{"issuer": provider.issuer, "audience": ("parley",), "names": NAMES, **settings})
        return Tokens(known, people or People(), KeySet(known, clock=clock))

    return make


def test_token_is_a_person(tokens, provider):
    """Met by issuer and subject, with the address that the provider has verified; the same person each time."""
    door = tokens()
    token = provider.token("ann-1", email="ann@example.org", email_verified=True, name="Ann")

    first, second = door.principal(token), door.principal(token)

    assert first == second
    assert (first.user_id, first.role, first.key_id, first.scopes) == (("ann@example.org", "Ann"), "user", None, None)
    assert provider.asked == {"/.well-known/openid-configuration": 1, "/keys": 1}


@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_address_that_nobody_has_verified_is_nobodys(tokens, provider, verified):
    """Else whoever can write an address into a profile would be that person here."""
    found = tokens().principal(provider.token("eve", email="ann@example.org", email_verified=verified))

    assert found.user_id == (None, "")


@pytest.mark.parametrize(
    ("claims", "path", "role"),
    [
        ({"roles": ["parley-support"]}, "roles", "support"),
        ({"roles": ["parley-support", "parley-admin", "x"]}, "roles", "admin"),
        ({"roles": "parley-service"}, "roles", "service"),
        ({"realm_access": {"roles": ["parley-admin"]}}, "realm_access.roles", "admin"),
        ({"groups": ["parley-admin"]}, "roles", "user"),
        ({"roles": ["admin", None, 3, {}]}, "roles", "user"),
        ({"roles": {"parley-admin": 1}}, "roles.x", "user"),
        ({}, "roles", "user"),
    ],
)
def test_role_is_taken_from_its_own_claim(tokens, provider, claims, path, role):
    """The greatest that is named where the setting says; anything else is nobody special. Who is staff is kept."""
    people = People()
    assert tokens(people, roles=path).principal(provider.token(**claims)).role == role
    assert people.staff == [role if role in ("support", "admin") else None]


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")


def signed_with_the_public_key(provider):
    """A token signed by HMAC with what everybody knows, for those who take the algorithm from the token."""
    now = int(time.time())
    body = {"iss": provider.issuer, "aud": "parley", "sub": "eve", "iat": now, "exp": now + 600}
    said = b".".join([encoded({"alg": "HS256", "typ": "JWT", "kid": provider.kid}), encoded(body)])
    mac = hmac.new(provider.public_pem(), said, hashlib.sha256).digest()
    return b".".join([said, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def in_the_name_of(other, provider, **head):
    """A token that somebody else has signed, in our provider's name."""
    return other.token("eve", iss=provider.issuer, head=head)


BAD = {
    "none": lambda p, _: p.unsigned(),
    "HMAC with the public key": lambda p, _: signed_with_the_public_key(p),
    "somebody else's key": lambda p, other: in_the_name_of(other, p),
    "somebody else's key by our name": lambda p, other: in_the_name_of(other, p, kid=p.kid),
    "a key that it brings along": lambda p, other: in_the_name_of(other, p, kid=p.kid, jku=f"{other.issuer}/keys"),
    "a path as key": lambda p, other: in_the_name_of(other, p, kid="../../../../dev/null"),
    "a number as key": lambda p, other: in_the_name_of(other, p, kid="1"),
    "another issuer": lambda p, _: p.token(iss="https://elsewhere.example"),
    "another audience": lambda p, _: p.token(aud="somebody-else"),
    "no audience": lambda p, _: p.token(aud=None),
    "expired": lambda p, _: p.token(exp=int(time.time()) - 61),
    "no end": lambda p, _: p.token(exp=None),
    "not yet": lambda p, _: p.token(nbf=int(time.time()) + 120),
    "made in the future": lambda p, _: p.token(iat=int(time.time()) + 120),
    "nobody": lambda p, _: p.token(""),
    "no subject": lambda p, _: p.token(sub=None),
    "a number as subject": lambda p, _: p.token(sub=7),
    "a NUL as subject": lambda p, _: p.token("a\x00b"),
    "too long": lambda p, _: p.token(more="x" * 9000),
    "cut": lambda p, _: p.token()[:-1],
    "changed": lambda p, _: p.token().replace(".", ".e", 1),
    "no token": lambda *_: "a.b.c",
    "empty": lambda *_: "..",
    "not ASCII": lambda *_: "ä.ö.ü",
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_token_is_nobodys(tokens, provider, kind):
    """Whatever is wrong with it: no principal, and nobody is met."""
    door = tokens()

    with OpenIdProvider() as other:
        found = door.principal(BAD[kind](provider, other))

    assert found is None
    assert door._users.met == {}


def test_clocks_may_differ_by_a_minute(tokens, provider):
    """Just expired, and just about to begin, is good."""
    now = int(time.time())

    assert tokens().principal(provider.token(exp=now - 30, nbf=now + 30))


def test_one_of_several_audiences_is_enough(tokens, provider):
    assert tokens(audience=("parley", "parley-cli")).principal(provider.token(aud=["x", "parley-cli"]))


def test_algorithm_that_is_not_on_the_list_is_refused(tokens, provider):
    """A good signature by an algorithm that nobody allowed is no signature."""
    token = provider.token()

    assert tokens(algorithms=("ES256",)).principal(token) is None
    provider.rotate(curve=True)
    assert tokens(algorithms=("ES256",)).principal(provider.token())


def test_new_key_is_fetched_and_an_old_one_ends(tokens, provider, clock):
    """Rotation: the first token of the new key fetches it; what the old key has signed is good no more."""
    door, old = tokens(), provider.token()
    assert door.principal(old)

    provider.rotate()
    clock.now += 11
    assert door.principal(provider.token())
    assert door.principal(old) is None


def test_unknown_keys_cause_no_storm(tokens, provider, clock):
    """Made-up key ids fetch once in ten seconds, however many come at once; known ones are not held up."""
    door = tokens()
    good = provider.token()
    assert door.principal(good)
    clock.now += 11
    before = provider.asked["/keys"]

    with ThreadPoolExecutor(8) as threads:
        made_up = [provider.token(head={"kid": f"made-up-{number}"}) for number in range(24)]
        found = list(threads.map(door.principal, [*made_up, good]))

    assert found[:-1] == [None] * 24
    assert found[-1] is not None
    assert provider.asked["/keys"] == before + 1


def test_first_callers_wait_for_one_fetch(tokens, provider):
    """Single flight: eight at once, one call of the provider."""
    door, barrier = tokens(), threading.Barrier(8)

    def come(token):
        barrier.wait()
        return door.principal(token)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(come, [provider.token() for _ in range(8)]))

    assert all(found)
    assert provider.asked["/keys"] == 1


def test_known_keys_outlive_a_provider_that_is_down(tokens, provider, clock):
    """For a day: its trouble is not ours. After that nobody is let in on old keys."""
    door, token = tokens(), provider.token(exp=int(time.time()) + 1_000_000)
    assert door.principal(token)

    provider.is_down = True
    clock.now += 80_000
    assert door.principal(token)
    clock.now += 10_000
    with pytest.raises(Unavailable):
        door.principal(token)
    provider.is_down = False
    clock.now += 11
    assert door.principal(token)


def test_provider_that_was_never_reached_is_unavailable(tokens, provider):
    """503 and not 401: the token may be good."""
    provider.is_down = True

    with pytest.raises(Unavailable):
        tokens().principal(provider.token())


def test_discovery_in_another_name_is_none(provider):
    """The issuer of the document must be the one that was asked (OpenID Connect Discovery §4.3)."""
    known = Provider(provider.issuer + "/", ("parley",))

    with pytest.raises(Unavailable):
        KeySet(known).key("x")


def test_what_is_no_key_set_is_unavailable(provider):
    with pytest.raises(Unavailable):
        fetched(f"{provider.issuer}/nothing")


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"audience": ()}, "OIDC_AUDIENCE"),
        ({"issuer": "http://login.example.org"}, "OIDC_ISSUER"),
        ({"issuer": "login.example.org"}, "OIDC_ISSUER"),
        ({"keys": "http://login.example.org/keys"}, "OIDC_JWKS_URL"),
        ({"algorithms": ("none",)}, "OIDC_ALGORITHMS"),
        ({"algorithms": ("RS256", "HS256")}, "OIDC_ALGORITHMS"),
        ({"algorithms": ()}, "OIDC_ALGORITHMS"),
    ],
)
def test_setting_that_would_let_anybody_in_is_refused(settings, variable):
    """It does not start."""
    with pytest.raises(Misconfigured, match=variable):
        Provider(**{"issuer": "https://login.example.org", "audience": ("parley",), **settings})

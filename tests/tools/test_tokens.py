"""The token that says for whom a tool is called: what it carries, and everything that is not one."""

import time
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parley import tokens
from parley.domain.actions import digest
from parley.errors import Misconfigured
from parley.tokens import Caller, Signer, Untrusted, Verifier

KEY = "A" * 42 + "E"
USER, CALL = UUID(int=1), UUID(int=2)
CALLER = Caller(USER, "ann@example.org", ("staff",), "it-desk", CALL, digest("open_ticket", {}))


@pytest.fixture
def verifier():
    return Verifier(tokens.public_of(KEY), "service-desk")


def bearer(token):
    return f"Bearer {token}"


def test_what_was_signed_is_what_is_read(verifier):
    assert verifier.caller(bearer(Signer(KEY).token(CALLER, "service-desk"))) == CALLER


def test_it_lives_for_a_minute():
    claims = jwt.decode(Signer(KEY).token(CALLER, "x"), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 60
    assert claims["act"] == {"sub": "it-desk"}


def test_an_old_one_is_none(verifier):
    token = Signer(KEY, clock=lambda: time.time() - 75).token(CALLER, "service-desk")
    with pytest.raises(Untrusted, match="Expired"):
        verifier.caller(bearer(token))


def test_one_for_another_server_is_none(verifier):
    with pytest.raises(Untrusted, match="Audience"):
        verifier.caller(bearer(Signer(KEY).token(CALLER, "payroll")))


def test_one_of_another_key_is_none(verifier):
    with pytest.raises(Untrusted, match="Signature"):
        verifier.caller(bearer(Signer("B" * 42 + "E").token(CALLER, "service-desk")))


def claims(**changed):
    now = int(time.time())
    return {"iss": "parley", "sub": str(USER), "act": {"sub": "x"}, "aud": "service-desk", "iat": now, "exp": now + 60,
            **changed}  # fmt: skip


def key():
    return Ed25519PrivateKey.from_private_bytes(tokens._bytes(KEY, "x"))


@pytest.mark.parametrize(
    "changed",
    [{"iss": "somebody"}, {"sub": "ann"}, {"act": "x"}, {"exp": 4_000_000_000}, {"jti": "x"}, {"act": {}}],
    ids=str,
)
def test_one_with_other_claims_is_none(verifier, changed):
    """Signed with the true key, and still: an issuer, a user, an agent and a life as we make them."""
    with pytest.raises(Untrusted):
        verifier.caller(bearer(jwt.encode(claims(**changed), key(), algorithm="EdDSA")))


def test_no_other_algorithm_is_taken(verifier):
    """Neither none, nor the public key as a password."""
    none = jwt.encode(claims(), None, algorithm="none")
    secret = jwt.encode(claims(), tokens.public_of(KEY) * 2, algorithm="HS256")
    for token in (none, secret):
        with pytest.raises(Untrusted):
            verifier.caller(bearer(token))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic eA==", "Bearer a.b.c", "Bearer \x00"])
def test_what_is_no_token_is_none(verifier, header):
    with pytest.raises(Untrusted):
        verifier.caller(header)


@pytest.mark.parametrize("key", ["", "short", "A" * 44 + "!", "é" * 43])
def test_a_key_that_is_none_is_named(key):
    with pytest.raises(Misconfigured, match=r"^TOOL_SIGNING_KEY: "):
        Signer(key)


def test_the_command_makes_a_pair_that_fits(capsys):
    assert tokens.main([], {}) == 0
    made = dict(line.split("=", 1) for line in capsys.readouterr().out.split())
    assert tokens.main(["public"], made) == 0
    assert capsys.readouterr().out.strip() == made["TOOL_PUBLIC_KEY"]

"""
A stand-in for an OpenID provider: discovery, a key set that can rotate, tokens good and bad.

It signs with real keys and is asked over real HTTP, as OpenID Connect Discovery 1.0 and RFC 7517 say. Who comes to its
door (`/authorize`) is signed in at once as `subject`, and sent back with a code, which is exchanged once, for the
verifier of its challenge (RFC 7636). Left out: passwords, consent, refresh tokens.
"""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from devkit.serving import LocalServer, Reply, Request, StandIn, as_json

AUDIENCE = "parley"

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class OpenIdProvider(StandIn):
    """Serves its discovery and keys from start to stop; `asked` counts what was fetched, `is_down` makes it fail."""

    def __init__(self, audience: str = AUDIENCE) -> None:
        self.audience = audience
        self.asked: dict[str, int] = {}
        self.is_down = False
        self.subject = "ann"
        self.claims: dict[str, Any] = {}  # of who comes to the door
        self._codes: dict[str, tuple[str, str, str]] = {}  # challenge, redirect_uri and token
        self._server = LocalServer(self._answer)
        self._keys: dict[str, Key] = {}
        self.kid = self.rotate()

    @property
    def issuer(self) -> str:
        """What its tokens name as their issuer."""
        return self._server.url

    def rotate(self, *, keep: bool = False, curve: bool = False) -> str:
        """Sign with a new key from now on, and forget the old ones unless they are kept. Gives the key's id."""
        if not keep:
            self._keys.clear()
        self.kid = uuid.uuid4().hex[:8]
        made: Key = ec.generate_private_key(ec.SECP256R1()) if curve else rsa.generate_private_key(65537, 2048)
        self._keys[self.kid] = made
        return self.kid

    def token(self, subject: str = "ann", *, head: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """Give a token; a claim of None is left out."""
        now = int(time.time())
        said = {"iss": self.issuer, "aud": self.audience, "sub": subject, "iat": now, "exp": now + 3600, **claims}
        key = self._keys[self.kid]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, key, algorithm, headers={"kid": self.kid, **(head or {})})

    def sign_in(self, asked: Mapping[str, str], subject: str, *, made: str = "", **claims: Any) -> str:
        """Sign somebody in who was sent here with this query, with a token as `made`. Gives the code."""
        code = uuid.uuid4().hex
        token = made or self.token(subject, **{"aud": asked["client_id"], "nonce": asked["nonce"], **claims})
        self._codes[code] = (asked["code_challenge"], asked["redirect_uri"], token)
        return code

    def unsigned(self, subject: str = "ann", **claims: Any) -> str:
        """Give a token of the algorithm none."""
        now = int(time.time())
        said = {"iss": self.issuer, "aud": self.audience, "sub": subject, "iat": now, "exp": now + 3600, **claims}
        return jwt.encode(said, None, "none", headers={"kid": self.kid})  # type: ignore[arg-type]

    def public_pem(self) -> bytes:
        """Give the public key as text: what a token signed by HMAC with it tries to pass as."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._keys[self.kid].public_key().public_bytes(serialization.Encoding.PEM, form)

    def _answer(self, request: Request) -> Reply:
        self.asked[request.path] = self.asked.get(request.path, 0) + 1
        if self.is_down:
            return Reply(503)
        if request.path == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            return as_json({"issuer": self.issuer, **{name: f"{self.issuer}/{path}" for name, path in names.items()}})
        if request.path == "/keys":
            return as_json({"keys": [_public(kid, key) for kid, key in self._keys.items()]})
        if request.path == "/authorize":
            return self._door(_form(request.query))
        if request.path == "/token" and request.method == "POST":
            return self._exchanged(_form(request.body.decode()))
        return Reply(404)

    def _door(self, asked: Mapping[str, str]) -> Reply:
        code = self.sign_in(asked, self.subject, **self.claims)
        back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return Reply(302, headers={"Location": f"{asked['redirect_uri']}?{back}"})

    def _exchanged(self, form: Mapping[str, str]) -> Reply:
        challenge, redirect, token = self._codes.pop(form.get("code", ""), ("", "", ""))
        made = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).decode()
        if not token or made.rstrip("=") != challenge or form.get("redirect_uri") != redirect:
            return as_json({"error": "invalid_grant"}, 400)
        return as_json({"access_token": uuid.uuid4().hex, "token_type": "Bearer", "id_token": token})


def _form(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}


def _public(kid: str, key: Key) -> dict[str, Any]:
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    algorithm: Any = RSAAlgorithm if is_rsa else ECAlgorithm
    members: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return {**members, "kid": kid, "use": "sig", "alg": "RS256" if is_rsa else "ES256"}

"""
A stand-in for an OpenID provider: discovery, a key set that can rotate, tokens good and bad.

It signs with real keys and is asked over real HTTP, as OpenID Connect Discovery 1.0 and RFC 7517 say. Left out: signing
anybody in.
"""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from devkit.serving import LocalServer, Reply, Request, as_json

AUDIENCE = "parley"

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class OpenIdProvider:
    """Serves its discovery and keys from start to stop; `asked` counts what was fetched, `is_down` makes it fail."""

    def __init__(self, audience: str = AUDIENCE) -> None:
        self.audience = audience
        self.asked: dict[str, int] = {}
        self.is_down = False
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

    def unsigned(self, subject: str = "ann") -> str:
        """Give a token of the algorithm none."""
        now = int(time.time())
        said = {"iss": self.issuer, "aud": self.audience, "sub": subject, "iat": now, "exp": now + 3600}
        return jwt.encode(said, None, "none", headers={"kid": self.kid})  # type: ignore[arg-type]

    def public_pem(self) -> bytes:
        """Give the public key as text: what a token signed by HMAC with it tries to pass as."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._keys[self.kid].public_key().public_bytes(serialization.Encoding.PEM, form)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def _answer(self, request: Request) -> Reply:
        self.asked[request.path] = self.asked.get(request.path, 0) + 1
        if self.is_down:
            return Reply(503)
        if request.path == "/.well-known/openid-configuration":
            return as_json({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"})
        if request.path == "/keys":
            return as_json({"keys": [_public(kid, key) for kid, key in self._keys.items()]})
        return Reply(404)


def _public(kid: str, key: Key) -> dict[str, Any]:
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    algorithm: Any = RSAAlgorithm if is_rsa else ECAlgorithm
    members: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return {**members, "kid": kid, "use": "sig", "alg": "RS256" if is_rsa else "ES256"}

"""
Tokens of an OpenID provider: JWTs that it has signed for us, checked as RFC 8725 says.

Which algorithms are taken is our setting and never the token's; a key is the provider's or it is none, whatever the
token names. Keys are fetched when first needed, kept for an hour, and fetched anew for one that is unknown, by one
caller at a time and not more often than each ten seconds: strangers with made-up key ids cause no storm. When the
provider is down, the keys that are known stay good for a day.

PyJWT and its cryptography are imported with the first token: a start pays nothing for them.
"""

import http.client
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from parley.adapters.postgres.users import Users
from parley.domain.keys import STAFF, Principal, Role
from parley.errors import Misconfigured, Unavailable

log = logging.getLogger("parley.oidc")

ASYMMETRIC = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
LONGEST = 8 << 10  # bytes of a token
LEEWAY = 60  # seconds that clocks may differ

_FRESH, _STALE, _PAUSE = 3600.0, 86_400.0, 10.0  # seconds
_LARGEST = 1 << 20  # bytes of what a provider says
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Fetch = Callable[[str], Any]


@dataclass(frozen=True)
class Provider:
    """
    Whose tokens are taken. `roles`: where in the token, such as `roles` or `realm_access.roles`; `names`: which value
    there means which of our roles. `keys`: the URL of its key set, when it has no discovery.

    Raises Misconfigured for what would let anybody in.
    """

    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    roles: str = "roles"
    names: Mapping[str, Role] = field(default_factory=dict)
    keys: str | None = None

    def __post_init__(self) -> None:
        if not self.audience:
            raise Misconfigured("OIDC_AUDIENCE: required with OIDC_ISSUER: tokens for others are not for us")
        if not self.algorithms or not ASYMMETRIC.issuperset(self.algorithms):
            raise Misconfigured(f"OIDC_ALGORITHMS: some of {', '.join(sorted(ASYMMETRIC))}")
        for name, url in (("OIDC_ISSUER", self.issuer), ("OIDC_JWKS_URL", self.keys or self.issuer)):
            parts = urlsplit(url)
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
                raise Misconfigured(f"{name}: must be an https URL")


def fetched(url: str) -> Any:
    """Get JSON, from this place and no other, in five seconds. Raises Unavailable."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=5)
    try:
        connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers={"Accept": "*/*"})
        answer = connection.getresponse()
        body = answer.read(_LARGEST + 1)
        if answer.status != 200 or len(body) > _LARGEST:
            raise Unavailable(f"the OpenID provider answered {answer.status}")
        return json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable("the OpenID provider cannot be reached") from error
    finally:
        connection.close()


class KeySet:
    """The provider's signing keys."""

    def __init__(self, provider: Provider, fetch: Fetch = fetched, clock: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str | None, Any] = {}
        self._at = self._tried = float("-inf")

    def key(self, kid: str | None) -> Any:
        """Give the key of this id, None when the provider has none. Raises Unavailable."""
        if self._is_known(kid):
            return self._keys[kid]
        with self._lock:  # whoever waited here finds what the one before has fetched
            if not self._is_known(kid) and self._clock() - self._tried >= _PAUSE:
                self._refresh()
            if self._clock() - self._at > _STALE:
                raise Unavailable("the keys of the OpenID provider are not known")
            return self._keys.get(kid)

    def _is_known(self, kid: str | None) -> bool:
        return kid in self._keys and self._clock() - self._at < _FRESH

    def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            url = self._provider.keys or self._discovered()
            self._keys = _signing(self._fetch(url))
            self._at = self._clock()
        except Unavailable:
            log.warning("the keys of the OpenID provider could not be fetched", exc_info=True)

    def _discovered(self) -> str:
        document = self._fetch(f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        url = document.get("jwks_uri") if isinstance(document, dict) else None
        if not isinstance(url, str) or document.get("issuer") != self._provider.issuer:
            raise Unavailable("the OpenID provider says that it is another one")
        return url


def _signing(document: Any) -> dict[str | None, Any]:
    """Give the public keys that sign, by their id; a lone one is also that of tokens that name none."""
    import jwt

    found: dict[str | None, Any] = {}
    for one in document.get("keys", ()) if isinstance(document, dict) else ():
        if not isinstance(one, dict) or one.get("kty") not in ("RSA", "EC", "OKP") or one.get("use", "sig") != "sig":
            continue
        try:
            found[one.get("kid")] = jwt.PyJWK.from_dict(one)
        except jwt.PyJWTError:
            log.warning("a key of the OpenID provider is none that we know")
    if len(found) == 1:
        found[None] = next(iter(found.values()))
    return found


class Tokens:
    """Who a token is: a user of ours, met by issuer and subject; by e-mail only when the provider has verified it."""

    def __init__(self, provider: Provider, users: Users, keys: KeySet | None = None) -> None:
        self._provider = provider
        self._users = users
        self._keys = keys or KeySet(provider)

    def principal(self, token: str) -> Principal | None:
        """Give whose token this is, None when it is not valid. Raises Unavailable."""
        claims = self.claims(token)
        return None if claims is None else self.of(claims)

    def of(self, claims: Mapping[str, Any]) -> Principal:
        """Give whom the claims of a valid token name; who is new is met."""
        email = claims.get("email") if claims.get("email_verified") is True else None
        role = self._role(claims)
        user_id = self._users.of_token(
            f"{claims['iss']}|{claims['sub']}", _text(email, 254), _text(claims.get("name"), 200) or "",
            role if role in STAFF else None,
        )  # fmt: skip
        return Principal(None, user_id, role)

    def claims(self, token: str, *, audience: tuple[str, ...] | None = None) -> dict[str, Any] | None:
        """Give the claims of a valid token, None for any other. Raises Unavailable."""
        import jwt

        if len(token) > LONGEST:
            return None
        try:
            head = jwt.get_unverified_header(token)
            kid = head.get("kid")
            if head.get("alg") not in self._provider.algorithms or not isinstance(kid, str | None):
                return None
            key = self._keys.key(kid)
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(self._provider.algorithms),
                audience=list(audience or self._provider.audience),
                issuer=self._provider.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        return claims if _text(claims["sub"], 255) else None

    def _role(self, claims: Mapping[str, Any]) -> Role:
        """Give the greatest of our roles that the token names."""
        found: Any = claims
        for part in self._provider.roles.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        given = {found} if isinstance(found, str) else {one for one in found or () if isinstance(one, str)}
        roles = {self._provider.names[one] for one in given if one in self._provider.names}
        order: tuple[Role, ...] = ("admin", "support", "service")
        return next((role for role in order if role in roles), "user")


def _text(value: Any, longest: int) -> str | None:
    """Give what is text that a row can hold."""
    is_text = isinstance(value, str) and 0 < len(value) <= longest and "\x00" not in value
    return value if is_text else None

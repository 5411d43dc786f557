"""
Signing in at an OpenID provider: the authorization code flow with PKCE (RFC 7636, RFC 9700), state and nonce.

What belongs to one attempt (state, nonce, verifier) stands in a cookie of the very browser that began it: a code that
somebody else has brought about is worth nothing here.
"""

import base64
import hashlib
import hmac
import http.client
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from parley.adapters.oidc import Fetch, Provider, Tokens, fetched
from parley.domain.keys import Principal
from parley.errors import Misconfigured, Unavailable

log = logging.getLogger("parley.oidc")

_LARGEST = 1 << 20  # bytes of what a provider says
Post = Callable[[str, dict[str, str], dict[str, str]], Any]


@dataclass(frozen=True)
class Client:
    """What we are to the provider. Without a secret we are a public client, and PKCE alone protects the code."""

    id: str
    secret: str | None
    redirect: str  # where it sends people back to

    def __post_init__(self) -> None:
        parts = urlsplit(self.redirect)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise Misconfigured("PUBLIC_URL: must be an https URL for OIDC_CLIENT_ID: people are sent back to it")


@dataclass(frozen=True)
class Attempt:
    """One attempt to sign in, as the cookie keeps it."""

    state: str
    nonce: str
    verifier: str
    then: str  # where to go afterwards

    @classmethod
    def new(cls, then: str) -> "Attempt":
        """Begin one."""
        return cls(secrets.token_urlsafe(16), secrets.token_urlsafe(16), secrets.token_urlsafe(32), then)

    def packed(self) -> str:
        """Give it as text for a cookie."""
        return ".".join([self.state, self.nonce, self.verifier, quote(self.then, safe="")])

    @classmethod
    def unpacked(cls, text: str) -> "Attempt | None":
        """Read what `packed` gave."""
        parts = text.split(".", 3)
        return cls(parts[0], parts[1], parts[2], unquote(parts[3])) if len(parts) == 4 else None


class CodeFlow:
    """Sends people to the provider, and takes them when they come back."""

    def __init__(
        self, provider: Provider, client: Client, tokens: Tokens, *, fetch: Fetch = fetched, post: Post | None = None
    ) -> None:
        self._provider = provider
        self._client = client
        self._tokens = tokens
        self._fetch = fetch
        self._post = post or _posted
        self._known: dict[str, Any] = {}

    def address(self, attempt: Attempt) -> str:
        """Give where the browser goes to sign in. Raises Unavailable."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).decode().rstrip("=")
        wanted = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": self._client.redirect,
            "scope": "openid email profile",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        where = self._endpoint("authorization_endpoint")
        return f"{where}{'&' if '?' in where else '?'}{urlencode(wanted)}"

    def finish(self, attempt: Attempt | None, state: str, code: str) -> Principal | None:
        """Give who has signed in; None for what is not the end of this browser's attempt. Raises Unavailable."""
        if attempt is None or not code or not hmac.compare_digest(state.encode(), attempt.state.encode()):
            return None
        answer = self._exchanged(code, attempt.verifier)
        token = answer.get("id_token") if isinstance(answer, dict) else None
        claims = self._tokens.claims(token, audience=(self._client.id,)) if isinstance(token, str) else None
        if claims is None or not self._is_ours(claims, attempt):
            return None
        return self._tokens.of(claims)

    def _is_ours(self, claims: dict[str, Any], attempt: Attempt) -> bool:
        """Whether the token was made for this attempt and for us (OpenID Connect Core §3.1.3.7)."""
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), attempt.nonce.encode()):
            return False
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        return claims.get("azp", None if several else self._client.id) == self._client.id

    def _exchanged(self, code: str, verifier: str) -> Any:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect,
            "client_id": self._client.id,
            "code_verifier": verifier,
        }
        headers = {}
        if self._client.secret:
            pair = f"{quote(self._client.id, safe='')}:{quote(self._client.secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return self._post(self._endpoint("token_endpoint"), form, headers)

    def _endpoint(self, name: str) -> str:
        if not self._known:
            document = self._fetch(f"{self._provider.issuer.rstrip('/')}/.well-known/openid-configuration")
            if not isinstance(document, dict) or document.get("issuer") != self._provider.issuer:
                raise Unavailable("the OpenID provider says that it is another one")
            self._known = document
        url = self._known.get(name)
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", urlsplit(self._provider.issuer).scheme):
            raise Unavailable(f"the OpenID provider has no {name}")
        return url


def _posted(url: str, form: dict[str, str], headers: dict[str, str]) -> Any:
    """Post a form, get JSON; {} for a code that the provider does not take. Raises Unavailable."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=5)
    said = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json", **headers}
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), urlencode(form), said)
        answer = connection.getresponse()
        body = answer.read(_LARGEST + 1)
        if answer.status >= 500 or len(body) > _LARGEST:
            raise Unavailable(f"the OpenID provider answered {answer.status}")
        if answer.status == 200:
            return json.loads(body)
        log.warning(
            "the OpenID provider took no code: it answered %s", answer.status
        )  # also a wrong OIDC_CLIENT_SECRET
        return {}
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable("the OpenID provider cannot be reached") from error
    finally:
        connection.close()

"""
/notifications/ses: what Amazon says became of our mails, by SNS.

Nothing is believed that is not signed by a certificate of SNS's, for a topic that is ours. Bounces for good and
complaints are never written to again. SNS repeats what is not answered with 2xx, so that only trouble of ours is a 503.
"""

import logging
from collections.abc import Callable, Collection
from typing import Protocol

from parley.channels import sns_notice
from parley.channels.sns_notice import Fate, Notice, NotOurs
from parley.errors import Unavailable

log = logging.getLogger("parley.notifications")

PATH = "/notifications/ses"


class Store(Protocol):
    """Where it is kept what became of mails."""

    def add(self, kind: str, address: str, why: str, detail: str | None = None) -> None: ...
    def became(self, fate: Fate) -> None: ...


class Notices:
    """`fetch` gets the bytes behind an address of Amazon's, and raises Unavailable; `topics` are the ARNs of ours."""

    def __init__(self, store: Store, fetch: Callable[[str], bytes], topics: Collection[str]) -> None:
        self._store = store
        self._fetch = fetch
        self._topics = frozenset(topics)
        self._certificates: dict[str, bytes] = {}

    def __call__(self, body: bytes) -> int:
        """Take one notice; gives the HTTP status."""
        try:
            notice = sns_notice.read(body)
            self._verify(notice)
            self._apply(notice)
        except NotOurs as error:
            log.warning("notice refused", extra={"fields": {"reason": str(error)}})
            return 403
        except Unavailable:
            log.warning("notice not taken", exc_info=True)
            return 503
        return 204

    def _apply(self, notice: Notice) -> None:
        if notice.kind == "SubscriptionConfirmation":
            if not sns_notice.amazons(notice.subscribe_url or "", notice.region):
                raise NotOurs("a confirmation elsewhere")
            self._fetch(str(notice.subscribe_url))
            log.info("subscribed", extra={"fields": {"topic": notice.topic}})
        elif notice.kind == "Notification":
            fate = sns_notice.fate(notice)
            if fate.permanent and fate.kind in ("bounce", "complaint"):
                for address in fate.addresses:
                    self._store.add("email", address, fate.kind, fate.detail)
            self._store.became(fate)

    def _verify(self, notice: Notice) -> None:
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        if notice.topic not in self._topics:
            raise NotOurs("another topic")
        url = notice.certificate_url
        if not sns_notice.certificates(url, notice.region):
            raise NotOurs("a certificate from elsewhere")
        pem = self._certificates.get(url) or self._fetch(url)
        try:
            key = x509.load_pem_x509_certificate(pem).public_key()
            if not isinstance(key, rsa.RSAPublicKey):
                raise NotOurs("a certificate of another kind")
            digest = hashes.SHA256() if notice.version == "2" else hashes.SHA1()  # noqa: S303 - version 1 is SHA-1
            key.verify(notice.signature, notice.signed, padding.PKCS1v15(), digest)
            self._certificates = {url: pem}  # a topic is signed by one at a time
        except (InvalidSignature, ValueError):
            raise NotOurs("a signature that is none") from None


def view(notices: Notices) -> Callable[[], tuple[str, int]]:
    """Give the Flask view."""

    def post() -> tuple[str, int]:
        import flask

        if (flask.request.content_length or 0) > sns_notice.LARGEST:
            return "", 413
        return "", notices(flask.request.get_data())

    return post

"""
/notifications/ses: what Amazon says became of our mails, by SNS.

Nothing is believed that is not signed by a certificate of SNS's, for a topic that is ours. Bounces for good and
complaints are never written to again. SNS repeats what is answered with 5xx, by itself three times in a minute, and
may take a 4xx for the last word: trouble of ours, and too many at once, are a 503, and only what is not ours is a 403.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""

import logging
from collections.abc import Callable, Collection
from typing import Protocol

from parley.api.strangers import Strangers
from parley.channels import sns_notice
from parley.channels.sns_notice import Fate, Notice, NotOurs
from parley.errors import Unavailable

log = logging.getLogger("parley.notifications")

PATH = "/notifications/ses"
TIMES = 10  # as often as anybody else: one address of SNS's tells of all mails


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


def view(notices: Notices, strangers: Strangers | None) -> Callable[[], tuple[str, int]]:
    """Give the Flask view."""
    limit = strangers.wider(TIMES) if strangers else None

    def post() -> tuple[str, int]:
        import flask

        if limit and (taken := limit.take(flask.request)) and not taken[0]:
            return "", 503
        flask.request.max_content_length = sns_notice.LARGEST
        return "", notices(flask.request.get_data())

    return post

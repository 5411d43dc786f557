"""
A stand-in for Amazon SNS that tells of mails: signs what it posts with a certificate of its own.

    amazon = SesNotices(topic)
    status = notices(amazon.bounce("gone@example.org", delivery_id))
    amazon.fetched   # the addresses that were asked for

True to https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html (fields, signatures 1 and 2) and
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html. Left out: sending by HTTP, retries.
"""

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mails"
_SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


class SesNotices:
    """One topic. `version`: of its signatures. `fetch` is what gets its certificate, and confirms subscriptions."""

    def __init__(self, topic: str = TOPIC, version: str = "2") -> None:
        self.topic = topic
        self.version = version
        self.fetched: list[str] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate_url = f"https://sns.{topic.split(':')[3]}.amazonaws.com/SimpleNotificationService-1.pem"

    def fetch(self, url: str) -> bytes:
        """Answer as Amazon would."""
        self.fetched.append(url)
        return self._certificate() if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"

    def bounce(self, address: str, kind: str = "Permanent", **mail: Any) -> bytes:
        """Say that a mail bounced."""
        recipients = [{"emailAddress": address, "status": "5.1.1", "action": "failed"}]
        bounce = {"bounceType": kind, "bounceSubType": "General", "bouncedRecipients": recipients}
        return self.notice({"notificationType": "Bounce", "bounce": bounce, "mail": _mail(**mail)})

    def complaint(self, address: str, kind: str = "abuse", **mail: Any) -> bytes:
        """Say that somebody complained."""
        complaint = {"complainedRecipients": [{"emailAddress": address}], "complaintFeedbackType": kind}
        return self.notice({"notificationType": "Complaint", "complaint": complaint, "mail": _mail(**mail)})

    def delivery(self, **mail: Any) -> bytes:
        """Say that a mail arrived, as event publishing words it."""
        return self.notice({"eventType": "Delivery", "delivery": {}, "mail": _mail(**mail)})

    def notice(self, message: Any, **fields: Any) -> bytes:
        """Give a signed notification; `fields` are put in before it is signed."""
        text = message if isinstance(message, str) else json.dumps(message)
        return self.signed({"Type": "Notification", "Message": text, "Subject": "Amazon SES", **fields})

    def confirmation(self, **fields: Any) -> bytes:
        """Ask to confirm a subscription."""
        url = f"https://sns.{self.topic.split(':')[3]}.amazonaws.com/?Action=ConfirmSubscription&Token=t"
        return self.signed(
            {"Type": "SubscriptionConfirmation", "Message": "m", "Token": "t", "SubscribeURL": url, **fields}
        )

    def signed(self, fields: dict[str, Any]) -> bytes:
        """Sign what is to be signed of these fields."""
        said = {
            "MessageId": str(uuid.uuid4()),
            "Timestamp": "2026-11-26T12:00:00.000Z",
            "TopicArn": self.topic,
            **fields,
        }
        text = "".join(f"{name}\n{said[name]}\n" for name in _SIGNED if said.get(name) is not None)
        digest = hashes.SHA256() if self.version == "2" else hashes.SHA1()  # noqa: S303 - version 1 is SHA-1
        made = self._key.sign(text.encode(), padding.PKCS1v15(), digest)
        signature = {"Signature": base64.b64encode(made).decode(), "SignatureVersion": self.version}
        return json.dumps({"SigningCertURL": self.certificate_url, **said, **signature}).encode()

    def _certificate(self) -> bytes:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
        builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _mail(message_id: str = "m-1", delivery_id: str | None = None) -> dict[str, Any]:
    return {"messageId": message_id, "tags": {"delivery_id": [delivery_id]} if delivery_id else {}}

"""
What Amazon SNS posts to us, and what SES says in it: who bounced, who complained, what arrived.

Sources: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html (what is signed, where a
certificate may come from), https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and
…/event-publishing-retrieving-sns-contents.html
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

LARGEST = 256 * 1024  # bytes: what SNS takes is no larger

_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_ARN = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]{3,30}):[0-9]{12}:[A-Za-z0-9_.-]{1,256}")


class NotOurs(Exception):
    """It is no notice, or not from where notices come. The text is ours."""


@dataclass(frozen=True)
class Notice:
    """One message of SNS, not yet verified."""

    kind: str
    topic: str
    region: str
    message: str
    signed: bytes
    signature: bytes
    version: Literal["1", "2"]
    certificate_url: str
    subscribe_url: str | None


@dataclass(frozen=True)
class Fate:
    """What became of one mail. `permanent`: these addresses will never work, or do not want it."""

    kind: Literal["bounce", "complaint", "delivery", "other"]
    addresses: tuple[str, ...] = ()
    permanent: bool = False
    detail: str = ""
    delivery_id: UUID | None = None
    provider_id: str | None = None


def read(body: bytes) -> Notice:
    """Read what was posted. Raises NotOurs."""
    try:
        said = json.loads(body)
        kind, version = said["Type"], said["SignatureVersion"]
        fields = _SIGNED[kind]
        topic = _ARN.fullmatch(said["TopicArn"])
        if not topic or version not in ("1", "2"):
            raise NotOurs("no topic, or no version of a signature that we know")
        lines = [f"{name}\n{said[name]}\n" for name in fields if name in said and (name != "Subject" or said[name])]
        missing = [name for name in fields if name not in said and name != "Subject"]
        if missing or not all(isinstance(said[name], str) for name in fields if said.get(name) is not None):
            raise NotOurs("a field is missing")
        return Notice(
            kind,
            topic[0],
            topic[1],
            said["Message"],
            "".join(lines).encode(),
            base64.b64decode(said["Signature"], validate=True),
            version,
            str(said.get("SigningCertURL") or said["SigningCertUrl"]),
            said.get("SubscribeURL"),
        )
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise NotOurs("is no message of SNS") from None


def amazons(url: str, region: str) -> bool:
    """Whether an address is SNS's own, of the topic's region: anybody can sign with a certificate of their own."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    hosts = (f"sns.{region}.amazonaws.com", f"sns.{region}.amazonaws.com.cn")
    plain = parts.scheme == "https" and port in (None, 443) and "@" not in parts.netloc and "\\" not in url
    return plain and parts.hostname in hosts and not any(ord(c) <= 32 or ord(c) > 126 for c in url)


def certificates(url: str, region: str) -> bool:
    """Whether an address is one of SNS's certificates."""
    parts = urlsplit(url) if amazons(url, region) else None
    return parts is not None and parts.path.endswith(".pem") and not parts.query and ".." not in parts.path


def fate(notice: Notice) -> Fate:
    """Read what SES says. Raises NotOurs for what is no word of SES's."""
    try:
        said = json.loads(notice.message)
        kind = said.get("notificationType") or said["eventType"]
        mail: Mapping[str, Any] = said["mail"]
        domain = "email" if notice.region == "us-east-1" else notice.region
        names: dict[str, Any] = {
            "provider_id": f"<{mail['messageId']}@{domain}.amazonses.com>",
            "delivery_id": _delivery(mail),
        }
        if kind == "Bounce":
            bounce = said["bounce"]
            addresses = tuple(str(one["emailAddress"]) for one in bounce["bouncedRecipients"])
            codes = {one.get("status") or "" for one in bounce["bouncedRecipients"]}
            detail = " ".join([bounce["bounceType"], bounce.get("bounceSubType") or "", *sorted(codes)]).strip()
            return Fate("bounce", addresses, bounce["bounceType"] == "Permanent", detail[:200], **names)
        if kind == "Complaint":
            complaint = said["complaint"]
            addresses = tuple(str(one["emailAddress"]) for one in complaint["complainedRecipients"])
            wanted = complaint.get("complaintFeedbackType") != "not-spam"
            return Fate(
                "complaint", addresses, wanted, str(complaint.get("complaintFeedbackType") or "")[:200], **names
            )
        return Fate("delivery" if kind == "Delivery" else "other", **names)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotOurs("is no word of SES's") from None


def _delivery(mail: Mapping[str, Any]) -> UUID | None:
    tags = (mail.get("tags") or {}).get("delivery_id") or []
    try:
        return UUID(str(tags[0])) if tags else None
    except ValueError:
        return None

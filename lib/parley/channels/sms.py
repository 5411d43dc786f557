"""
SMS by Amazon SNS: a short text, and what SNS's answers mean.

Sources: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html, 3GPP TS 23.038 (the GSM alphabet)
"""

import re
from typing import Any

from parley.channels import markdown
from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Parked, Retry, Unsure, kept_waiting
from parley.domain.delivery import Job

SEGMENTS = 3
E164 = re.compile(r"\+[1-9]\d{6,14}")

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWO = frozenset("^{}\\[~]|€")  # these take two places

# What typography adds and GSM-7 lacks: one such character would halve what fits.
_SIMPLE = {
    0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-", 0x2026: "...", 0xA0: " ", 0x2022: "-"
}  # fmt: skip

_WAIT = frozenset({"Throttling", "ThrottledException", "Throttled", "KMSThrottling"})
_PARKED = frozenset(
    {"AuthorizationError", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "OptInRequired"}
    | {"UnrecognizedClientException", "AccessDenied", "NoCredentials"}
)


def render(job: Job) -> dict[str, Any]:
    """Give the arguments of Publish. Raises ValueError when the number is not E.164."""
    number = str(job.address["to"]).replace(" ", "")
    if not E164.fullmatch(number):
        raise ValueError("not an E.164 number")
    kind = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}
    return {"PhoneNumber": number, "Message": fit(_plain(job.text)), "MessageAttributes": kind}


def outcome(answer: Answer) -> Outcome:
    """Say what SNS's answer means."""
    code = answer.code
    if code is None and answer.status == 200:
        return Delivered(answer.provider_id)
    if answer.status == 429 or code in _WAIT:
        return kept_waiting(answer)
    if code in _PARKED or answer.status in (401, 403):
        return Parked("SNS refuses our credentials", code)
    if answer.status == 503:
        return Retry("SNS cannot take it now", code)
    if answer.status >= 500:
        return Unsure("SNS had an internal error", code)
    return Failed("SNS refuses the message or the number", code)


def segments(text: str) -> int:
    """Count the messages that a text is sent as: 160 or 153 places each in the GSM alphabet, else 70 or 67."""
    if all(c in _GSM or c in _GSM_TWO for c in text):
        places, one, many = sum(2 if c in _GSM_TWO else 1 for c in text), 160, 153
    else:
        places, one, many = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if places <= one else -(-places // many)


def fit(text: str) -> str:
    """Cut a text at a word so that it fits into three messages; typography becomes what the GSM alphabet has."""
    text = text.translate(_SIMPLE)
    if segments(text) <= SEGMENTS:
        return text
    words = text.split(" ")
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if segments(" ".join(words[:middle]) + " ...") <= SEGMENTS:
            low = middle
        else:
            high = middle - 1
    if low:
        return " ".join(words[:low]) + " ..."
    return next(text[:n] + "..." for n in range(len(text), 0, -1) if segments(text[:n] + "...") <= SEGMENTS)


def _plain(text: str) -> str:
    return " ".join("\n".join(markdown.blocks(text, _Words())).split())


class _Words:
    """Markdown without its marks."""

    def text(self, text: str) -> str:
        return text

    def code(self, text: str) -> str:
        return text

    def fence(self, text: str) -> str:
        return text

    def link(self, text: str, url: str) -> str:
        return url if text in ("", url) else f"{text} ({url})"

    def mark(self, kind: str, text: str) -> str:  # noqa: ARG002 - an SMS has no emphasis
        return text

    def quote(self, text: str) -> str:
        return text

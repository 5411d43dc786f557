"""
SMS by Amazon SNS: a short text, with a link to the rest, and what SNS's answers mean.

Sources: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html, 3GPP TS 23.038 (the GSM alphabet and its
extension), ITU-T E.164 (numbers)
"""

import re
from collections.abc import Callable
from typing import Any

from parley.channels import markdown
from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Parked, Retry, Unsure, kept_waiting
from parley.channels.templates import Templates
from parley.domain.delivery import Job

SEGMENTS = 2  # messages that one answer is paid for as
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
BYTES = 1600  # of one Publish

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWO = frozenset("^{}\\[~]|€\f")  # these take two places

_PUNCTUATION = re.compile(r"[ \u00a0().\-/]")

# What typography adds and GSM-7 lacks: one such character would halve what fits.
_SIMPLE = {
    0x2018: "'", 0x2019: "'", 0x201A: "'", 0x201C: '"', 0x201D: '"', 0x201E: '"', 0x2010: "-", 0x2011: "-",
    0x2012: "-", 0x2013: "-", 0x2014: "-", 0x2212: "-", 0x2026: "...", 0xA0: " ", 0x202F: " ", 0x2009: " ",
    0x2022: "-", 0x00B7: "-", 0x2192: "->", 0x2190: "<-", 0x00AB: '"', 0x00BB: '"', 0x2610: "[ ]", 0x2611: "[x]",
    0x200B: "", 0xFEFF: "", 0x00AD: "", 0x60: "'", 0xB4: "'",
}  # fmt: skip

OPTED_OUT = frozenset({"OptedOut", "OptedOutException"})
_WAIT = frozenset({"Throttling", "ThrottledException", "Throttled", "KMSThrottling", "ThrottlingException"})
_PARKED = frozenset(
    {"AuthorizationError", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "OptInRequired"}
    | {"UnrecognizedClientException", "AccessDenied", "NoCredentials", "AuthorizationErrorException"}
    | {"SpendLimitExceeded", "QuotaExceededException", "InternalSpendLimit", "UserErrorException"}
)


def number(text: str) -> str:
    """
    Give a number in E.164, blanks and punctuation left out. Raises ValueError when it is none.

    Whether somebody has it is SNS's to say: the library that knows every country's numbers takes 80 ms to import.
    """
    bare = _PUNCTUATION.sub("", text.strip())
    if not E164.fullmatch(bare):
        raise ValueError("not an E.164 number")
    return bare


def render(job: Job, to: str, templates: Templates, link: str = "") -> dict[str, Any]:
    """Give the arguments of Publish."""
    kind = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}
    return {"PhoneNumber": to, "Message": message(job, templates, link), "MessageAttributes": kind}


def message(job: Job, templates: Templates, link: str = "") -> str:
    """
    Give an answer in as many segments as are paid for: whole where it fits, else its beginning with a link to the rest.

    Without a door that a link could lead to, the beginning alone.
    """
    text = _plain(job.text).translate(_SIMPLE)
    whole = templates.say("frame.txt", job, answer=text)
    if segments(whole) <= SEGMENTS and len(whole.encode()) <= BYTES:
        return whole
    if not link:
        return _longest(text, lambda part: templates.say("frame.txt", job, answer=f"{part}..."))
    return _longest(text, lambda part: templates.say("linked.txt", job, beginning=part, link=link).translate(_SIMPLE))


def outcome(answer: Answer) -> Outcome:  # noqa: PLR0911 - one line for each meaning
    """Say what SNS's answer means. It takes a message, and says no more of it."""
    code = answer.code
    if code is None and answer.status == 200:
        return Delivered(answer.provider_id, level="accepted")
    if answer.status == 429 or code in _WAIT:
        return kept_waiting(answer)
    if code in OPTED_OUT:
        return Failed("this number has opted out", code)
    if code in _PARKED or answer.status in (401, 403):
        return Parked("SNS refuses our credentials or the month's spending is used up", code)
    if answer.status == 503:
        return Retry("SNS cannot take it now", code)
    if answer.status >= 500:
        return Unsure("SNS had an internal error", code)
    return Failed("SNS refuses the message or the number", code)


def segments(text: str) -> int:
    """Count the messages that a text is sent as: 160 or 153 places each in the GSM alphabet, else 70 or 67."""
    if all(c in _GSM or c in _GSM_TWO for c in text):
        sizes, one, many = [2 if c in _GSM_TWO else 1 for c in text], 160, 153
    else:
        sizes, one, many = [2 if ord(c) > 0xFFFF else 1 for c in text], 70, 67
    if sum(sizes) <= one:
        return 1
    count, place = 1, 0
    for size in sizes:  # what takes two places is not divided between two messages
        if place + size > many:
            count, place = count + 1, 0
        place += size
    return count


def _longest(text: str, made: Callable[[str], str]) -> str:
    """Give the longest that fits and ends at a word, else at a sign."""
    words = text.split(" ")
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if _fits(made(" ".join(words[:middle]))):
            low = middle
        else:
            high = middle - 1
    if low:
        return made(" ".join(words[:low]))
    return next((made(text[:n]) for n in range(min(len(text), 320), 0, -1) if _fits(made(text[:n]))), made(""))


def _fits(text: str) -> bool:
    return segments(text) <= SEGMENTS and len(text.encode()) <= BYTES


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

"""
E-mail: an answer as one message of text and HTML, and what an SMTP server's replies mean.

Sources: RFC 5322 (message), RFC 2046 §5.1.4 (multipart/alternative), RFC 3834 (Auto-Submitted), RFC 5321 (replies)
"""

import unicodedata
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from parley.channels import markdown, wording
from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Parked, Retry, Unsure, Wait
from parley.domain.delivery import Job

SUBJECT = 120  # characters
PATIENCE = 300.0  # seconds: grey-listing and full mailboxes do not pass sooner

_FULL = frozenset({"4.2.2", "5.2.2"})

_PAGE = (
    '<!doctype html><html><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"></head>'
    '<body style="font-family:sans-serif;line-height:1.5;max-width:40em">{body}{notes}</body></html>'
)


def render(job: Job, sender: str) -> EmailMessage:
    """
    Give the message. `sender` is our address.

    Its Message-ID is the delivery's id, and all answers of a session refer to one id, so that clients thread them.
    Raises ValueError when an address is none.
    """
    domain = sender.rpartition("@")[2].strip("> ")
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = _address(job.address["to"])
    message["Subject"] = "Re: " + subject(job.question)
    message["Date"] = format_datetime(job.at)
    message["Message-ID"] = f"<{job.delivery_id}@{domain}>"
    message["In-Reply-To"] = message["References"] = f"<{job.session_id}@{domain}>"
    message["Auto-Submitted"] = "auto-replied"
    message["X-Auto-Response-Suppress"] = "All"
    notes = _notes(job)
    message.set_content("\n\n".join([job.text, *notes]), cte="quoted-printable")
    page = _PAGE.format(
        body=markdown.html(job.text), notes="".join(f"<p><small>{escape(note)}</small></p>" for note in notes)
    )
    message.add_alternative(page, subtype="html", cte="quoted-printable")
    message.set_boundary(f"=_{job.delivery_id}")
    return message


def _address(text: str) -> Address:
    try:
        if text.isascii() and text.isprintable():
            return Address(addr_spec=text)
    except (ValueError, IndexError, MessageError):  # what the parser of the standard library lets out
        pass
    raise ValueError("not an e-mail address")


def outcome(answer: Answer) -> Outcome:
    """Say what a final SMTP reply means. `code` is the enhanced status (RFC 3463), where there is one."""
    code = answer.code or str(answer.status)
    if 200 <= answer.status < 300:
        return Delivered(answer.provider_id)
    if answer.status in (530, 534, 535, 538):
        return Parked("the mail server refuses our credentials", code)
    if answer.status == 421:
        return Retry("the mail server is closing", code)
    if answer.code in _FULL or 400 <= answer.status < 500:
        return Wait(PATIENCE, code, "the mail server asked for patience")
    if 500 <= answer.status < 600:
        return Failed("the mail server refuses the message", code)
    return Unsure("the mail server answered nothing that we know", code)


def subject(question: str) -> str:
    """Give the first line of a question as a subject: no control characters, so no header can be smuggled in."""
    first = next((line.strip() for line in question.splitlines() if line.strip()), "your question")
    clean = "".join(c for c in first if unicodedata.category(c)[0] != "C")
    return clean if len(clean) <= SUBJECT else clean[: SUBJECT - 1] + "…"


def _notes(job: Job) -> list[str]:
    names = wording.sources(job)
    return [*([f"Sources: {'; '.join(names)}"] if names else []), *filter(None, [wording.note(job)])]

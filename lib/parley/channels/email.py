"""
E-mail: an answer as one message of text and HTML, and what an SMTP server's replies mean.

Sources: RFC 5322 (message), RFC 2046 §5.1.4 (multipart/alternative), RFC 3834 (Auto-Submitted), RFC 5321 (replies),
RFC 3463 (enhanced codes); https://docs.aws.amazon.com/ses/latest/dg/header-fields.html: SES replaces Message-ID and
Date, so that threads hang on References, which it keeps.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from html import escape
from typing import Literal

from parley.channels import email_html
from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Parked, Retry, Unsure, Wait
from parley.channels.templates import Templates
from parley.domain.delivery import Job

SUBJECT = 120  # characters
PREVIEW = 140  # characters that lists of mails show beside the subject
EARLIER = 20  # messages that an answer refers to
PATIENCE = 300.0  # seconds: grey-listing and full mailboxes do not pass sooner

Stage = Literal["greeting", "sender", "recipient", "content"]

_FULL = frozenset({"4.2.2", "5.2.2"})
_NOBODY = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"})


@dataclass(frozen=True)
class Thread:
    """What is known of a conversation by mail: its first question, and the Message-IDs of its earlier answers."""

    opening: str
    earlier: Sequence[str] = field(default=())


def render(job: Job, sender: str, templates: Templates, thread: Thread | None = None) -> EmailMessage:
    """
    Give the message. `sender` is our address.

    Its Message-ID is the delivery's id. All answers of a session refer to one id and to each other and have one
    subject, so that programs show them as one conversation. Raises ValueError when an address is none.
    """
    thread = thread or Thread(job.question)
    domain = sender.rpartition("@")[2].strip("> ")
    opening, root = first_line(thread.opening), f"<{job.session_id}@{domain}>"
    ours = f"<{job.delivery_id}@{domain}>"
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient(job.address["to"])
    message["Subject"] = subject(templates.say("subject.txt", job, opening=opening))
    message["Date"] = format_datetime(job.at)
    message["Message-ID"] = ours
    earlier = [one for one in thread.earlier[-EARLIER:] if one != ours and _is_id(one)]
    message["In-Reply-To"] = earlier[-1] if earlier else root
    message["References"] = " ".join(dict.fromkeys([root, *earlier]))
    message["Auto-Submitted"] = "auto-replied"
    message["X-Auto-Response-Suppress"] = "All"
    message["Feedback-ID"] = f"{job.kind}:parley:answers:parley"
    footer = templates.say("footer.txt", job, opening=opening)
    text = templates.say("frame.txt", job, opening=opening, answer=job.text.strip(), footer=footer)
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(page(job, templates, opening, footer), subtype="html", cte="quoted-printable")
    message.set_boundary(f"=_{job.delivery_id}")
    return message


def page(job: Job, templates: Templates, opening: str, footer: str) -> str:
    """Give the HTML part."""
    from markupsafe import Markup

    return templates.say(
        "frame.html",
        job,
        opening=opening,
        answer=Markup(email_html.html(job.text)),  # noqa: S704 - it holds no markup but ours
        footer=Markup("<br>".join(map(escape, footer.splitlines()))),  # noqa: S704 - escaped here
        preview=" ".join(job.text.split())[:PREVIEW],
        font=Markup(email_html.FONT),  # noqa: S704 - ours
    )


def recipient(text: str) -> Address:
    """Give one plain address. Raises ValueError when it is none, or more than one, or smuggles a header in."""
    if not (text.isascii() and text.isprintable() and len(text) <= 254):
        raise ValueError("not an e-mail address")
    try:
        return Address(addr_spec=text)
    except (ValueError, IndexError, MessageError) as error:  # what the parser of the standard library lets out
        raise ValueError("not an e-mail address") from error


def bare(sender: str) -> str:
    """Give the address itself, as the envelope has it, of `Name <address>`."""
    return parseaddr(sender)[1] or sender


def outcome(answer: Answer, stage: Stage = "content") -> Outcome:  # noqa: PLR0911 - one line for each meaning
    """Say what a final SMTP reply means. `code` is the enhanced status (RFC 3463), where there is one."""
    code, ours = answer.code or str(answer.status), stage in ("greeting", "sender")
    if 200 <= answer.status < 300:
        return Delivered(answer.provider_id, level="accepted")
    if answer.status in (530, 534, 535, 538):
        return Parked("the mail server refuses our credentials", code)
    if ours and answer.status >= 500:
        return Parked("the mail server refuses us as a sender", code)
    if answer.status == 421:
        return Retry("the mail server is closing", code)
    if answer.code in _FULL or 400 <= answer.status < 500:
        return Wait(PATIENCE, code, "the mail server asked for patience")
    if 500 <= answer.status < 600:
        return Failed("nobody has this address" if nobody(answer, stage) else "the mail server refuses it", code)
    return Unsure("the mail server answered nothing that we know", code)


def nobody(answer: Answer, stage: Stage) -> bool:
    """Whether a reply says that an address will never work: then it is not written to again."""
    return stage == "recipient" and answer.status >= 500 and answer.code in _NOBODY


def subject(text: str) -> str:
    """Give one line without control characters, so that no header can be smuggled in."""
    clean = " ".join("".join(" " if c.isspace() else c for c in text if not _hidden(c)).split())
    return clean if len(clean) <= SUBJECT else clean[: SUBJECT - 1] + "…"


def first_line(question: str) -> str:
    """Give the first line of a question that says something."""
    first = next((line.strip() for line in question.splitlines() if line.strip()), "your question")
    return "".join(c for c in first if not _hidden(c))


def _hidden(c: str) -> bool:
    return unicodedata.category(c)[0] == "C" and not c.isspace()


def _is_id(text: str) -> bool:
    return text.startswith("<") and text.endswith(">") and text.isascii() and text.isprintable() and " " not in text

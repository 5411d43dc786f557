"""SMTP, by the standard library: `smtp://user:password@host:587?tls=starttls`, `smtps://host`, `smtp://host?tls=none`."""

import contextlib
import smtplib
import ssl
import time
import urllib.parse
from dataclasses import dataclass

from parley.channels import email
from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Retry, Sent, Unsure
from parley.domain.delivery import Job
from parley.errors import Misconfigured

_PORTS = {"smtps": 465, "smtp": 587}


@dataclass(frozen=True)
class Mailer:
    """One mail server. `sender` is our address."""

    host: str
    port: int
    tls: str  # "smtps", "starttls" or "none"
    user: str
    password: str
    sender: str

    @classmethod
    def of(cls, url: str, sender: str) -> "Mailer":
        """Read SMTP_URL and MAIL_FROM. Raises Misconfigured."""
        parts = urllib.parse.urlsplit(url)
        options = dict(urllib.parse.parse_qsl(parts.query))
        tls = "smtps" if parts.scheme == "smtps" else options.get("tls", "starttls")
        if parts.scheme not in _PORTS or not parts.hostname or tls not in ("smtps", "starttls", "none"):
            raise Misconfigured("SMTP_URL: expected smtp://host:587?tls=starttls or smtps://host")
        if "@" not in sender or any(c in sender for c in "\r\n"):
            raise Misconfigured("MAIL_FROM: must be an e-mail address")
        user, password = (urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
        if user and tls == "none" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise Misconfigured("SMTP_URL: a password is not sent without TLS")
        return cls(parts.hostname, parts.port or _PORTS[parts.scheme], tls, user, password, sender)

    def send(self, job: Job, timeout: float) -> Sent:
        """Send one message. Until the data was handed over nothing is sent; when the last answer is lost, perhaps."""
        try:
            message = email.render(job, self.sender)
        except ValueError:
            return Sent(Failed("not an e-mail address"))
        end = time.monotonic() + timeout
        server: smtplib.SMTP | None = None
        handed_over = False
        try:
            server = self._connected(end)
            code, text = _in_time(server, end).mail(self.sender)
            if code == 250:
                code, text = _in_time(server, end).rcpt(job.address["to"])
            if code not in (250, 251):
                return Sent(_outcome(code, text))
            content = message.as_bytes()
            _in_time(server, end)
            handed_over = True
            code, text = server.data(content)
            return Sent(_outcome(code, text, message["Message-ID"]))
        except smtplib.SMTPResponseException as error:
            return Sent(_outcome(error.smtp_code, error.smtp_error))
        except (OSError, smtplib.SMTPException):
            return Sent(Unsure("the mail server's answer was lost") if handed_over else Retry("no mail server"))
        finally:
            if server:
                _part(server)

    def find(self, job: Job, timeout: float) -> Sent | None:  # noqa: ARG002 - a mailbox cannot be asked
        """Say that it cannot be known."""
        return Sent(Unsure("an earlier attempt may have been sent"))

    def _connected(self, end: float) -> smtplib.SMTP:
        context = ssl.create_default_context() if self.tls != "none" else None
        timeout = max(1.0, min(10.0, end - time.monotonic()))
        server: smtplib.SMTP
        if self.tls == "smtps":
            server = smtplib.SMTP_SSL(self.host, self.port, timeout=timeout, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=timeout)
        try:
            if self.tls == "starttls":
                _in_time(server, end).starttls(context=context)
            _in_time(server, end).ehlo_or_helo_if_needed()
            if self.user:
                _in_time(server, end).login(self.user, self.password)
        except BaseException:
            server.close()
            raise
        return server


def _in_time(server: smtplib.SMTP, end: float) -> smtplib.SMTP:
    """Let the next step wait until the deadline at most. Raises TimeoutError beyond it."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    if server.sock:
        server.sock.settimeout(left)
    return server


def _part(server: smtplib.SMTP) -> None:
    """Say goodbye; the message is settled by now, so nothing that goes wrong here matters."""
    with contextlib.suppress(OSError, smtplib.SMTPException):
        if server.sock:
            server.sock.settimeout(1.0)
        server.quit()
    server.close()


def _outcome(code: int, text: bytes | str, message_id: str | None = None) -> Outcome:
    words = (text.decode("ascii", "replace") if isinstance(text, bytes) else text).split()
    enhanced = words[0] if words and words[0].count(".") == 2 else None
    outcome = email.outcome(Answer(code, enhanced))
    return Delivered(message_id) if isinstance(outcome, Delivered) else outcome

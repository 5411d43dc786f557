"""
SMTP, by the standard library: `smtp://user:password@host:587?tls=starttls`, `smtps://host`, `smtp://host?tls=none`.

A connection is kept for the next message and asked whether it is still there before it is used.
"""

import contextlib
import smtplib
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage

from parley.adapters.mailing import Enveloped
from parley.channels import email
from parley.channels.email import Stage
from parley.channels.outcome import Answer, Delivered, Outcome, Retry, Unsure
from parley.errors import Misconfigured

IDLE = 60.0  # seconds that a connection is kept: servers close theirs after some minutes
KEPT = 4  # connections

_PORTS = {"smtps": 465, "smtp": 587}


@dataclass(frozen=True)
class Server:
    """One mail server, as SMTP_URL names it. `authority`: a file of certificates to trust instead of the system's."""

    host: str
    port: int
    tls: str  # "smtps", "starttls" or "none"
    user: str = ""
    password: str = ""
    authority: str | None = None

    @classmethod
    def of(cls, url: str) -> "Server":
        """Read SMTP_URL. Raises Misconfigured."""
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port
        except ValueError:
            raise Misconfigured("SMTP_URL: is no URL") from None
        options = dict(urllib.parse.parse_qsl(parts.query))
        tls = "smtps" if parts.scheme == "smtps" else options.get("tls", "starttls")
        if parts.scheme not in _PORTS or not parts.hostname or tls not in ("smtps", "starttls", "none"):
            raise Misconfigured("SMTP_URL: expected smtp://host:587?tls=starttls or smtps://host")
        user, password = (urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
        if user and tls == "none" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise Misconfigured("SMTP_URL: a password is not sent without TLS")
        return cls(parts.hostname, port or _PORTS[parts.scheme], tls, user, password, options.get("authority"))


class SmtpTransport:
    """Messages by one server."""

    def __init__(self, server: Server, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._clock = clock
        self._idle: list[tuple[float, smtplib.SMTP]] = []
        self._lock = threading.Lock()

    def deliver(self, message: EmailMessage, envelope: Enveloped, timeout: float) -> Outcome:
        """Send one message. Until the data was handed over nothing is sent; when the last answer is lost, perhaps."""
        end = self._clock() + timeout
        connection: smtplib.SMTP | None = None
        stage: Stage = "greeting"
        handed_over = settled = False
        try:
            connection = self._taken(end)
            stage = "sender"
            code, text = self._in_time(connection, end).mail(envelope.sender)
            if code == 250:
                stage = "recipient"
                code, text = self._in_time(connection, end).rcpt(envelope.recipient)
            if code not in (250, 251):
                settled = True
                return _outcome(code, text, stage, envelope)
            content, stage = message.as_bytes(), "content"
            self._in_time(connection, end)
            handed_over = True
            code, text = connection.data(content)
            settled = True
            return _outcome(code, text, stage, envelope, message["Message-ID"])
        except smtplib.SMTPResponseException as error:
            return _outcome(error.smtp_code, error.smtp_error, stage, envelope)
        except (OSError, smtplib.SMTPException):
            return Unsure("the mail server's answer was lost") if handed_over else Retry("no mail server")
        finally:
            if connection:
                self._put_back(connection) if settled else connection.close()

    def close(self) -> None:
        """Part from the server."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                connection.quit()
            connection.close()

    def _taken(self, end: float) -> smtplib.SMTP:
        """Give a connection that answers: one that is kept, else a new one."""
        while True:
            with self._lock:
                since, connection = self._idle.pop() if self._idle else (0.0, None)
            if connection is None:
                return self._connected(end)
            with contextlib.suppress(OSError, smtplib.SMTPException):
                soon = min(end, self._clock() + 3)
                if self._clock() - since < IDLE and self._in_time(connection, soon).noop()[0] == 250:
                    return connection
            connection.close()

    def _put_back(self, connection: smtplib.SMTP) -> None:
        """Keep it for the next one. The message is settled by now, so nothing that goes wrong here matters."""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            if connection.sock:
                connection.sock.settimeout(1.0)
                connection.rset()
                with self._lock:
                    if len(self._idle) < KEPT:
                        self._idle.append((self._clock(), connection))
                        return
        connection.close()

    def _connected(self, end: float) -> smtplib.SMTP:
        there = self._server
        context = ssl.create_default_context(cafile=there.authority) if there.tls != "none" else None
        timeout = max(1.0, min(10.0, end - self._clock()))
        connection: smtplib.SMTP
        if there.tls == "smtps":
            connection = smtplib.SMTP_SSL(there.host, there.port, timeout=timeout, context=context)
        else:
            connection = smtplib.SMTP(there.host, there.port, timeout=timeout)
        try:
            if there.tls == "starttls":
                self._in_time(connection, end).starttls(context=context)
            self._in_time(connection, end).ehlo_or_helo_if_needed()
            if there.user:
                self._in_time(connection, end).login(there.user, there.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _in_time(self, connection: smtplib.SMTP, end: float) -> smtplib.SMTP:
        """Let the next step wait until the deadline at most. Raises TimeoutError beyond it."""
        left = end - self._clock()
        if left <= 0:
            raise TimeoutError
        if connection.sock:
            connection.sock.settimeout(left)
        return connection


def _outcome(code: int, text: bytes | str, stage: Stage, envelope: Enveloped, message_id: str | None = None) -> Outcome:
    words = (text.decode("ascii", "replace") if isinstance(text, bytes) else text).split()
    enhanced = words[0] if words and words[0].count(".") == 2 else None
    answer = Answer(code, enhanced)
    if email.nobody(answer, stage):
        envelope.refused(f"{code} {enhanced}")
    outcome = email.outcome(answer, stage)
    return Delivered(message_id, level=outcome.level) if isinstance(outcome, Delivered) else outcome

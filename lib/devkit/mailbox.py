"""
A stand-in for a mail server: real SMTP on 127.0.0.1, by aiosmtpd, that keeps every message.

    with Mailbox() as mail:
        mail.refuse("gone@example.com", "550 5.1.1 No such user")
        mail.end("451 4.7.1 Try again later")
        mail.drop_after_dot()
        ...
        assert mail.wait_for(1)[0].message["Subject"] == "Hello"

True to RFC 5321 (https://www.rfc-editor.org/rfc/rfc5321), enhanced status codes of RFC 3463, STARTTLS of RFC 3207,
AUTH LOGIN and PLAIN of RFC 4954. Left out: sending on, filtering, bounces, pipelining faults.
"""

import asyncio
import email
import email.policy
import ssl
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Literal, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

type Tls = Literal["none", "starttls", "smtps"]


@dataclass(frozen=True)
class Mail:
    """One message with its envelope; `raw` is as it came, with CRLF, and `user` is who logged in."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage
    raw: bytes
    tls: bool
    user: str | None


@dataclass(frozen=True)
class _Ending:
    answer: str  # "" drops the connection
    kept: bool


class Mailbox:
    """
    One mail server. `users` are names and passwords; with any of them one must log in.

    `connections` counts them. With `tls` it has a certificate of an authority of its own; `authority` holds it as PEM.
    """

    def __init__(self, *, tls: Tls = "none", users: Mapping[str, str] | None = None) -> None:
        self.authority = b""
        self.connections = 0
        self._open: list[SMTP] = []
        self._tls = tls
        self._users = dict(users or {})
        self._context = self._certified() if tls != "none" else None
        self._mails: list[Mail] = []
        self._refused: dict[str, str] = {}
        self._endings: deque[_Ending] = deque()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def host(self) -> str:
        """Where it listens; the certificate is for this name and for localhost."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server, "not started"
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """smtp://127.0.0.1:port?tls=none|starttls, or smtps://…, without a user."""
        return (
            f"smtps://{self.host}:{self.port}"
            if self._tls == "smtps"
            else f"smtp://{self.host}:{self.port}?tls={self._tls}"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def refuse(self, recipient: str, answer: str = "550 5.1.1 No such user") -> None:
        """Answer RCPT for this address so, always."""
        with self._changed:
            self._refused[recipient.lower()] = answer

    def end(self, answer: str, *, times: int = 1, kept: bool = False) -> None:
        """Answer the final dot of the next messages so; keep them only when told to."""
        with self._changed:
            self._endings.extend([_Ending(answer, kept)] * times)

    def drop_after_dot(self, *, times: int = 1, kept: bool = True) -> None:
        """Drop the connection at the final dot of the next messages, without an answer; they were taken when `kept`."""
        self.end("", times=times, kept=kept)

    def cut(self) -> None:
        """Close every connection, as servers do with those that are idle."""

        def close() -> None:
            for one in self._open:
                if one.transport:
                    one.transport.close()

        self._loop.call_soon_threadsafe(close)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(10)

    def mails(self) -> list[Mail]:
        """Give what was taken so far, in order."""
        with self._changed:
            return list(self._mails)

    def wait_for(self, count: int, timeout: float = 10) -> list[Mail]:
        """Wait for so many messages. Raises TimeoutError."""
        with self._changed:
            if self._changed.wait_for(lambda: len(self._mails) >= count, timeout):
                return list(self._mails)
            raise TimeoutError(f"{len(self._mails)} of {count} messages after {timeout} s")

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        del server, session
        with self._changed:
            refusal = self._refused.get(address.lower())
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Take a message, or do what was asked for it."""
        with self._changed:
            ending = self._endings.popleft() if self._endings else _Ending("250 2.0.0 OK", kept=True)
            if ending.kept:
                self._keep(session, envelope)
        if not ending.answer:
            cast(asyncio.Transport, server.transport).abort()
        return ending.answer or "250 2.0.0 OK"

    def _keep(self, session: Session, envelope: Envelope) -> None:
        raw = cast(bytes, envelope.content)
        message = email.message_from_bytes(raw.replace(b"\r\n", b"\n"), policy=email.policy.default)
        login = session.auth_data.login.decode() if isinstance(session.auth_data, LoginPassword) else None
        encrypted = self._tls == "smtps" or session.ssl is not None
        recipients = tuple(envelope.rcpt_tos)
        self._mails.append(Mail(envelope.mail_from or "", recipients, message, raw, encrypted, login))
        self._changed.notify_all()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        del server, session, envelope, mechanism
        known = self._users.get(data.login.decode("utf-8", "replace")) == data.password.decode("utf-8", "replace")
        return AuthResult(success=known, handled=False, auth_data=data)

    def _protocol(self) -> SMTP:
        options: dict[str, Any] = {}
        if self._users:
            options = {"authenticator": self._authenticate, "auth_required": True}
        if self._tls == "starttls":
            options |= {"tls_context": self._context, "require_starttls": True}
        self.connections += 1
        made = SMTP(
            self, hostname="localhost", loop=self._loop, enable_SMTPUTF8=True, auth_require_tls=self._tls == "starttls",
            **options,
        )  # fmt: skip
        self._open.append(made)
        return made

    async def _listen(self) -> asyncio.Server:
        context = self._context if self._tls == "smtps" else None
        return await self._loop.create_server(self._protocol, self.host, 0, ssl=context)

    async def _close(self) -> None:
        assert self._server
        self._server.close()
        open_ones = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)

    def _certified(self) -> ssl.SSLContext:
        import trustme

        authority = trustme.CA()
        self.authority = authority.cert_pem.bytes()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(self.host, "localhost").configure_cert(context)
        return context

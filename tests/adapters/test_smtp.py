"""SMTP, against a real server in this process and against servers that break."""

import contextlib
import socket
import threading

import pytest
from aiosmtpd.controller import Controller

from parley.adapters.smtp import Mailer
from parley.channels.outcome import Delivered, Failed, Parked, Retry, Unsure, Wait
from parley.errors import Misconfigured


class Mailbox:
    """Takes mail; `replies` overrides what it says to RCPT and at the end of DATA."""

    def __init__(self):
        self.mails = []
        self.replies = {}

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - as aiosmtpd calls it
        if "RCPT" in self.replies:
            return self.replies["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - as aiosmtpd calls it
        self.mails.append(envelope)
        return self.replies.get("DATA", "250 OK")


@pytest.fixture
def mailbox():
    """A mail server on a free port."""
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    box.url = f"smtp://127.0.0.1:{port}?tls=none"
    yield box
    controller.stop()


@pytest.fixture
def scripted():
    """A server that says the given lines, one per command, then does `end`: "close", "reset" or "hang"."""
    with contextlib.ExitStack() as stack:

        def start(lines, end="close"):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            done = threading.Event()
            stack.callback(done.set)

            def serve():
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    with connection, connection.makefile("rwb") as wire:
                        for line in lines:
                            wire.write(line.encode() + b"\r\n")
                            wire.flush()
                            said = wire.readline()
                            while line.startswith("354") and said not in (b".\r\n", b""):
                                said = wire.readline()
                        if end == "hang":
                            done.wait()

            threading.Thread(target=serve, daemon=True).start()
            return f"smtp://127.0.0.1:{listener.getsockname()[1]}?tls=none"

        yield start


@pytest.fixture
def send(job):
    """Send one answer by a server."""

    def make(url, to="ann@example.org", timeout=5):
        mailer = Mailer.of(url, "Parley <parley@example.org>")
        return mailer.send(job("**Hi**\n.\nthere", channel="email", address={"to": to}), timeout).outcome

    return make


def test_a_mail_arrives_whole(mailbox, send):
    """One message with our envelope; a line of one dot does not end it."""
    outcome = send(mailbox.url)

    (mail,) = mailbox.mails
    assert outcome == Delivered("<0f4c5d1e-9b0a-5c63-8e3e-0e6f0a8a7d11@example.org>")
    assert (mail.mail_from, mail.rcpt_tos) == ("parley@example.org", ["ann@example.org"])
    assert b"\r\n.\r\nthere" in mail.content


@pytest.mark.parametrize(
    ("step", "reply", "meaning"),
    [
        ("RCPT", "550 5.1.1 unknown", Failed),
        ("RCPT", "450 4.7.1 grey", Wait),
        ("DATA", "552 5.2.2 full", Wait),
        ("DATA", "554 5.7.1 policy", Failed),
        ("DATA", "421 closing", Retry),
    ],
)
def test_refusals(mailbox, send, step, reply, meaning):
    """What the server says decides, at whatever step."""
    mailbox.replies[step] = reply

    assert isinstance(send(mailbox.url), meaning)


@pytest.mark.parametrize(
    ("lines", "end", "meaning"),
    [
        ([], "close", Retry),
        (["220 hi"], "close", Retry),
        (["220 hi", "250 ok", "250 ok", "250 ok"], "close", Unsure),
        (["220 hi", "250 ok", "250 ok", "250 ok", "354 go"], "close", Unsure),
        (["220 hi", "250 ok", "250 ok", "250 ok", "354 go"], "hang", Unsure),
        (["220 hi", "250 ok", "250 ok", "250 ok", "354 go", "250 taken"], "close", Delivered),
        (["220 hi", "250 ok", "250 ok", "250 ok", "354 go", "250 taken"], "hang", Delivered),
        (["220 hi", "250 ok", "250 ok", "250 ok", "354 go", "250 taken", "500 what"], "close", Delivered),
        (["220 hi", "250 ok", "250 ok", "550 5.1.1 no"], "hang", Failed),
        (["554 go away"], "close", Failed),
    ],
)
def test_lines_that_break(scripted, send, lines, end, meaning):
    """Before the data nothing is sent; after them it may be; once it is taken, no bad goodbye changes that."""
    assert isinstance(send(scripted(lines, end), timeout=1), meaning)


def test_nobody_there_is_surely_not_sent(send):
    """A refused connection is no doubt."""
    assert isinstance(send("smtp://127.0.0.1:1?tls=none"), Retry)


def test_refused_credentials_are_ours_to_mend(scripted, send):
    """A wrong password parks the delivery and fails nothing."""
    url = scripted(["220 hi", "250-ok\r\n250 AUTH PLAIN", "535 5.7.8 no"], "hang")

    assert isinstance(send(url.replace("//", "//user:secret@"), timeout=1), Parked)


def test_an_address_that_is_none_fails(mailbox, send):
    """No server is asked."""
    assert isinstance(send(mailbox.url, to="a@b\r\nBcc: c@d"), Failed)


@pytest.mark.parametrize(
    ("url", "sender", "setting"),
    [
        ("http://host", "a@b", "SMTP_URL"),
        ("smtp://", "a@b", "SMTP_URL"),
        ("smtp://host?tls=maybe", "a@b", "SMTP_URL"),
        ("smtp://user:secret@mail.example.org?tls=none", "a@b", "SMTP_URL"),
        ("smtp://host", "nobody", "MAIL_FROM"),
        ("smtp://host", "a@b\nBcc: c@d", "MAIL_FROM"),
    ],
)
def test_wrong_settings_are_named(url, sender, setting):
    """One line names the setting and shows no value."""
    with pytest.raises(Misconfigured, match=f"^{setting}: ") as error:
        Mailer.of(url, sender)

    assert "secret" not in str(error.value)

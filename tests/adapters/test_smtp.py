"""SMTP, against a real server in this process and against servers that break."""

import contextlib
import socket
import threading

import pytest
from wiring.conftest import ROOT

from devkit.mailbox import Mailbox
from parley.adapters.mailing import Mailer
from parley.adapters.smtp import Server, SmtpTransport
from parley.adapters.template_files import load_templates
from parley.channels.email import Thread
from parley.channels.outcome import Delivered, Failed, Parked, Retry, Unsure, Wait
from parley.errors import Misconfigured


class Conversations:
    """No conversation before this one; `suppressed` says why nothing may be sent."""

    suppressed = None

    def thread(self, job):
        return Thread(job.question), self.suppressed


@pytest.fixture
def mailbox():
    """A mail server on a free port."""
    with Mailbox() as box:
        yield box


@pytest.fixture
def refused():
    """The addresses that nobody has, as they were told."""
    return []


@pytest.fixture
def sender(refused):
    """Make the channel for a server."""

    def make(url, conversations=None):
        templates = load_templates(ROOT / "config", "email")
        return Mailer(
            SmtpTransport(Server.of(url)), "Parley <parley@example.org>", templates, conversations or Conversations(),
            lambda address, detail: refused.append((address, detail)),
        )  # fmt: skip

    return make


@pytest.fixture
def mail(job):
    """A delivery by mail."""
    return lambda to="ann@example.org", **fields: job("Hello", channel="email", address={"to": to}, **fields)


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
                            if line.startswith("<"):  # the data, until its dot
                                while wire.readline() not in (b".\r\n", b""):
                                    pass
                            else:
                                wire.write(line.encode() + b"\r\n")
                                wire.flush()
                                if not line.startswith("354"):
                                    wire.readline()
                        if end == "hang":
                            done.wait()

            threading.Thread(target=serve, daemon=True).start()
            return f"smtp://127.0.0.1:{listener.getsockname()[1]}?tls=none"

        yield start


def test_a_message_arrives(mailbox, sender, mail):
    """With its envelope, and its Message-ID as the provider's id."""
    sent = sender(mailbox.url).send(mail(), 5)

    (arrived,) = mailbox.mails()
    assert sent.outcome == Delivered(arrived.message["Message-ID"], level="accepted")
    assert (arrived.sender, arrived.recipients) == ("parley@example.org", ("ann@example.org",))
    assert arrived.message.get_body(("html",)) is not None


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_tls_and_a_password(tls, sender, mail, tmp_path):
    """Encrypted by a certificate of the given authority, and logged in."""
    with Mailbox(tls=tls, users={"ann": "s:cret/"}) as box:
        (tmp_path / "ca.pem").write_bytes(box.authority)
        scheme = "smtps" if tls == "smtps" else "smtp"
        url = f"{scheme}://ann:s%3Acret%2F@127.0.0.1:{box.port}?authority={tmp_path / 'ca.pem'}"

        sent = sender(url).send(mail(), 5)

        (arrived,) = box.mails()
    assert isinstance(sent.outcome, Delivered)
    assert (arrived.tls, arrived.user) == (True, "ann")


def test_a_wrong_password_parks(sender, mail, tmp_path):
    """Nothing is wrong with the message."""
    with Mailbox(tls="smtps", users={"ann": "right"}) as box:
        (tmp_path / "ca.pem").write_bytes(box.authority)

        sent = sender(f"smtps://ann:wrong@127.0.0.1:{box.port}?authority={tmp_path / 'ca.pem'}").send(mail(), 5)

    assert isinstance(sent.outcome, Parked)


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_a_certificate_of_nobody_is_not_trusted(tls, sender, mail):
    """Without the authority nothing is sent."""
    with Mailbox(tls=tls) as box:
        scheme = "smtps" if tls == "smtps" else "smtp"

        sent = sender(f"{scheme}://127.0.0.1:{box.port}").send(mail(), 5)

        assert box.mails() == []
    assert isinstance(sent.outcome, Retry)


def test_one_connection_serves_many(mailbox, sender, mail):
    """The second message needs no new greeting; one that the server has closed meanwhile is replaced."""
    channel = sender(mailbox.url)

    outcomes = [channel.send(mail(), 5).outcome for _ in range(3)]
    mailbox.cut()
    outcomes.append(channel.send(mail(), 5).outcome)

    assert [type(outcome) for outcome in outcomes] == [Delivered] * 4
    assert len(mailbox.mails()) == 4
    assert mailbox.connections == 2


def test_after_a_refusal_the_connection_is_used_again(mailbox, sender, mail):
    """The next recipient has nothing to do with the one before."""
    channel = sender(mailbox.url)
    mailbox.refuse("gone@example.org")

    outcomes = [channel.send(mail(to), 5).outcome for to in ("gone@example.org", "ann@example.org")]

    assert [type(outcome) for outcome in outcomes] == [Failed, Delivered]
    assert mailbox.connections == 1


def test_nobody_there_is_told_once_and_never_written_to(mailbox, sender, mail, refused):
    """5.1.1 at the recipient: the address is given up; a full mailbox or a policy is not."""
    channel = sender(mailbox.url)
    mailbox.refuse("gone@example.org", "550 5.1.1 No such user")
    mailbox.refuse("full@example.org", "552 5.2.2 Full")
    mailbox.refuse("strict@example.org", "550 5.7.1 Not from you")

    outcomes = [channel.send(mail(f"{name}@example.org"), 5).outcome for name in ("gone", "full", "strict")]

    assert [type(outcome) for outcome in outcomes] == [Failed, Wait, Failed]
    assert refused == [("gone@example.org", "550 5.1.1")]


def test_a_suppressed_address_is_not_written_to(mailbox, sender, mail):
    """What bounced once is the next rank's, with the reason."""
    conversations = Conversations()
    conversations.suppressed = "opt_out"

    outcome = sender(mailbox.url, conversations).send(mail(), 5).outcome

    assert outcome == Failed("suppressed: opt out", "suppressed")
    assert mailbox.mails() == []


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        ("451 4.7.1 Grey-listed", Wait),
        ("452 4.2.2 Full", Wait),
        ("550 5.7.1 Spam", Failed),
        ("554 5.6.0 Broken", Failed),
        ("421 4.3.2 Closing", Retry),
    ],
)
def test_what_a_server_says_at_the_final_dot(mailbox, sender, mail, answer, meaning):
    """Passing trouble is waited for, final refusals are final."""
    mailbox.end(answer)

    assert isinstance(sender(mailbox.url).send(mail(), 5).outcome, meaning)


@pytest.mark.parametrize("kept", [True, False])
def test_a_connection_dropped_after_the_final_dot_is_a_doubt(mailbox, sender, mail, kept):
    """Perhaps it was taken: it is not sent again blindly."""
    mailbox.drop_after_dot(kept=kept)

    outcome = sender(mailbox.url).send(mail(), 5).outcome

    assert isinstance(outcome, Unsure)
    assert len(mailbox.mails()) == kept


@pytest.mark.parametrize(
    ("lines", "end", "meaning"),
    [
        ([], "close", Retry),
        (["554 no"], "close", Parked),
        (["220 hi", "250 hi", "250 ok"], "close", Retry),
        (["220 hi", "250 hi", "250 ok", "250 ok", "354 go", "<"], "hang", Unsure),
        (["220 hi", "250 hi", "250 ok", "250 ok"], "hang", Unsure),
        (["220 hi", "250 hi", "550 5.7.1 relaying denied"], "close", Parked),
    ],
)
def test_servers_that_break(scripted, sender, mail, lines, end, meaning):
    """Before the data it was surely not sent, after it perhaps."""
    assert isinstance(sender(scripted(lines, end)).send(mail(), 1.5).outcome, meaning)


def test_nobody_listens(sender, mail):
    """Surely not sent."""
    assert isinstance(sender("smtp://127.0.0.1:1?tls=none").send(mail(), 2).outcome, Retry)


def test_an_address_that_is_none_fails(mailbox, sender, mail):
    """And nothing leaves."""
    assert isinstance(sender(mailbox.url).send(mail("a@b\r\nBcc: c@d"), 5).outcome, Failed)
    assert mailbox.mails() == []


def test_a_mailbox_cannot_be_asked(mailbox, sender, mail):
    """What may have arrived stays a doubt."""
    assert isinstance(sender(mailbox.url).find(mail(), 5).outcome, Unsure)


@pytest.mark.parametrize(
    "url",
    ["http://x", "smtp://", "smtp://host?tls=maybe", "smtp://ann:pw@mail.example.org?tls=none", "smtp://host:99999",
     "smtp://host:x"],
)  # fmt: skip
def test_a_url_that_is_none_is_refused(url):
    """At the start, by its name, without its words."""
    with pytest.raises(Misconfigured, match="SMTP_URL"):
        Server.of(url)


def test_a_sender_must_be_an_address(sender):
    """MAIL_FROM is checked at the start."""
    with pytest.raises(Misconfigured, match="MAIL_FROM"):
        Mailer(None, "nobody", None, None)

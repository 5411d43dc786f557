"""The stand-in for a mail server, by the standard library's client."""

import smtplib
import ssl
from email.message import EmailMessage

import pytest

from devkit.mailbox import Mailbox


@pytest.fixture
def hello() -> EmailMessage:
    """A message with a text beyond ASCII."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "desk@example.com", "ann@example.com", "Grüße"
    message.set_content("Schöne Grüße\n")
    return message


def trusting(mail: Mailbox) -> ssl.SSLContext:
    """Trust the mailbox's own authority only."""
    return ssl.create_default_context(cadata=mail.authority.decode())


def test_keeps_each_message_with_its_envelope(hello: EmailMessage):
    """A message can be read as it was meant; the envelope is not guessed from its headers."""
    with Mailbox() as mail:
        with smtplib.SMTP(mail.host, mail.port) as client:
            client.send_message(hello, "bounces@example.com", ["ann@example.com", "bob@example.com"])

        (kept,) = mail.wait_for(1)

    assert (kept.sender, kept.recipients) == ("bounces@example.com", ("ann@example.com", "bob@example.com"))
    assert kept.message["Subject"] == "Grüße"
    assert kept.message.get_content() == "Schöne Grüße\n"
    assert (kept.tls, kept.user) == (False, None)


def test_refuses_a_recipient(hello: EmailMessage):
    """A refused recipient is answered as told, the others get the message."""
    with Mailbox() as mail:
        mail.refuse("gone@example.com", "550 5.1.1 No such user")
        with smtplib.SMTP(mail.host, mail.port) as client:
            refused = client.send_message(hello, to_addrs=["gone@example.com", "ann@example.com"])

        (kept,) = mail.wait_for(1)

    assert refused == {"gone@example.com": (550, b"5.1.1 No such user")}
    assert kept.recipients == ("ann@example.com",)


def test_puts_off_a_message(hello: EmailMessage):
    """451 at the final dot means that nothing was kept; the next attempt is taken."""
    with Mailbox() as mail, smtplib.SMTP(mail.host, mail.port) as client:
        mail.end("451 4.7.1 Try again later")

        with pytest.raises(smtplib.SMTPDataError) as error:
            client.send_message(hello)
        before = mail.mails()
        client.send_message(hello)

        assert (error.value.smtp_code, error.value.smtp_error) == (451, b"4.7.1 Try again later")
        assert (len(before), len(mail.mails())) == (0, 1)


@pytest.mark.parametrize(("kept", "count"), [(True, 1), (False, 0)])
def test_drops_the_connection_after_the_final_dot(hello: EmailMessage, kept: bool, count: int):
    """The client cannot know whether the message was taken."""
    with Mailbox() as mail:
        mail.drop_after_dot(kept=kept)
        client = smtplib.SMTP(mail.host, mail.port, timeout=5)

        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            client.send_message(hello)
        client.close()

        assert len(mail.mails()) == count


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
def test_wants_a_login(hello: EmailMessage, mechanism: str):
    """With users one must log in, over TLS with the mailbox's own certificate."""
    with Mailbox(tls="starttls", users={"parley": "right"}) as mail:
        with smtplib.SMTP(mail.host, mail.port) as client:
            client.starttls(context=trusting(mail))
            client.user, client.password = "parley", "right"
            client.ehlo()
            client.auth(mechanism.removeprefix("auth_").upper(), getattr(client, mechanism))
            client.send_message(hello)

        (kept,) = mail.wait_for(1)

    assert (kept.tls, kept.user) == (True, "parley")


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_refuses_a_wrong_password_and_none(hello: EmailMessage):
    """Who cannot log in cannot send."""
    with Mailbox(users={"parley": "right"}) as mail:
        with smtplib.SMTP(mail.host, mail.port) as client, pytest.raises(smtplib.SMTPAuthenticationError) as wrong:
            client.login("parley", "wrong")
        with smtplib.SMTP(mail.host, mail.port) as client, pytest.raises(smtplib.SMTPResponseException) as without:
            client.send_message(hello)

        assert (wrong.value.smtp_code, without.value.smtp_code) == (535, 530)
        assert mail.mails() == []


def test_speaks_tls_from_the_first_byte(hello: EmailMessage):
    """smtps is TLS at once; who does not trust the authority does not send."""
    with Mailbox(tls="smtps") as mail:
        with smtplib.SMTP_SSL(mail.host, mail.port, context=trusting(mail)) as client:
            client.send_message(hello)
        with pytest.raises(ssl.SSLCertVerificationError):
            smtplib.SMTP_SSL(mail.host, mail.port, context=ssl.create_default_context())

        (kept,) = mail.wait_for(1)

    assert kept.tls


def test_takes_no_mail_before_starttls(hello: EmailMessage):
    """With STARTTLS nothing is taken in the clear."""
    with Mailbox(tls="starttls") as mail, smtplib.SMTP(mail.host, mail.port) as client:
        with pytest.raises(smtplib.SMTPResponseException) as error:
            client.send_message(hello)

        assert error.value.smtp_code == 530

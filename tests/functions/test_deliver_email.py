"""deliver-email from its folder, on a real PostgreSQL, against a real mail server."""

import pytest

from devkit.mailbox import Mailbox


@pytest.fixture
def mailbox():
    with Mailbox() as box:
        yield box


@pytest.fixture
def email(deliver, mailbox):
    return deliver("email", SMTP_URL=f"smtp://{mailbox.host}:{mailbox.port}?tls=none", MAIL_FROM="parley@example.org")


def test_an_answer_arrives(answered, rank, email, mailbox):
    """One mail for one delivery, however often its event comes."""
    (due,) = answered(rank("email", 1, to="ann@example.org"))

    replies = [email(due), email(due)]

    assert replies == [(202, None), (202, None)]
    assert len(mailbox.mails()) == 1


def test_a_mail_that_may_have_arrived_is_not_repeated(answered, rank, email, mailbox, row):
    """The connection breaks after the data: `unknown`, and the next channel says so."""
    (due,) = answered(rank("email", 1, to="ann@example.org"), rank("sms", 2, to="+491234567"))
    mailbox.drop_after_dot()

    status, following = email(due)

    assert (status, following.channel) == (200, "sms")
    assert row("select state from deliveries where rank = 1")["state"] == "unknown"
    assert row("select also_by from deliveries where rank = 2")["also_by"] == ["email"]
    assert len(mailbox.mails()) == 1


def test_a_crash_is_not_repeated_blindly(answered, rank, email, mailbox, row, database):
    """A sender that died in between may have sent it: nobody sends it again."""
    from parley.adapters.postgres.deliveries import Deliveries

    (due,) = answered(rank("email", 1, to="ann@example.org"))
    Deliveries(database, owner="gone").claim(due.delivery_id, "email")
    row("update deliveries set lease_until = now() - interval '1 s'")

    assert email(due) == (202, None)
    assert row("select state from deliveries")["state"] == "unknown"
    assert mailbox.mails() == []


def test_an_unknown_person_gives_the_next_rank(answered, rank, email, mailbox):
    """550: the address is wrong for good."""
    (due,) = answered(rank("email", 1, to="nobody@example.org"), rank("test", 2, to="x"))
    mailbox.refuse("nobody@example.org")

    assert email(due)[1].channel == "test"

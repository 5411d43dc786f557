"""What Amazon says of our mails: believed when it is signed, from SNS, about our topic; and kept."""

import json

import pytest
from psycopg.rows import dict_row

from devkit.ses_notices import TOPIC, SesNotices
from parley.adapters.postgres.deliveries import Deliveries
from parley.adapters.postgres.mail import Mail
from parley.adapters.postgres.suppressions import Suppressions
from parley.api.notifications import Notices
from parley.channels.outcome import Delivered
from parley.errors import Unavailable


@pytest.fixture
def amazon():
    """The topic."""
    return SesNotices()


@pytest.fixture
def notices(database, amazon):
    """Our door to it."""
    return Notices(Suppressions(database), amazon.fetch, [TOPIC])


@pytest.fixture
def sent(database, answered, rank):
    """A mail that SES has taken."""
    (due,) = answered(rank("email", 1, to="ann@example.org"), rank("sms", 2, to="+4912345678"))
    store = Deliveries(database, owner="test")
    job = store.claim(due.delivery_id, "email").job
    store.record(job, Delivered("<m-1@eu-west-1.amazonses.com>", level="accepted"))
    return job


@pytest.fixture
def state(database_url):
    """The state and reason of the mail."""
    import psycopg

    def read():
        with psycopg.connect(database_url, row_factory=dict_row) as connection:
            found = connection.execute("select state, reason from deliveries where channel = 'email'").fetchone()
        return found["state"], found["reason"]

    return read


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_bounce_for_good_is_never_written_to_again(database, sent, state, version):
    """The address is suppressed, the delivery shows why, and the next mail there is not sent."""
    amazon = SesNotices(version=version)
    notices = Notices(Suppressions(database), amazon.fetch, [TOPIC])

    status = notices(amazon.bounce("Ann@Example.org", delivery_id=str(sent.delivery_id)))

    assert status == 204
    assert Suppressions(database).reason("email", "ann@example.org") == "bounce"
    assert state() == ("failed", "bounced: Permanent General 5.1.1")
    assert Mail(database).thread(sent)[1] == "bounce"


def test_a_mail_is_known_by_its_id_as_well(notices, amazon, sent, state):
    """Where no tags are told, SES's own id names the delivery."""
    assert notices(amazon.bounce("ann@example.org", message_id="m-1")) == 204
    assert state()[0] == "failed"


@pytest.mark.parametrize("kind", ["Transient", "Undetermined"])
def test_a_bounce_that_passes_suppresses_nobody(notices, amazon, database, sent, kind):
    """A full mailbox is empty tomorrow."""
    assert notices(amazon.bounce("ann@example.org", kind)) == 204
    assert Suppressions(database).reason("email", "ann@example.org") is None


@pytest.mark.parametrize(("kind", "why"), [("abuse", "complaint"), ("not-spam", None)])
def test_who_complains_is_left_alone(notices, amazon, database, kind, why):
    """And who says that it was no spam after all is not."""
    assert notices(amazon.complaint("ann@example.org", kind)) == 204
    assert Suppressions(database).reason("email", "ann@example.org") == why


def test_an_arrival_is_kept(notices, amazon, sent, state):
    """Accepted becomes delivered."""
    assert notices(amazon.delivery(delivery_id=str(sent.delivery_id))) == 204
    assert state()[0] == "delivered"


def test_a_subscription_is_confirmed_once_it_is_verified(notices, amazon):
    """By asking the address that SNS names, and only one of SNS's."""
    assert notices(amazon.confirmation()) == 204
    assert amazon.fetched[-1].startswith("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription")

    before = list(amazon.fetched)
    assert notices(amazon.confirmation(SubscribeURL="https://evil.example/?Action=ConfirmSubscription")) == 403
    assert amazon.fetched == before


@pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type", "Signature"])
def test_what_was_changed_on_the_way_is_refused(notices, amazon, database, name):
    """Every field that is signed counts."""
    said = json.loads(amazon.bounce("ann@example.org"))
    said[name] = said[name].replace("a", "b", 1) if "a" in said[name] else said[name] + "x"

    assert notices(json.dumps(said).encode()) == 403
    assert Suppressions(database).reason("email", "ann@example.org") is None


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/x.pem", "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com.pem", "https://sns.us-east-1.amazonaws.com/x.pem",
        "https://s3.amazonaws.com/x.pem", "https://sns.eu-west-1.amazonaws.com@evil.example/x.pem",
        "https://evil.example#@sns.eu-west-1.amazonaws.com/x.pem", "https://sns.eu-west-1.amazonaws.com:8443/x.pem",
        "https://sns.eu-west-1.amazonaws.com/x.pem?y", "https://sns.eu-west-1.amazonaws.com/../x.pem",
        "https://sns.eu-west-1.amazonaws.com/x.txt", "file:///etc/passwd.pem", "", "https://[::1]/x.pem",
        "https://sns.eu-west-1.amazonaws.com\\@evil.example/x.pem", "https://bucket.sns.eu-west-1.amazonaws.com/x.pem",
    ],
)  # fmt: skip
def test_a_certificate_from_elsewhere_is_not_even_fetched(notices, amazon, url):
    """Anybody can sign with a certificate of their own."""
    amazon.certificate_url = url

    assert notices(amazon.bounce("ann@example.org")) == 403
    assert amazon.fetched == []


def test_another_topic_is_not_ours(notices):
    """Signed by SNS, and told by somebody else."""
    other = SesNotices("arn:aws:sns:eu-west-1:999999999999:mails")

    assert notices(other.bounce("ann@example.org")) == 403
    assert other.fetched == []


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"Type": "Notification"}', b'{"Type": ["x"]}', b"x" * 1000]
)
def test_nonsense_is_refused(notices, body):
    """Whatever is posted, it is an answer and no error."""
    assert notices(body) == 403


def test_a_signed_word_that_is_not_ses_is_refused(notices, amazon):
    """A topic that others write to as well."""
    assert notices(amazon.notice("hello")) == 403
    assert notices(amazon.notice({"notificationType": "Bounce"})) == 403


def test_while_the_certificate_cannot_be_fetched_sns_comes_again(database, amazon):
    """Our trouble, not the notice's."""

    def nobody(url):
        raise Unavailable("down")

    assert Notices(Suppressions(database), nobody, [TOPIC])(amazon.bounce("ann@example.org")) == 503


def test_the_certificate_is_fetched_once(notices, amazon):
    """Not for every bounce."""
    for _ in range(3):
        notices(amazon.bounce("ann@example.org"))

    assert amazon.fetched == [amazon.certificate_url]

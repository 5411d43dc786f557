"""Amazon SNS and SES through boto3's core: against servers that speak their words, and against moto's."""

import json
from email import message_from_string
from email.policy import default
from urllib.parse import parse_qs

import pytest
from wiring.conftest import ROOT

from devkit.aws import Amazon as StandIn
from devkit.serving import LocalServer, Reply
from parley.adapters.aws import Amazon
from parley.adapters.mailing import Mailer
from parley.adapters.ses import SesTransport
from parley.adapters.sns import Sns, linking
from parley.adapters.template_files import load_templates
from parley.channels.email import Thread
from parley.channels.outcome import Delivered, Failed, Parked, Retry, Unsure, Wait
from parley.domain import links

TAKEN = b"""<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
<MessageId>m-1</MessageId></PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>"""


def refused(status, code):
    """What SNS answers when it does not take a message."""
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
    return Reply(status, body.encode(), {"Content-Type": "text/xml"})


class Suppressed(dict):
    """Numbers that are not written to, by number."""

    def reason(self, kind, address):
        return self.get(address)

    def add(self, kind, address, why, detail=None):
        self[address] = why


def keyed(service, region, endpoint):
    return Amazon(service, region, access_key="AKIA", secret_key="s", endpoint=endpoint)


@pytest.fixture
def suppressed():
    return Suppressed()


@pytest.fixture
def texts(suppressed):
    """Our side of SNS."""

    def make(endpoint, keys=None, door=None):
        templates = load_templates(ROOT / "config", "sms")
        return Sns(keyed("sns", "eu-west-1", endpoint), templates, suppressed, linking(keys, door))

    return make


class Conversations:
    def thread(self, job):
        return Thread(job.question), None


@pytest.fixture
def mails():
    """Our side of SES."""

    def make(endpoint, region="eu-west-1", events=None):
        templates = load_templates(ROOT / "config", "email")
        return Mailer(
            SesTransport(keyed("sesv2", region, endpoint), events), "Parley <parley@example.org>", templates,
            Conversations(),
        )  # fmt: skip

    return make


@pytest.fixture(scope="module")
def moto():
    """Amazon, as moto has it."""
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def service():
    """An SNS: `answers` is its next reply, `requests` is what it got."""
    requests = []

    def answer(request):
        requests.append(request)
        return server.answers

    server = LocalServer(answer)
    server.answers, server.requests = Reply(200, TAKEN, {"Content-Type": "text/xml"}), requests
    with server:
        yield server


@pytest.fixture
def send(service, texts, job):
    """Send one text message to it."""

    def make(number="+491234567", endpoint=None):
        channel = texts(endpoint or service.url)
        return channel.send(job("Use **the** portal", channel="sms", address={"to": number}), 4).outcome

    return make


def test_a_text_is_published(service, send):
    """One Publish with number and text, as a transactional message."""
    outcome = send()

    said = parse_qs(service.requests[0].body.decode())
    assert outcome == Delivered("m-1", level="accepted")
    assert (said["PhoneNumber"], said["Message"]) == (["+491234567"], ["Use the portal"])
    assert "Transactional" in str(said)


def test_who_opted_out_is_not_asked_again(service, send, suppressed):
    """SNS says so once; from then on it is not called for this number."""
    service.answers = refused(400, "OptedOut")

    outcomes = [send(), send()]

    assert [outcome.code for outcome in outcomes] == ["OptedOut", "suppressed"]
    assert suppressed == {"+491234567": "opt_out"}
    assert len(service.requests) == 1


def test_a_long_answer_is_its_beginning_and_a_link(service, texts, job):
    """Two segments instead of ten, and the rest a tap away; the link opens this answer and ends after a week."""
    long = job("Words and more words. " * 60, channel="sms", address={"to": "+49 (171) 1234567"})

    texts(service.url, "key", "https://parley.example.org/").send(long, 4)

    said = parse_qs(service.requests[0].body.decode())
    assert said["PhoneNumber"] == ["+491711234567"]
    beginning, link = said["Message"][0].rsplit(" ", 1)
    assert beginning.startswith("Words and more words.")
    assert link.startswith("https://parley.example.org/r/")
    token = link.rpartition("/")[2]
    assert links.read("key", token, long.at) == long.request_id
    assert links.read("key", token, long.at.replace(day=30, hour=10)) is None


def test_moto_takes_a_text(moto, texts, job):
    """As SNS does: number and text arrive, and its id is the provider's."""
    moto.reset()

    sent = texts(moto.endpoint_url).send(job("Use **the** portal", channel="sms", address={"to": "+491711234567"}), 20)

    (arrived,) = moto.sms()
    assert (arrived.number, arrived.text) == ("+491711234567", "Use the portal")
    assert sent.outcome == Delivered(arrived.id, level="accepted")


def test_moto_takes_a_mail(moto, mails, job):
    """The whole message is ours: text, HTML and the headers that threads hang on. Its id is the one people see."""
    moto.reset()
    _verify(moto)

    sent = mails(moto.endpoint_url).send(job("**Hi**", channel="email", address={"to": "ann@example.org"}), 20)

    (arrived,) = moto.data("ses")["RawMessage"] if "RawMessage" in moto.data("ses") else _raw(moto)
    raw = message_from_string(arrived["raw_data"], policy=default)
    assert raw["References"] == "<00000000-0000-0000-0000-000000000003@example.org>"
    assert raw["Auto-Submitted"] == "auto-replied"
    assert ">Hi</strong>" in raw.get_body(("html",)).get_content()
    assert sent.outcome.provider_id.endswith("@eu-west-1.amazonses.com>")


def test_moto_refuses_a_sender_that_is_not_verified(moto, mails, job):
    """An error of SES's own, as moto has it, ends without a doubt."""
    moto.reset()

    outcome = mails(moto.endpoint_url).send(job("Hi", channel="email", address={"to": "ann@example.org"}), 20).outcome

    assert isinstance(outcome, Failed | Parked)


def said_by_ses(status, code):
    """An error in the words of SES's second API."""
    body = json.dumps({"message": "m"}).encode()
    return Reply(status, body, {"Content-Type": "application/json", "x-amzn-ErrorType": code})


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Reply(200, b'{"MessageId": "m-1"}', {"Content-Type": "application/json"}), Delivered),
        (said_by_ses(429, "TooManyRequestsException"), Wait),
        (said_by_ses(400, "LimitExceededException"), Wait),
        (said_by_ses(400, "AccountSuspendedException"), Parked),
        (said_by_ses(400, "SendingPausedException"), Parked),
        (said_by_ses(400, "MailFromDomainNotVerifiedException"), Parked),
        (said_by_ses(404, "NotFoundException"), Parked),
        (said_by_ses(403, "AccessDeniedException"), Parked),
        (said_by_ses(400, "MessageRejected"), Failed),
        (said_by_ses(400, "BadRequestException"), Failed),
        (said_by_ses(500, "InternalServiceErrorException"), Unsure),
        (said_by_ses(503, "ServiceUnavailable"), Retry),
        (Reply(200, b"<html>Sign in</html>", {"x-amzn-ErrorType": "unreadable"}), Unsure),
        (Reply(breaks="reset"), Unsure),
        (Reply(breaks="hang"), Unsure),
    ],
    ids=lambda value: getattr(value, "__name__", "") or value.breaks or value.headers.get("x-amzn-ErrorType", "taken"),
)
def test_what_ses_can_say(service, mails, job, answer, meaning):
    """Each answer is what it is, after one request."""
    service.answers = answer

    sent = mails(service.url, events="parley").send(job("Hi", channel="email", address={"to": "ann@example.org"}), 4)

    asked = json.loads(service.requests[0].body)
    assert isinstance(sent.outcome, meaning)
    assert len(service.requests) == 1
    assert asked["ConfigurationSetName"] == "parley"
    assert asked["EmailTags"] == [{"Name": "delivery_id", "Value": "0f4c5d1e-9b0a-5c63-8e3e-0e6f0a8a7d11"}]


def test_in_virginia_ses_has_another_name(service, mails, job):
    """The domain of its ids is that of the region, but for the first one."""
    service.answers = Reply(200, b'{"MessageId": "m-1"}', {"Content-Type": "application/json"})

    sent = mails(service.url, "us-east-1").send(job("Hi", channel="email", address={"to": "ann@example.org"}), 4)

    assert sent.outcome.provider_id == "<m-1@email.amazonses.com>"


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (refused(400, "Throttling"), Wait),
        (refused(403, "SignatureDoesNotMatch"), Parked),
        (refused(400, "InvalidParameter"), Failed),
        (refused(400, "OptedOut"), Failed),
        (refused(403, "AuthorizationError"), Parked),
        (refused(429, "SpendLimitExceeded"), Wait),
        (refused(400, "SpendLimitExceeded"), Parked),
        (refused(500, "InternalError"), Unsure),
        (Reply(200, b"<html>Sign in"), Unsure),
        (Reply(200, b"<PublishResponse><PublishResult/></PublishResponse>"), Unsure),
        (Reply(400, b"Bad Request"), Unsure),
        (Reply(breaks="reset"), Unsure),
        (Reply(breaks="hang"), Unsure),
    ],
    ids=[
        "throttled",
        "credentials",
        "parameter",
        "opted out",
        "authorization",
        "rate",
        "spending",
        "internal",
        "unreadable",
        "without an id",
        "unreadable refusal",
        "reset",
        "hang",
    ],
)
def test_what_can_go_wrong(service, send, answer, meaning):
    """Each failure is what it is, after one request: boto3 repeats nothing."""
    service.answers = answer

    outcome = send()

    assert isinstance(outcome, meaning)
    assert len(service.requests) == 1


def test_nobody_there_is_surely_not_sent(send):
    """A refused connection is no doubt."""
    assert isinstance(send(endpoint="http://127.0.0.1:1"), Retry)


def test_a_number_that_is_none_fails(service, send):
    """Nothing is asked of SNS for a number that cannot be one."""
    assert isinstance(send("0123"), Failed)
    assert service.requests == []


def _verify(moto):
    """Let the sender be one of ours."""
    keyed("sesv2", "eu-west-1", moto.endpoint_url)._opened(20).create_email_identity(EmailIdentity="parley@example.org")


def _raw(moto):
    kept = moto.data("ses") | moto.data("sesv2")
    return [one for values in kept.values() for one in values if "raw_data" in one]

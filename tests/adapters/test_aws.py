"""Amazon SNS through boto3, against a server that speaks its XML."""

from urllib.parse import parse_qs

import pytest

from devkit.serving import LocalServer, Reply
from parley.adapters.aws import Sns
from parley.channels.outcome import Delivered, Failed, Parked, Retry, Unsure, Wait

TAKEN = b"""<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
<MessageId>m-1</MessageId></PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>"""


def refused(status, code):
    """What SNS answers when it does not take a message."""
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
    return Reply(status, body.encode(), {"Content-Type": "text/xml"})


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
def send(service, job):
    """Send one text message to it."""

    def make(number="+491234567", endpoint=None):
        channel = Sns(region="eu-west-1", access_key="AKIA", secret_key="s", endpoint=endpoint or service.url)
        return channel.send(job("Use **the** portal", channel="sms", address={"to": number}), 4).outcome

    return make


def test_a_text_is_published(service, send):
    """One Publish with number and text, as a transactional message."""
    outcome = send()

    said = parse_qs(service.requests[0].body.decode())
    assert outcome == Delivered("m-1")
    assert (said["PhoneNumber"], said["Message"]) == (["+491234567"], ["Use the portal"])
    assert "Transactional" in str(said)


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (refused(400, "Throttling"), Wait),
        (refused(403, "SignatureDoesNotMatch"), Parked),
        (refused(400, "InvalidParameter"), Failed),
        (refused(500, "InternalError"), Unsure),
        (Reply(breaks="reset"), Unsure),
        (Reply(breaks="hang"), Unsure),
    ],
    ids=["throttled", "credentials", "parameter", "internal", "reset", "hang"],
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

"""The stand-in for Amazon Web Services, by Amazon's own client."""

from collections.abc import Iterator

import boto3
import httpx
import pytest

from devkit.aws import Amazon, TextMessage


@pytest.fixture(scope="module")
def amazon() -> Iterator[Amazon]:
    """One server for the whole file: it takes a second to start."""
    with Amazon() as server:
        yield server


def test_gives_the_text_messages_that_were_sent(amazon: Amazon):
    """What SNS took is read back in order, with the ids that the sender got, and forgotten on reset."""
    amazon.reset()
    sns = boto3.client("sns", endpoint_url=amazon.endpoint_url, **amazon.credentials)

    ids = [sns.publish(PhoneNumber="+491701234567", Message=text)["MessageId"] for text in ("one", "two")]
    sent = amazon.sms()
    amazon.reset()

    assert sent == [TextMessage("+491701234567", "one", ids[0]), TextMessage("+491701234567", "two", ids[1])]
    assert amazon.sms() == []


def test_ends_with_its_test():
    """After the end nothing listens any more."""
    with Amazon() as server:
        url = server.endpoint_url

    with pytest.raises(httpx.ConnectError):
        httpx.get(url)

"""How an answer is signed for a program."""

import base64
import json

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from parley.channels import signing, webhook
from parley.channels.outcome import Answer, Delivered, Failed, Retry, Wait

ADDRESS = {"url": "https://example.org/hook", "integration": "i1"}


def test_the_specifications_vector():
    """Standard Webhooks' own example gives its own signature."""
    signature = signing.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_official_library_accepts_it(job):
    """A receiver with the secret that we showed verifies the signature with the standard's own library."""
    from datetime import UTC, datetime

    post = webhook.render(job("Grüße", address=ADDRESS, at=datetime.now(UTC)), ["key"])

    assert Webhook(signing.secret("key", "i1")).verify(post.body, post.headers)["data"]["text"] == "Grüße"


def test_another_integrations_secret_does_not(job):
    """Each integration has a secret of its own."""
    from datetime import UTC, datetime

    post = webhook.render(job(address=ADDRESS, at=datetime.now(UTC)), ["key"])

    with pytest.raises(WebhookVerificationError):
        Webhook(signing.secret("key", "i2")).verify(post.body, post.headers)


def test_the_secret_is_long_enough():
    """The standard wants 24 to 64 bytes."""
    assert len(base64.b64decode(signing.secret("key", "i1").removeprefix("whsec_"))) == 32


def test_the_id_is_the_same_for_each_attempt(job):
    """A receiver drops doubles by `webhook-id`; the time is the attempt's, and the body does not change."""
    from datetime import UTC, datetime

    first = webhook.render(job(address=ADDRESS), ["key"])
    second = webhook.render(job(address=ADDRESS, attempt=2, at=datetime(2026, 11, 23, 9, 5, tzinfo=UTC)), ["key"])

    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "0f4c5d1e-9b0a-5c63-8e3e-0e6f0a8a7d11"
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 300
    assert first.body == second.body


def test_the_body(job):
    """Type, time of the answer, and the answer with its request and session."""
    post = webhook.render(job("No.", kind="failure", address=ADDRESS), ["key"])

    body = json.loads(post.body)
    assert (body["type"], body["timestamp"]) == ("parley.answer", "2026-11-23T08:59:00+00:00")
    assert (body["data"]["status"], body["data"]["text"]) == ("failed", "No.")


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Answer(200), Delivered),
        (Answer(204), Delivered),
        (Answer(302), Failed),
        (Answer(404), Retry),
        (Answer(401), Retry),
        (Answer(400), Failed),
        (Answer(413), Failed),
        (Answer(408), Retry),
        (Answer(410), Failed),
        (Answer(429, retry_after=3600), Wait),
        (Answer(429, retry_after=1e9), Wait),
        (Answer(500), Retry),
        (Answer(503, retry_after=5), Wait),
        (Answer(503), Retry),
    ],
)
def test_receivers_statuses(answer, meaning):
    """2xx is success, redirects are refused, what says when to come back is believed for a day."""
    outcome = webhook.outcome(answer)

    assert isinstance(outcome, meaning)
    assert getattr(outcome, "seconds", 0) <= 86_400

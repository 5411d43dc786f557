"""How an answer is signed for a program."""

import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from parley.channels import consent, signing, webhook
from parley.channels.outcome import Answer, Delivered, Failed, Retry, Wait, retry_after

ADDRESS = {"url": "https://example.org/hook", "integration": "i1"}


def test_the_specifications_vector():
    """Standard Webhooks' own example gives its own signature."""
    signature = signing.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_official_library_accepts_it(job):
    """A receiver with the secret that we showed verifies the signature with the standard's own library."""
    post = webhook.render(job("Grüße", address=ADDRESS, at=datetime.now(UTC)), ["key"])

    assert Webhook(signing.secret("key", "i1")).verify(post.body, post.headers)["data"]["text"] == "Grüße"


def test_another_integrations_secret_does_not(job):
    """Each integration has a secret of its own."""
    post = webhook.render(job(address=ADDRESS, at=datetime.now(UTC)), ["key"])

    with pytest.raises(WebhookVerificationError):
        Webhook(signing.secret("key", "i2")).verify(post.body, post.headers)


def test_the_secret_is_long_enough():
    """The standard wants 24 to 64 bytes."""
    assert len(base64.b64decode(signing.secret("key", "i1").removeprefix("whsec_"))) == 32


def test_the_id_is_the_same_for_each_attempt(job):
    """A receiver drops doubles by `webhook-id`; the time is the attempt's, and the body does not change."""
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


# --- public keys, rotation, CloudEvents ------------------------------------------------------------------------------


def verified_v1a(public_key, post):
    """Verify as the standard says, with another library's primitives; gives the number of valid signatures."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    head = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode()
    valid = 0
    for one in post.headers["webhook-signature"].split():
        version, _, text = one.partition(",")
        if version == "v1a":
            try:
                key.verify(base64.b64decode(text), head + post.body)
                valid += 1
            except InvalidSignature:
                pass
    return valid


def test_a_public_key_verifies_it(job):
    """v1a: whoever has the public key can verify, and cannot sign; another receiver's key does not."""
    post = webhook.render(job(address=ADDRESS, config={"signature": "v1a"}), ["key"])

    assert post.headers["webhook-signature"].startswith("v1a,")
    assert verified_v1a(signing.public_key("key", "i1"), post) == 1
    assert verified_v1a(signing.public_key("key", "i2"), post) == 0


def test_both_kinds_side_by_side(job):
    """A receiver that moves from one to the other verifies either."""
    post = webhook.render(job(address=ADDRESS, config={"signature": "both"}, at=datetime.now(UTC)), ["key"])

    assert Webhook(signing.secret("key", "i1")).verify(post.body, dict(post.headers))
    assert verified_v1a(signing.public_key("key", "i1"), post) == 1


@pytest.mark.parametrize("hours", [1, -1])
def test_old_and_new_secret_sign_while_they_overlap(job, hours):
    """During the overlap a receiver with either secret is content; afterwards only with the new one."""
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    known = {"generation": 3, "overlap_until": until}
    post = webhook.render(job(address=ADDRESS, endpoint=known, at=datetime.now(UTC)), ["key"])

    def verifies(generation):
        try:
            return bool(Webhook(signing.secret("key", "i1", generation)).verify(post.body, dict(post.headers)))
        except WebhookVerificationError:
            return False

    assert (verifies(3), verifies(2), verifies(1)) == (True, hours > 0, False)


def test_our_own_key_may_be_rotated(job):
    """With two keys in the setting both sign, so receivers change at their leisure."""
    post = webhook.render(job(address=ADDRESS, at=datetime.now(UTC)), signing.keys("new, old"))

    for key in ("new", "old"):
        assert Webhook(signing.secret(key, "i1")).verify(post.body, dict(post.headers))


def test_a_cloudevent_in_binary_mode(job):
    """The attributes are headers, the body is the data."""
    post = webhook.render(job("Hi", address=ADDRESS, config={"format": "binary"}), ["key"], "parley.example.org")

    assert {name: post.headers[name] for name in ("ce-specversion", "ce-type", "ce-subject", "content-type")} == {
        "ce-specversion": "1.0", "ce-type": "parley.answer", "ce-subject": str(UUID(int=2)),
        "content-type": "application/json",
    }  # fmt: skip
    assert post.headers["ce-id"] == post.headers["webhook-id"]
    assert post.headers["webhook-request-origin"] == "parley.example.org"
    assert json.loads(post.body)["text"] == "Hi"


def test_a_cloudevent_in_structured_mode(job):
    """The whole event is the body, and the SDK of CloudEvents reads it."""
    from cloudevents.http import from_http

    post = webhook.render(job("Hi", address=ADDRESS, config={"format": "structured"}), ["key"])
    event = from_http(dict(post.headers), post.body)

    assert (event["type"], event["source"], event.data["text"]) == ("parley.answer", "/parley", "Hi")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"webhook-allowed-origin": "parley.example.org", "webhook-allowed-rate": "60"}, consent.Consent(60.0)),
        (
            {"webhook-allowed-origin": "a.example, PARLEY.example.org", "webhook-allowed-rate": "*"},
            consent.Consent(None),
        ),
        ({"webhook-allowed-origin": "*"}, consent.Consent(120.0)),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "many"}, consent.Consent(120.0)),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "0"}, consent.Consent(120.0)),
        ({"webhook-allowed-origin": "other.example"}, None),
        ({"webhook-allowed-origin": ""}, None),
        ({}, None),
    ],
)
def test_consent_is_in_the_headers(headers, expected):
    """Only our own name or * is a yes; what was not asked for is what we asked for."""
    assert consent.given(headers, "parley.example.org") == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0), ("0", 0.0), ("Mon, 23 Nov 2026 09:02:00 GMT", 120.0), ("Mon, 23 Nov 2026 08:00:00 GMT", 0.0),
        ("Monday, 23-Nov-26 09:02:00 GMT", 120.0), ("soon", None), ("", None), (None, None), ("-5", None),
        ("1.5", None),
        ("99999999999999", 999999999.0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(text, seconds):
    """RFC 9110 allows both; what is neither is as good as none."""
    assert retry_after(text, datetime(2026, 11, 23, 9, tzinfo=UTC)) == seconds

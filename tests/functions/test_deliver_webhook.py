"""deliver-webhook from its folder, on a real PostgreSQL, against a receiver."""

import json
import uuid

import pytest

from devkit.receiver import WebhookReceiver
from devkit.serving import Reply
from parley.channels.signing import secret


@pytest.fixture
def receiver():
    with WebhookReceiver(secret("key", "i1")) as hook:
        yield hook


@pytest.fixture
def hooked(receiver, rank):
    """A rank that goes to the receiver."""
    return rank("webhook", 1, url=receiver.url, integration="i1")


@pytest.fixture
def webhook(deliver):
    return deliver("webhook", WEBHOOK_SIGNING_KEY="key", WEBHOOK_ALLOW_PRIVATE="127.0.0.0/8")


def test_an_answer_arrives_signed(answered, hooked, webhook, receiver):
    """The receiver's own library says that the signature is valid."""
    (due,) = answered(hooked)

    status, _ = webhook(due)

    (got,) = receiver.wait_for(1)
    assert (status, got.verdict) == (202, "valid")
    assert got.json()["data"]["text"] == "**Hello**"


def test_a_dead_receiver_is_retried_with_the_same_id(answered, hooked, webhook, receiver, row):
    """503 for the broker while the receiver is down or drops the line, then success, always by one id."""
    (due,) = answered(hooked)
    receiver.answer(Reply(500), Reply(breaks="reset"))

    statuses = [webhook(due)[0] for _ in range(3)]

    assert statuses == [503, 503, 202]
    assert len({got.headers["webhook-id"] for got in receiver.requests()}) == 1
    assert row("select count(*) as n from delivery_attempts")["n"] == 3


def test_consent_is_asked_for_by_our_real_name(answered, rank, deliver, receiver, row):
    """Who consents to the host of PUBLIC_URL alone is asked, and posted to, by that name."""
    id_, config = uuid.uuid4(), json.dumps({"url": receiver.url, "format": "binary"})
    (due,) = answered(rank("webhook", 1, url=receiver.url, integration=str(id_)))
    own = "insert into user_integrations (id, user_id, channel, config) select %s, id, 'webhook', %s from users"
    row(own, id_, config)
    receiver.answer(Reply(200, headers={"WebHook-Allowed-Origin": "parley.example.org"}))
    settings = {"WEBHOOK_SIGNING_KEY": "key", "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"}

    status, _ = deliver("webhook", PUBLIC_URL="https://parley.example.org", **settings)(due)

    asked = [(got.method, got.headers["webhook-request-origin"]) for got in receiver.requests()]
    assert (status, asked) == (202, [("OPTIONS", "parley.example.org"), ("POST", "parley.example.org")])
    assert row("select consented_at from endpoints")["consented_at"] is not None


def test_private_addresses_are_refused(answered, hooked, rank, deliver, receiver):
    """Without the setting for development, nothing is sent to this machine, and the next rank is due."""
    (due,) = answered(rank("webhook", 1, url="https://127.0.0.1/", integration="i1"), rank("test", 2, to="x"))

    status, following = deliver("webhook", WEBHOOK_SIGNING_KEY="key")(due)

    assert (status, following.channel) == (200, "test")
    assert receiver.requests() == []

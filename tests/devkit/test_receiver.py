"""The stand-in for somebody who receives webhooks."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from devkit.receiver import WebhookReceiver
from devkit.serving import Reply

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'


@pytest.fixture
def hook() -> Iterator[WebhookReceiver]:
    """A receiver that knows the secret."""
    with WebhookReceiver(SECRET) as receiver:
        yield receiver


def signed(body: bytes = BODY, when: datetime | None = None) -> dict[str, str]:
    """Give the headers of Standard Webhooks for a body."""
    when = when or datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", when, body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(when.timestamp())), "webhook-signature": signature}


def test_records_what_came(hook: WebhookReceiver):
    """Method, path, headers and the raw body are kept, in order."""
    httpx.post(f"{hook.url}?a=1", content=BODY, headers={"X-Test": "yes"})
    httpx.request("OPTIONS", hook.url)

    first, second = hook.wait_for(2)

    assert (first.number, first.method, first.path, first.body) == (0, "POST", "/hook?a=1", BODY)
    assert first.headers["x-test"] == "yes"
    assert second.method == "OPTIONS"
    assert first.at <= second.at


def test_judges_signatures(hook: WebhookReceiver):
    """A right signature is valid; a changed body, an old timestamp and none at all are not."""
    httpx.post(hook.url, content=BODY, headers=signed())
    httpx.post(hook.url, content=BODY + b" ", headers=signed())
    httpx.post(hook.url, content=BODY, headers=signed(when=datetime(2021, 2, 25, tzinfo=UTC)))
    httpx.post(hook.url, content=BODY, headers={**signed(), "webhook-signature": "v1,!"})
    httpx.post(hook.url, content=BODY)

    verdicts = [request.verdict for request in hook.requests()]

    assert verdicts[0] == "valid"
    assert all(verdict.startswith("invalid: ") for verdict in verdicts[1:])


def test_answers_what_it_is_told_in_order(hook: WebhookReceiver):
    """Statuses, headers and bodies come in the order given, then 200."""
    hook.answer(Reply(503, b"later", {"Retry-After": "7"}), Reply(302, headers={"Location": hook.url}))

    answers = [httpx.post(hook.url, content=BODY) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 302, 200]
    assert (answers[0].headers["Retry-After"], answers[0].text) == ("7", "later")
    assert [one.answer for one in hook.requests()] == ["503", "302", "200"]


def test_never_ends_a_body(hook: WebhookReceiver):
    """An endless body goes on past any cap that a sender may have."""
    hook.answer(Reply(body=b"spam", breaks="endless"))
    read = 0

    with httpx.stream("POST", hook.url, content=BODY) as answer:
        for piece in answer.iter_raw():
            read += len(piece)
            if read > 1_000_000:
                break

    assert answer.status_code == 200
    assert read > 1_000_000


def test_breaks_connections(hook: WebhookReceiver):
    """A reset and a silence are met as such, and both requests are recorded."""
    hook.answer(Reply(breaks="reset"), Reply(delay=60))

    with pytest.raises(httpx.ReadError):
        httpx.post(hook.url, content=BODY)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(hook.url, content=BODY, timeout=0.2)

    assert [one.answer for one in hook.requests()] == ["reset", "200"]


def test_takes_no_request_without_a_length(hook: WebhookReceiver):
    """A chunked request is refused, so that no body is lost unseen."""
    answer = httpx.post(hook.url, content=iter([BODY]))

    assert answer.status_code == 411
    assert hook.requests() == []


def test_says_how_many_it_waited_for(hook: WebhookReceiver):
    """Waiting in vain ends with the count."""
    with pytest.raises(TimeoutError, match="0 of 1 requests"):
        hook.wait_for(1, timeout=0)

"""
Webhooks: an answer as a POST signed by Standard Webhooks, and what receivers' answers mean.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Retry, kept_waiting
from parley.domain.delivery import Job


@dataclass(frozen=True)
class Post:
    """One POST."""

    url: str
    headers: dict[str, str]
    body: bytes


def render(job: Job, signing_key: str) -> Post:
    """Give the request. The id is the same for every attempt, the time is the attempt's own."""
    now = int(job.at.timestamp())
    answer = {"text": job.text, "citations": [dict(c) for c in job.citations], "also_by": list(job.also_by)}
    status = "completed" if job.kind == "answer" else "failed"
    data = {"request_id": str(job.request_id), "session_id": str(job.session_id), "status": status, **answer}
    said = {"type": "parley.answer", "timestamp": job.answered_at.isoformat(), "data": data}
    body = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    message_id = str(job.delivery_id)
    headers = {
        "content-type": "application/json",
        "user-agent": "Parley-Webhook/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret(signing_key, job.address["integration"]), message_id, now, body),
    }
    return Post(job.address["url"], headers, body)


def outcome(answer: Answer) -> Outcome:
    """Say what a receiver's status means."""
    code = str(answer.status)
    if 200 <= answer.status < 300:
        return Delivered()
    if answer.status == 429 or (answer.status == 503 and answer.retry_after is not None):
        return kept_waiting(answer)
    if answer.status == 410:
        return Failed("the receiver is gone", code)
    if answer.status in (408, 425) or answer.status >= 500:
        return Retry("the receiver could not take it", code)
    if 300 <= answer.status < 400:
        return Failed("the receiver redirects, which is refused", code)
    return Failed("the receiver refuses it", code)


def secret(signing_key: str, integration_id: str) -> str:
    """Derive the secret of one integration from ours: shown to its owner once, stored nowhere."""
    made = hmac.new(signing_key.encode(), f"webhook:{integration_id}".encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(made).decode()


def signature(whsec: str, message_id: str, now: int, body: bytes) -> str:
    """Sign `id.timestamp.body` (version 1: HMAC-SHA256, base64)."""
    key = base64.b64decode(whsec.removeprefix("whsec_"))
    made = hmac.new(key, f"{message_id}.{now}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(made).decode()

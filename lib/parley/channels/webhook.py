"""
Webhooks: an answer as a POST signed by Standard Webhooks, as plain JSON or as a CloudEvent.

Sources: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md and
https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md

The body is the same for every attempt, and the id: a receiver drops doubles by it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from parley.channels import signing
from parley.channels.post import Post, outcome
from parley.domain.delivery import Job

__all__ = ["is_cloudevent", "outcome", "render"]

SOURCE = "/parley"
_TYPES = {"approval": "parley.approval", "escalation": "parley.escalation", "notice": "parley.notice"}


def render(job: Job, signing_keys: Sequence[str], origin: str = "") -> Post:
    """Give the request. The id is the same for every attempt, the time is the attempt's own."""
    integration = str(job.address["integration"])
    headers, body = _formatted(job)
    message_id, now = str(job.delivery_id), int(job.at.timestamp())
    signed = f"{message_id}.{now}.".encode() + body
    kinds = {"v1a": ("v1a",), "both": ("v1", "v1a")}.get(str(job.config.get("signature")), ("v1",))
    headers |= {
        "user-agent": "Parley-Webhook/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signing.signatures(signing_keys, integration, _generations(job), kinds, signed),
    }
    if origin and is_cloudevent(job.config):
        headers["webhook-request-origin"] = origin
    return Post(str(job.config.get("url") or job.address["url"]), headers, body)


def is_cloudevent(config: Mapping[str, Any]) -> bool:
    """Whether a receiver wants CloudEvents, which it has to consent to."""
    return config.get("format") in ("binary", "structured")


def _formatted(job: Job) -> tuple[dict[str, str], bytes]:
    kind, at, data = _TYPES.get(job.kind, "parley.answer"), job.answered_at.isoformat(), _data(job)
    event = {
        "specversion": "1.0", "id": str(job.delivery_id), "source": SOURCE, "type": kind,
        "subject": str(job.request_id), "time": at,
    }  # fmt: skip
    match job.config.get("format"):
        case "binary":
            return {"content-type": "application/json", **{f"ce-{k}": v for k, v in event.items()}}, _json(data)
        case "structured":
            body = _json({**event, "datacontenttype": "application/json", "data": data})
            return {"content-type": "application/cloudevents+json; charset=utf-8"}, body
    return {"content-type": "application/json"}, _json({"type": kind, "timestamp": at, "data": data})


def _data(job: Job) -> dict[str, Any]:
    data: dict[str, Any] = {
        "request_id": str(job.request_id),
        "session_id": str(job.session_id),
        "status": {"answer": "completed", "failure": "failed"}.get(job.kind, job.kind),
        "text": job.text,
        "citations": [dict(c) for c in job.citations],
        "also_by": list(job.also_by),
    }
    if job.action:
        shown = {name: getattr(job.action, name) for name in ("tool", "arguments", "digest", "risk", "summary")}
        data["action"] = {"id": str(job.action.id), **shown, "expires_at": job.action.expires_at.isoformat()}
    return data


def _generations(job: Job) -> list[int]:
    """Give the generations of the secret that sign: the one before, too, until its owner has had time to change it."""
    known = job.endpoint or {}
    newest, until = known.get("generation", 1), known.get("overlap_until")
    overlaps = until is not None and datetime.fromisoformat(until) > job.at
    return [newest, newest - 1] if overlaps and newest > 1 else [newest]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

"""Test: sends nothing; keeps everything that it would have sent, readable over the API."""

from typing import Any

from parley.domain.delivery import Job


def render(job: Job) -> dict[str, Any]:
    """Give what would have been sent."""
    return {
        "kind": job.kind,
        "question": job.question,
        "text": job.text,
        "citations": [dict(citation) for citation in job.citations],
        "address": dict(job.address),
        "also_by": list(job.also_by),
        "attempt": job.attempt,
    }

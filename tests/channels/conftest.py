"""Answers to be said by a channel."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from parley.domain.delivery import Job


@pytest.fixture
def job():
    """Make a job; any field can be given."""

    def make(text="Hello", **fields):
        values = {
            "delivery_id": UUID("0f4c5d1e-9b0a-5c63-8e3e-0e6f0a8a7d11"),
            "request_id": UUID(int=2),
            "session_id": UUID(int=3),
            "kind": "answer",
            "channel": "slack",
            "address": {"workspace": "T1", "conversation": "C1", "thread": "1.1"},
            "epoch": 1,
            "attempt": 1,
            "at": datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
            "answered_at": datetime(2026, 11, 23, 8, 59, tzinfo=UTC),
            "left": 1800.0,
            "question": "How do I get VPN access?",
            **fields,
        }
        return Job(text=text, **values)

    return make

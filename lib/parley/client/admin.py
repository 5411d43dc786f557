"""What administrators and the support see and mend."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

from parley.api.answers import Circuit, Circuits, EscalationPage, Replay
from parley.api.answers_staff import AuditPage, DeadLetter, DeadLetterPage, Stuck, StuckItem
from parley.client.transport import Transport

BASE = "/api/v1/admin"


class AdminClient:
    """Needs a key of a role that may."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def stuck(self) -> list[StuckItem]:
        """Give what should have happened and has not."""
        return self._transport.get(Stuck, f"{BASE}/stuck").items

    def dead_letters(self, **query: Any) -> Iterator[Any]:
        """Give events that a function could not take, the newest first. `query`: type, all."""
        return self._transport.pages(DeadLetterPage, f"{BASE}/dead-letters", **query)

    def dead_letter(self, letter_id: UUID | str) -> DeadLetter:
        """Give one with its event."""
        return self._transport.get(DeadLetter, f"{BASE}/dead-letters/{letter_id}")

    def replay(self, letter_id: UUID | str) -> None:
        """Publish one again."""
        self._transport.call("POST", f"{BASE}/dead-letters/{letter_id}/replay")

    def escalations(self, **query: Any) -> Iterator[Any]:
        """Give questions that were handed over to people."""
        return self._transport.pages(EscalationPage, f"{BASE}/escalations", **query)

    def close_escalation(self, escalation_id: UUID | str) -> None:
        """Say that a question is taken care of."""
        self._transport.call("POST", f"{BASE}/escalations/{escalation_id}/close")

    def circuits(self) -> list[Circuit]:
        """Give trouble that many deliveries share."""
        return self._transport.get(Circuits, f"{BASE}/circuits").items

    def close_circuit(self, name: str) -> int:
        """Say that a trouble is over; gives how many deliveries were waiting for it."""
        path = f"{BASE}/circuits/{quote(name, safe='')}/close"
        return Replay.model_validate_json(self._transport.call("POST", path).content).count

    def audit_log(self, **query: Any) -> Iterator[Any]:
        """Give administrative acts, the latest first."""
        return self._transport.pages(AuditPage, f"{BASE}/audit-log", **query)

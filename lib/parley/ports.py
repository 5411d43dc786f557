"""What functions need from outside: small Protocols, each kept by an adapter and by nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from parley.domain.events import Emit

# --- events ----------------------------------------------------------------------------------------------------------


class Publisher(Protocol):
    """The broker."""

    def publish(self, emit: Emit) -> None:
        """Publish one event. Raises Unavailable when the broker did not take it."""


# --- knowledge -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Passage:
    """A section of a document that may answer. `score` in [0, 1]: the share of the question's words that it has."""

    document: str
    title: str
    heading: str
    anchor: str
    text: str
    score: float


class Knowledge(Protocol):
    """The knowledge bases."""

    def search(self, bases: Sequence[str], question: str, limit: int) -> Sequence[Passage]:
        """Give the best passages of these bases for a question, the best first."""

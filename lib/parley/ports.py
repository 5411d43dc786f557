"""What functions need from outside: small Protocols, each kept by an adapter and by nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from parley.domain.events import Emit
from parley.domain.turn import Read

# --- events ----------------------------------------------------------------------------------------------------------


class Publisher(Protocol):
    """The broker."""

    def publish(self, emit: Emit) -> None:
        """Publish one event. Raises Unavailable when the broker did not take it."""


# --- tools -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OnBehalf:
    """For whom a tool is called, and which agent does it. Never taken from what a model says."""

    user_id: UUID
    agent: str


class ToolFailed(Exception):
    """The tool says no, and nothing has happened. The text is for the model."""


class Tools(Protocol):
    """
    What an agent can do. A call has an effect key: the same key is the same effect.

    `again` says what may be done about a call whose outcome a crash has swallowed: "repeat" it with its key, "look_up"
    what became of it, or "never" touch it again.
    """

    def again(self, name: str) -> Literal["repeat", "look_up", "never"]:
        """Say how a call of this tool is repeated."""

    def run(self, name: str, arguments: Mapping[str, Any], key: UUID, who: OnBehalf) -> str:
        """Call it. Raises ToolFailed, and Unavailable when it is not known what became of the call."""

    def trusts(self, name: str) -> bool:
        """Whether the results of this tool are facts of our own, and not text that strangers may have written."""

    def reads(self, name: str) -> bool:
        """Whether a call changes nothing, and so may be made while others are."""

    def look_up(self, name: str, key: UUID) -> str | None:
        """Give the result of an earlier call, None when it has not happened. Raises Unavailable."""


# --- files -----------------------------------------------------------------------------------------------------------


class Files(Protocol):
    """The files that people send in a chat."""

    def read(self, origin: Mapping[str, Any], file: Mapping[str, Any]) -> Read:
        """Read a file (`id`, `name`) that came from there, or say why there is nothing to read. Raises Unavailable."""


# --- knowledge -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Passage:
    """
    A section of a document that may answer, and where it comes from.

    `score` in [0, 1]: the share of the question's words that it has, rare words weighing more. `similarity`: the cosine
    of the two embeddings; None when meaning was not compared.
    """

    document: str
    title: str
    heading: str
    anchor: str
    text: str
    score: float
    similarity: float | None = None
    source: str = ""  # the file, from the folder of its base
    url: str | None = None  # where people read it
    language: str = "english"
    digest: str = ""  # of the file
    loaded_at: datetime | None = None


class Knowledge(Protocol):
    """The knowledge bases."""

    def search(
        self, bases: Sequence[str], question: str, limit: int, *, reader: UUID | None = None
    ) -> Sequence[Passage]:
        """
        Give the best passages of these bases for a question, the best first.

        Only what `reader`, a user, may read; for nobody in particular, what everybody may read.
        """


class Embedder(Protocol):
    """Gives texts a place by their meaning."""

    def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Give one vector of length one for each text. Raises Unavailable, and Misconfigured for an unknown model."""

"""Knowledge bases, searched: full text and embeddings in one statement. What fills them is `library.py`."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg import sql

from parley import telemetry
from parley.adapters.postgres.database import Database, Row, queries
from parley.adapters.postgres.vectors import half
from parley.errors import Misconfigured, Unavailable
from parley.ports import Embedder, Passage

if TYPE_CHECKING:
    from pgvector import HalfVector

FEW = 10_000  # chunks that are compared one by one; among more, an index finds the nearest
DEEP = 40  # places of each of the two lists that are fused
FLAT = 5  # of the reciprocal rank: the lower, the more the first places count
MANY = 500  # chunks that the rarest words of a question may find
MOST_WORDS = 64  # of a question
REMEMBERED = 64  # embeddings of questions: the same one is searched for more than once in a turn

log = logging.getLogger("parley.knowledge")


class Knowledge:
    """Implements `ports.Knowledge`. Without an embedder, or while it is down, words alone count."""

    def __init__(self, database: Database, embedder: Embedder | None = None, *, few: int = FEW) -> None:
        self._database = database
        self._embedder = embedder
        self._few = few
        self._embedded: OrderedDict[tuple[int, str], HalfVector] = OrderedDict()

    def search(self, bases: Sequence[str], question: str, limit: int, *, reader: UUID | None = None) -> list[Passage]:
        """Give the best passages, the best first: as many as asked for, or all that may be read."""
        with telemetry.span("search knowledge", attributes={"gen_ai.data_source.id": ",".join(bases)}) as told:
            found = self._found(bases, question.replace("\0", " "), limit, reader)
            told.note({"parley.passages": len(found)})
        return found

    def _found(self, bases: Sequence[str], question: str, limit: int, reader: UUID | None) -> list[Passage]:
        model = self._database.row("active_model") if self._embedder and question.strip() else None
        vector = self._vector(model, question) if model else None
        rows = self._database.select(
            statement(model if vector else None),
            bases=list(bases),
            question=question,
            reader=reader,
            vector=vector,
            limit=limit,
            depth=max(DEEP, limit),
            few=self._few,
            many=MANY,
            words=MOST_WORDS,
        )
        return [_passage(row) for row in rows]

    def _vector(self, model: Row, question: str) -> "HalfVector | None":
        """Embed the question, None when it cannot be done now."""
        assert self._embedder, "only asked with one"
        key = (model["id"], question)
        if known := self._embedded.get(key):
            return known
        try:
            [vector] = self._embedder.embed(model["name"], [question])
        except (Unavailable, Misconfigured) as error:
            log.warning("searching by words alone", extra={"fields": {"reason": str(error)}})
            return None
        if len(vector) != model["dimension"]:
            reason = "the model has another dimension now: load again"
            log.warning("searching by words alone", extra={"fields": {"reason": reason}})
            return None
        kept = self._embedded[key] = half(vector)
        if len(self._embedded) > REMEMBERED:
            self._embedded.popitem(last=False)
        return kept


def statement(model: Row | None) -> sql.Composed:
    """Give the search by this model; a partial index is only used when its number is no parameter."""
    number, dimension = (model["id"], model["dimension"]) if model else (None, 1)
    numbers = {"model": number, "dimension": dimension, "flat": FLAT}
    return sql.SQL(queries()["search_chunks"]).format(**{name: sql.Literal(one) for name, one in numbers.items()})


def _passage(row: Row) -> Passage:
    return Passage(
        document=row["slug"],
        title=row["title"],
        heading=row["heading"],
        anchor=row["anchor"],
        text=row["content"],
        score=row["share"],
        similarity=row["similarity"],
        source=row["source"],
        url=row["url"],
        language=row["language"],
        digest=row["digest"],
        loaded_at=row["loaded_at"],
    )

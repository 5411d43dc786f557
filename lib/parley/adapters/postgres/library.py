"""Knowledge bases, filled: what a load writes. Searching is `knowledge.py`."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from parley.adapters.postgres.database import Database, Row, Transaction, queries
from parley.adapters.postgres.knowledge import FEW
from parley.adapters.postgres.vectors import half
from parley.domain import ids
from parley.domain.knowledge import USUAL, Document, Weights, digest, embedded

PAGE = 500  # chunks
MOST_DIMENSIONS = 4_000  # that pgvector's HNSW takes of halfvec; beyond, all are compared
BUILDS_WITH = "512MB"  # memory for building an index: a graph that does not fit is built many times slower


@dataclass(frozen=True)
class Model:
    """An embedding model that is recorded. `active`: everything is searched by it."""

    id: int
    name: str
    dimension: int
    active: bool


@dataclass(frozen=True)
class State:
    """A base as it was found: source → digest of its file. What is published later must have been made from this."""

    base: str
    version: int
    digests: Mapping[str, str]
    active: int | None


@dataclass(frozen=True)
class Shelved:
    """A document that is to be published: its file and what was read in it. `language`: of PostgreSQL's text search."""

    source: str
    digest: str
    document: Document
    language: str


class Overtaken(Exception):
    """Somebody else has published meanwhile: look again."""


class Library:
    """What is on the shelves. Nothing that is half loaded is ever seen: publishing is one transaction."""

    def __init__(self, database: Database, *, indexed_from: int = FEW) -> None:
        self._database = database
        self._indexed_from = indexed_from

    def state(self, base: str) -> State:
        """Look at a base."""
        with self._database.transaction() as tx:
            return _state(tx, base)

    def model(self, name: str, dimension: int, *, afresh: bool = False) -> Model:
        """Give the model of this name and dimension, recorded now if it is new; `afresh`: as if it were another one."""
        with self._database.transaction() as tx:
            tx.run("lock_library")
            row = None if afresh else tx.row("find_model", name=name, dimension=dimension)
            row = row or tx.row("add_model", name=name, dimension=dimension)
        assert row, "an insert returns its row"
        return Model(**row)

    def unembedded(self, model: Model) -> Iterator[list[tuple[bytes, str]]]:
        """Give digest and text of the chunks of all bases that this model has not embedded, in pages."""
        last = (uuid.UUID(int=0), -1)
        while page := self._database.rows(
            "unembedded_chunks", model=model.id, document_id=last[0], ordinal=last[1], limit=PAGE
        ):
            texts = [embedded(row["title"], row["heading"], row["content"]) for row in page]
            yield [(digest(text), text) for text in texts]
            last = (page[-1]["document_id"], page[-1]["ordinal"])

    def missing(self, model: Model, digests: Sequence[bytes]) -> set[bytes]:
        """Say which of these texts have no embedding of this model yet; the others are kept at hand."""
        with self._database.transaction() as tx:
            tx.run("reuse_embeddings", model=model.id, digests=list(digests))
            known = tx.rows("touch_embeddings", model=model.id, digests=list(digests))
        return set(digests) - {bytes(row["digest"]) for row in known}

    def stage(self, model: Model, vectors: Mapping[bytes, Sequence[float]]) -> None:
        """Keep embeddings until they are published: a load that is cut off here goes on here."""
        halves = [half(vector) for vector in vectors.values()]
        self._database.run("stage_embeddings", model=model.id, digests=list(vectors), vectors=halves)

    def publish(
        self,
        seen: State,
        changed: Sequence[Shelved],
        sources: Sequence[str],
        model: Model | None,
        weights: Weights = USUAL,
    ) -> int:
        """
        Make the base what its files say; `sources`: all that stay. All or nothing. Gives how many documents went.

        Raises Overtaken.
        """
        with self._database.transaction() as tx:
            tx.run("lock_library")
            if _state(tx, seen.base) != seen:
                raise Overtaken
            for one in changed:
                _put(tx, seen.base, one, model)
            removed = tx.run("delete_documents_but", base=seen.base, sources=list(sources))
            tx.run("weigh_base", base=seen.base, words=weights.words, meaning=weights.meaning)
            if model:
                tx.run("embed_chunks", model=model.id)
                tx.run("retire_models", model=model.id)
                tx.run("activate_model", model=model.id)
            if changed or removed:
                tx.run("next_version", base=seen.base)
                _restrict(tx, seen.base)
        return removed

    def quarantine(self, base: str, source: str, reason: str, *, actor: str) -> int:
        """
        Show nobody what comes from this source, a file or a folder with a / at its end, whatever is loaded from it.

        Gives how many documents are in the base's quarantine more than before.
        """
        with self._database.transaction() as tx:
            tx.run("lock_library")
            tx.run("add_quarantine", base=base, source=source, reason=reason)
            object_, detail = f"{base}/{source}", {"reason": reason}
            tx.run("note_quarantine", actor=actor, action="knowledge.quarantine", object=object_, detail=detail)
            return _restrict(tx, base)

    def release(self, base: str, source: str, *, actor: str) -> bool:
        """Show it again. False when it was in no quarantine."""
        with self._database.transaction() as tx:
            tx.run("lock_library")
            if not tx.run("end_quarantine", base=base, source=source):
                return False
            tx.run("note_quarantine", actor=actor, action="knowledge.release", object=f"{base}/{source}", detail={})
            _restrict(tx, base)
            return True

    def sources(self, base: str | None = None) -> list[Row]:
        """List what is loaded, and from where."""
        return self._database.rows("list_sources", base=base)

    def tidy(self, model: Model | None) -> None:
        """Build the index that a model's chunks need by now, drop those of other models, and what was kept for long."""
        wanted = ""
        if model and model.dimension <= MOST_DIMENSIONS:
            counted = self._database.row("chunks_of_model", model=model.id)
            if counted and counted["chunks"] > self._indexed_from:
                wanted = f"knowledge_chunks_near_{model.id}"
        with self._database.transaction() as tx:
            tx.run("lock_library")
            tx.run("forget_embeddings")
            if model:
                for row in tx.rows("near_indexes"):
                    if row["name"] != wanted:
                        tx.change(_filled("drop_index", index=row["name"]))
            if wanted and model:
                tx.run("memory_for_index", memory=BUILDS_WITH)
                tx.change(_filled("index_chunks", index=wanted, model=model.id, dimension=model.dimension))
            tx.run("analyze_knowledge")


def _state(tx: Transaction, base: str) -> State:
    version, active = tx.row("base_version", base=base), tx.row("active_model")
    assert version, "it is always one row"
    digests = {row["source"]: row["digest"] for row in tx.rows("base_documents", base=base)}
    return State(base, version["version"], digests, active["id"] if active else None)


def _put(tx: Transaction, base: str, one: Shelved, model: Model | None) -> None:
    document = one.document
    row = tx.row(
        "upsert_document",
        id=ids.new(),
        base=base,
        slug=document.slug,
        title=document.title,
        updated=document.updated,
        digest=one.digest,
        groups=list(document.groups),
        source=one.source,
        url=document.url,
        language=one.language,
        chunks=len(document.chunks),
    )
    assert row, "an upsert returns its row"
    tx.run("delete_chunks", document_id=row["id"])
    for start in range(0, len(document.chunks), PAGE):
        part = document.chunks[start : start + PAGE]
        tx.run(
            "insert_chunks",
            document_id=row["id"],
            model=model.id if model else None,
            ordinals=[chunk.ordinal for chunk in part],
            headings=[chunk.heading for chunk in part],
            anchors=[chunk.anchor for chunk in part],
            contents=[chunk.text for chunk in part],
            digests=[digest(embedded(document.title, chunk.heading, chunk.text)) for chunk in part],
        )


def _restrict(tx: Transaction, base: str) -> int:
    """Apply the quarantine, and count the words that everybody may read."""
    touched = tx.run("quarantine_documents", base=base)
    tx.run("forget_words", base=base)
    tx.run("count_words", base=base)
    return touched


def _filled(query: str, *, index: str, **numbers: int) -> sql.Composed:
    values = {name: sql.Literal(number) for name, number in numbers.items()}
    return sql.SQL(queries()[query]).format(index=sql.Identifier(index), **values)

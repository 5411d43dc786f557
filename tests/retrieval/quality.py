"""How well questions find their sections: recall and mean reciprocal rank, by words, by embeddings and by both."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from psycopg import sql

from parley.adapters.postgres.database import Database, Row
from parley.adapters.postgres.knowledge import Knowledge
from parley.adapters.postgres.library import Library
from parley.adapters.postgres.vectors import half
from parley.agents.extractive import ENOUGH
from parley.knowledge.folder import look
from parley.knowledge.load import Embedding, load
from parley.ports import Embedder

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "config" / "knowledge" / "it-desk"
FOLDERS = (SHIPPED, HERE / "german", HERE / "french")
BASES = ("it-desk", "german", "french")
CUT = 10  # places that count for the reciprocal rank
LANGUAGES = ("english", "german", "french")

Find = Callable[[str], Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class Question:
    """What is asked, and where its answer is; both None when it is nowhere."""

    text: str
    document: str | None
    anchor: str | None
    language: str


@dataclass(frozen=True)
class Figures:
    """Over all questions: in the first place, among the first five, and the mean of 1/place."""

    questions: int
    first: float
    recall: float
    mrr: float


def fill(database: Database, embedder: Embedder, model: str) -> int:
    """Load the set; gives how many sections it has."""
    for folder in FOLDERS:
        found = look(folder)
        by = Embedding(embedder, model)
        load(Library(database), found.base, found.files, by, language=found.language, weights=found.weights)
    return len(rows(database, "select 1 as one from knowledge_chunks"))


def questions() -> list[Question]:
    """Give all questions: those of this folder, and those of the shipped documents."""
    own = yaml.safe_load((HERE / "questions.yaml").read_text(encoding="utf-8"))
    shipped = yaml.safe_load((HERE.parent / "domain" / "knowledge_questions.yaml").read_text(encoding="utf-8"))
    where = {path.stem: folder.name for folder in FOLDERS for path in folder.glob("*.md")}
    language = {"it-desk": "english"}
    return [
        Question(one["question"], one.get("document"), one.get("anchor"), language.get(base, base))
        for one in [*shipped, *own]
        for base in [where.get(one.get("document", ""), "nothing")]
    ]


def chosen_by(question: Question) -> bool:
    """Say whether it is of the half by which defaults are chosen; the other half shows what they are worth."""
    return hashlib.sha256(question.text.encode()).digest()[0] % 2 == 0


def by_words(database: Database) -> Find:
    """Search by full text alone."""
    return _found(Knowledge(database))


def by_both(database: Database, embedder: Embedder) -> Find:
    """Search as Parley does."""
    return _found(Knowledge(database, embedder))


def by_embeddings(database: Database, embedder: Embedder) -> Find:
    """Search by the nearest embeddings alone, comparing all."""
    model = database.row("active_model")
    assert model, "it was loaded with one"
    statement = sql.SQL(
        "select d.slug, c.anchor from knowledge_chunks c join knowledge_documents d on d.id = c.document_id"
        " order by c.embedding <=> %(vector)s::halfvec, d.slug, c.ordinal limit %(limit)s"
    )

    def find(question: str) -> list[tuple[str, str]]:
        [vector] = embedder.embed(model["name"], [question])
        found = database.select(sql.Composed([statement]), vector=half(vector), limit=CUT)
        return [(row["slug"], row["anchor"]) for row in found]

    return find


def figures(find: Find, asked: Sequence[Question]) -> Figures:
    """Ask, and count."""
    places = [_place(find(one.text), one) for one in asked]
    return Figures(
        len(places),
        sum(place == 1 for place in places) / len(places),
        sum(0 < place <= 5 for place in places) / len(places),
        sum(1 / place for place in places if place) / len(places),
    )


def silence(database: Database, asked: Sequence[Question]) -> tuple[float, float]:
    """Give the share of questions without an answer that get none, and of those with one that get something."""
    knowledge = Knowledge(database)

    def answered(one: Question) -> bool:
        found = knowledge.search(BASES, one.text, 3)
        return bool(found) and found[0].score >= ENOUGH

    empty = [one for one in asked if one.document is None]
    full = [one for one in asked if one.document]
    return sum(not answered(one) for one in empty) / len(empty), sum(map(answered, full)) / len(full)


def rows(database: Database, statement: str, **values: Any) -> list[Row]:
    """Read past the store."""
    return database.select(sql.Composed([sql.SQL(statement)]), **values)  # type: ignore[arg-type]


def _found(knowledge: Knowledge) -> Find:
    return lambda question: [(one.document, one.anchor) for one in knowledge.search(BASES, question, CUT)]


def _place(found: Sequence[tuple[str, str]], wanted: Question) -> int:
    """Give the place of the wanted section, from 1; 0 when it is not there."""
    for place, (document, anchor) in enumerate(found, 1):
        if document == wanted.document and anchor.startswith(str(wanted.anchor)):
            return place
    return 0
